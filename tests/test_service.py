from __future__ import annotations

from pathlib import Path

from structlog.testing import capture_logs

from bot.clock import SystemClock
from bot.opening import open_database, open_records
from bot.service import Role, Service
from bot.settings import load


async def test_no_way_in_stands_in_the_log(tmp_path: Path) -> None:
    """Who reads that the local desk takes over learns the command that makes a link, and gets no link."""
    settings = load({"TANDEM_SERVICE__STATE_DIR": str(tmp_path)})
    async with open_database(settings) as database, open_records(settings, SystemClock()) as brand:
        service = Service(settings, Role.WEB | Role.WORKER, database, brand)
        with capture_logs() as lines:
            service._desk_watch()._alarmed()
        await service.close()
    assert [line["event"] for line in lines] == ["local_desk_takes_over"]
    assert "ticket=" not in str(lines)
    assert "desk-link" in str(lines)
