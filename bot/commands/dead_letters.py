"""`dead-letters`: look at what was given up on, try it again, or drop it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table as Grid
from sqlalchemy import Row, Table

from bot.domain.errors import TandemError
from bot.opening import open_database
from bot.settings import Settings
from bot.store import lanes
from bot.store.database import Database
from bot.store.schema import inbox, outbox

_BOXES: dict[str, Table] = {"inbox": inbox, "outbox": outbox}
SHOWN_MAX = 100


def list_them(settings: Settings) -> int:
    """Print the dead letters of both boxes, newest first."""

    async def work(database: Database) -> None:
        console = Console(highlight=False)
        grid = Grid("id", "what", "where to", "state", "attempts", "why")
        for box, table in _BOXES.items():
            for row in await database.read(lanes.dead_letters, table, SHOWN_MAX):
                grid.add_row(f"{box}:{row.id}", row.kind, row.address, row.state, str(row.attempt_count), _why(row))
        if grid.row_count:
            console.print(grid)
            console.print("`retry ID` tries one again; `drop ID` deletes it. A held one may have arrived already.")
        else:
            console.print("There are no dead letters.")

    return asyncio.run(_with_database(settings, work))


def retry(settings: Settings, letter: str) -> int:
    """Make a dead letter pending again."""
    table, row_id = _parse(letter)

    async def work(database: Database) -> None:
        if not await database.write(lanes.revive, table, row_id, datetime.now(UTC)):
            raise TandemError(f"there is no dead letter {letter}; `dead-letters list` shows them")
        Console().print(f"{letter} is in line again.")

    return asyncio.run(_with_database(settings, work))


def drop(settings: Settings, letter: str) -> int:
    """Delete a dead letter for good."""
    table, row_id = _parse(letter)

    async def work(database: Database) -> None:
        if not await database.write(lanes.drop, table, row_id):
            raise TandemError(f"there is no dead letter {letter}; `dead-letters list` shows them")
        Console().print(f"{letter} is deleted.")

    return asyncio.run(_with_database(settings, work))


async def _with_database(settings: Settings, work: Any) -> int:
    async with open_database(settings) as database:
        await work(database)
    return 0


def _parse(letter: str) -> tuple[Table, int]:
    box, _, number = letter.partition(":")
    if box not in _BOXES or not number.isdigit():
        raise TandemError(f"{letter!r} is no dead letter; write one as `dead-letters list` shows it, like outbox:12")
    return _BOXES[box], int(number)


def _why(row: Row[Any]) -> str:
    return str(row.error) or "unknown"
