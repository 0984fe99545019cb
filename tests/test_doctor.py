from __future__ import annotations

import io
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import Connection, update

from bot.commands.doctor import _clock, _Doctor, find_exposed, find_risks
from bot.domain.errors import SettingsError
from bot.domain.messages import MessageId
from bot.settings import load
from bot.store import inbox
from bot.store.database import Database
from bot.store.inbox import Arrival, InboxKind
from bot.store.restoring import Restore, settle
from bot.store.schema import inbox as inbox_table
from bot.web.internal import InternalParts, internal_app
from bot.web.serving import bind, serve
from tests.ports import free_port

PUBLIC = {"TANDEM_SERVICE__PUBLIC_URL": "https://care.example.com"}


def test_a_public_chat_behind_nobody_knows_what_is_a_risk() -> None:
    """Where visitors come through a proxy that is not named they share one count, and doctor says what to set."""
    assert "service.trusted_proxies" in find_risks(load(PUBLIC))["proxies"]
    assert find_risks(load(PUBLIC | {"TANDEM_SERVICE__TRUSTED_PROXIES": "10.0.0.5"})) == {}
    assert find_risks(load(PUBLIC | {"TANDEM_WEBCHAT__IS_ENABLED": "false"})) == {}
    assert find_risks(load({})) == {}


def test_what_customers_wrote_is_not_for_everybody(tmp_path: Path) -> None:
    """State that every user of the machine can read is named; none is, where the folder or the files are closed."""
    for name, mode in {"tandem.db": 0o644, "secret": 0o644, "tandem.db-wal": 0o600}.items():
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)
    tmp_path.chmod(0o755)
    assert find_exposed(tmp_path) == ["secret", "tandem.db"]
    tmp_path.chmod(0o700)
    assert find_exposed(tmp_path) == []
    assert find_exposed(tmp_path / "nothing") == []


def test_commands_write_for_nobody_else(tmp_path: Path) -> None:
    """Whatever a command makes is its user's alone, the database with all conversations above all."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    environ = {**os.environ, "TANDEM_SERVICE__STATE_DIR": str(state)}
    subprocess.run([sys.executable, "-m", "bot", "migrate"], env=environ, check=True, umask=0o022)
    made = [state, *state.rglob("*")]
    assert state / "tandem.db" in made
    assert [path.name for path in made if path.stat().st_mode & 0o077] == []


async def _examined(url: str, tmp_path: Path) -> tuple[int, str]:
    given = {"TANDEM_SERVICE__DATABASE": url, "TANDEM_SERVICE__STATE_DIR": str(tmp_path)}
    printed = io.StringIO()
    doctor = _Doctor(load(given), Console(file=printed, width=400, highlight=False))
    return await doctor.examine(), printed.getvalue()


async def test_doctor_says_who_waits_for_how_long(database: Database, migrated_url: str, tmp_path: Path) -> None:
    """What waits a moment is told, what waits too long or lost its worker is to be fixed, and so is a restore."""
    arrival = Arrival(
        account="fake/brand",
        external_id="1",
        address="fake/brand/ann",
        kind=InboxKind.MESSAGE,
        body={},
        message_id=MessageId("m" * 32),
    )
    now = datetime.now(UTC)
    await database.write(inbox.add, arrival, now - timedelta(seconds=20))
    _, printed = await _examined(migrated_url, tmp_path)
    assert "✓ boxes: inbox: 1 wait, the oldest for 2" in printed
    assert "✓ clock" in printed
    await database.write(_write_all, received_at=now - timedelta(hours=1))
    _, printed = await _examined(migrated_url, tmp_path)
    assert "✗ boxes" in printed
    assert "inbox on fake" in printed
    await database.write(_write_all, state="claimed", leased_until=now - timedelta(hours=1))
    _, printed = await _examined(migrated_url, tmp_path)
    assert "lost their worker" in printed
    await database.write(settle, Restore(backed_up_at=now, until=now, restored_at=now))
    _, printed = await _examined(migrated_url, tmp_path)
    assert "1 given up" in printed
    assert "! restored database" in printed


async def test_what_no_call_comes_through_to_is_told(tmp_path: Path) -> None:
    """Doctor asks what runs here how its breakers are, and names those that are not closed."""
    states = {"database": "closed", "telegram/brand": "closed"}

    async def run_nothing(_call: dict[str, object]) -> tuple[int, dict[str, object]]:
        return 200, {}

    async def find_none() -> dict[str, str]:
        return {}

    parts = InternalParts(run_action=run_nothing, actions_token="t", find_unready=find_none, breakers=lambda: states)
    port = free_port()
    environ = {"TANDEM_SERVICE__INTERNAL_PORT": str(port), "TANDEM_SERVICE__STATE_DIR": str(tmp_path)}
    doctor = _Doctor(load(environ), Console(file=io.StringIO()))
    async with serve(internal_app(parts), bind("127.0.0.1", port, "service.internal_port"), 0.1):
        assert await doctor._breakers() == "calls go through to database, telegram/brand"
        states["telegram/brand"] = "half open"
        with pytest.raises(SettingsError, match=r"no call comes through to telegram/brand \(half open\)"):
            await doctor._breakers()
    assert await doctor._breakers() == "nothing runs here"


async def test_a_clock_that_is_wrong_is_told() -> None:
    """Where the machine's clock and the database's differ by more than half a minute, doctor says what to do."""
    assert "off the database's" in await _clock(datetime.now(UTC))
    with pytest.raises(SettingsError, match="NTP"):
        await _clock(datetime.now(UTC) + timedelta(minutes=2))


def _write_all(connection: Connection, /, **values: object) -> None:
    connection.execute(update(inbox_table).values(**values))
