from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row, select

from bot.clock import SystemClock
from bot.commands import dead_letters
from bot.domain.connectors import Connector
from bot.domain.errors import TandemError
from bot.domain.messages import MALFORMED, InboundEvent, Unsupported
from bot.opening import open_database
from bot.pipeline.receive import Receiver
from bot.settings import Settings, load
from bot.store.hints import Hint
from bot.store.schema import inbox
from connectors.telegram.connector import TelegramAccount, TelegramConnector
from tests.fakes.media import MemoryMedia

TOKEN = "7000001:secret"
UPDATE = {
    "update_id": 5,
    "message": {"message_id": 9, "date": 1_795_400_000, "chat": {"id": 42, "type": "private"}, "text": "hello"},
}


def settings_of(folder: Path, **more: str) -> Settings:
    """Return settings with a state folder of their own."""
    return load({"TANDEM_SERVICE__STATE_DIR": str(folder)} | more)


def bring(settings: Settings, *raws: dict[str, Any], kind: str = MALFORMED) -> None:
    """Let an earlier version have taken these updates, which it could not read."""

    async def work() -> None:
        connector: Connector = TelegramConnector(TelegramAccount(token=TOKEN), MemoryMedia())
        events: list[InboundEvent] = [
            Unsupported(external_id=f"update:{n}", kind=kind, is_unread=True, raw=json.dumps(raw))
            for n, raw in enumerate(raws)
        ]
        async with open_database(settings) as database:
            await Receiver(database, SystemClock(), Hint()).take(connector, events)

    asyncio.run(work())


def rows(settings: Settings) -> Sequence[Row[Any]]:
    """Return what is in the inbox."""

    async def work() -> Sequence[Row[Any]]:
        async with open_database(settings) as database:
            return await database.read(lambda connection: connection.execute(select(inbox).order_by(inbox.c.id)).all())

    return asyncio.run(work())


@pytest.mark.parametrize("kind", [MALFORMED, "hologram"])
def test_a_later_version_reads_what_was_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    """What could not be read is listed; tried again, it comes in as the message it is, and is kept no longer."""
    settings = settings_of(tmp_path, TANDEM_TELEGRAM__TOKEN=TOKEN)
    bring(settings, UPDATE, kind=kind)
    dead_letters.list_them(settings)
    assert "inbox:1" in (shown := capsys.readouterr().out)
    assert "unread" in shown

    assert dead_letters.retry(settings, "inbox:1") == 0
    (row,) = rows(settings)
    assert (row.kind, row.state, row.external_id, row.body["text"]) == ("message", "pending", "42:9", "hello")


def test_what_cannot_be_read_still_is_kept(tmp_path: Path) -> None:
    """What this version cannot read either stays, until it is dropped."""
    settings = settings_of(tmp_path, TANDEM_TELEGRAM__TOKEN=TOKEN)
    bring(settings, {"update_id": 5, "message": {"message_id": "odd"}})
    with pytest.raises(TandemError, match="cannot read inbox:1 either"):
        dead_letters.retry(settings, "inbox:1")
    assert [row.state for row in rows(settings)] == ["dead"]

    assert dead_letters.drop(settings, "inbox:1") == 0
    assert rows(settings) == []


def test_an_account_that_is_gone(tmp_path: Path) -> None:
    """What an account brought that is set no longer cannot be read again."""
    settings = settings_of(tmp_path)
    bring(settings, UPDATE)
    with pytest.raises(TandemError, match="telegram/7000001 is not connected any more"):
        dead_letters.retry(settings, "inbox:1")
