from __future__ import annotations

import random
from pathlib import Path

from structlog.testing import capture_logs

from bot.clock import SystemClock
from bot.opening import open_database, open_records
from bot.parts import Parts, Role
from bot.public_port import blueprints
from bot.settings import load


async def test_files_have_links_where_we_are_reached(tmp_path: Path) -> None:
    """Where the world can reach us, and only there, the door to files is open and what delivers makes links to it."""
    for url, has_door in (("https://care.example.com", True), ("", False)):
        reached = {"TANDEM_SERVICE__PUBLIC_URL": url} if url else {}
        settings = load({"TANDEM_SERVICE__STATE_DIR": str(tmp_path)} | reached)
        async with open_database(settings) as database, open_records(settings, SystemClock()) as brand:
            parts = Parts(settings, Role.WEB, database, brand)
            assert any(each.name == "files" for each in blueprints(parts)) == has_door
            assert (parts._delivering(random.Random(1))._parts.file_links is not None) == has_door


async def test_no_way_in_stands_in_the_log(tmp_path: Path) -> None:
    """Who reads that the local desk takes over learns the command that makes a link, and gets no link."""
    settings = load({"TANDEM_SERVICE__STATE_DIR": str(tmp_path)})
    async with open_database(settings) as database, open_records(settings, SystemClock()) as brand:
        parts = Parts(settings, Role.WEB | Role.WORKER, database, brand)
        with capture_logs() as lines:
            parts._desk_watch()._alarmed()
        await parts.close()
    assert [line["event"] for line in lines] == ["local_desk_takes_over"]
    assert "ticket=" not in str(lines)
    assert "desk-link" in str(lines)
