"""`dead-letters`: look at what was given up on, try it again, or drop it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table as Grid
from sqlalchemy import Row, Table

from bot.clock import SystemClock
from bot.connecting import lone_connectors
from bot.domain.connectors import Closing, ConnectorRegistry, WebhookRequest
from bot.domain.errors import TandemError
from bot.domain.messages import Unsupported
from bot.opening import open_database
from bot.pipeline.receive import Receiver
from bot.settings import Settings
from bot.store import lanes, unread
from bot.store.database import Database
from bot.store.hints import Hint
from bot.store.inbox import InboxKind
from bot.store.schema import inbox, outbox
from bot.store.unread import Unread

_BOXES: dict[str, Table] = {"inbox": inbox, "outbox": outbox}
SHOWN_MAX = 100


def list_them(settings: Settings) -> int:
    """Print the dead letters of both boxes, newest first."""

    async def work(database: Database) -> None:
        console = Console(highlight=False)
        grid = Grid("id", "what", "where to", "state", "attempts", "why")
        for box, table in _BOXES.items():
            for row in await database.read(lanes.dead_letters, table, SHOWN_MAX):
                _add(grid, box, row)
        for row in await database.read(unread.samples, SHOWN_MAX):
            _add(grid, "inbox", row)
        if grid.row_count:
            console.print(grid)
            console.print("`retry ID` tries one again; `drop ID` deletes it. A held one may have arrived already.")
            console.print("An unread one is what a channel brought and this version cannot read: a later one may.")
        else:
            console.print("There are no dead letters.")

    return asyncio.run(_with_database(settings, work))


def retry(settings: Settings, letter: str) -> int:
    """Make a dead letter pending again; what could not be read is read again at once."""
    table, row_id = _parse(letter)

    async def work(database: Database) -> None:
        found = await database.read(unread.find, row_id) if table is inbox else None
        if found is not None:
            await _read_again(settings, database, row_id, found)
            return
        if not await database.write(lanes.revive, table, row_id, datetime.now(UTC)):
            raise TandemError(f"there is no dead letter {letter}; `dead-letters list` shows them")
        Console().print(f"{letter} is in line again.")

    return asyncio.run(_with_database(settings, work))


def drop(settings: Settings, letter: str) -> int:
    """Delete a dead letter for good."""
    table, row_id = _parse(letter)

    async def work(database: Database) -> None:
        is_unread = table is inbox and await database.write(unread.forget, row_id)
        if not is_unread and not await database.write(lanes.drop, table, row_id):
            raise TandemError(f"there is no dead letter {letter}; `dead-letters list` shows them")
        Console().print(f"{letter} is deleted.")

    return asyncio.run(_with_database(settings, work))


async def _read_again(settings: Settings, database: Database, row_id: int, found: Unread) -> None:
    channel, _, account = found.account.partition("/")
    registry = ConnectorRegistry(connectors=lone_connectors(settings, database, SystemClock()))
    connector = registry.find(channel, account)
    if connector is None:
        raise TandemError(f"{found.account} is not connected any more")
    request = WebhookRequest(method="POST", headers={}, query={}, body=found.raw.encode())
    try:
        events = connector.parse(request)
    finally:
        for each in registry.connectors:
            if isinstance(each, Closing):
                await each.close()
    if any(isinstance(event, Unsupported) and event.is_unread for event in events):
        raise TandemError(f"this version cannot read inbox:{row_id} either")
    # What came with it and was read then vanishes.
    await Receiver(database, SystemClock(), Hint()).take(connector, events)
    await database.write(unread.forget, row_id)
    Console().print(f"inbox:{row_id} is read, and in line.")


async def _with_database(settings: Settings, work: Any) -> int:
    async with open_database(settings) as database:
        await work(database)
    return 0


def _parse(letter: str) -> tuple[Table, int]:
    box, _, number = letter.partition(":")
    if box not in _BOXES or not number.isdigit():
        raise TandemError(f"{letter!r} is no dead letter; write one as `dead-letters list` shows it, like outbox:12")
    return _BOXES[box], int(number)


def _add(grid: Grid, box: str, row: Row[Any]) -> None:
    where = row.account if row.kind == InboxKind.UNREAD.value else row.address
    grid.add_row(f"{box}:{row.id}", row.kind, where, row.state, str(row.attempt_count), _why(row))


def _why(row: Row[Any]) -> str:
    return str(row.error) or "unknown"
