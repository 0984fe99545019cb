"""What the web chat shows each visitor, numbered, so that a page that comes back misses nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from bot.domain.ports import Clock
from bot.store.database import Database, insert_once
from bot.store.restoring import FEED_STEP
from bot.store.schema import feeds, restores
from bot.store.signals import About, signal

#: Writers of one feed wait for each other; more than this many at one moment are a fault.
TRIES_MAX = 50
_LAST = select(
    select(func.max(feeds.c.sequence)).where(feeds.c.visitor == bindparam("of_visitor")).scalar_subquery(),
    select(func.count()).select_from(restores).scalar_subquery(),
)


def append(connection: Connection, visitor: str, key: str, body: dict[str, Any], now: datetime) -> int:
    """Append to a visitor's feed and return the sequence number; of a key that is there already, its number."""
    for _ in range(TRIES_MAX):
        known = connection.scalar(select(feeds.c.sequence).where(feeds.c.visitor == visitor, feeds.c.key == key))
        if known is not None:
            return int(known)
        last, restore_count = connection.execute(_LAST, {"of_visitor": visitor}).one()
        # Pages may have seen entries that a restored database knows nothing of: no number is used twice.
        sequence = max(int(last or 0), int(restore_count) * FEED_STEP) + 1
        values = {"visitor": visitor, "sequence": sequence, "key": key, "body": body, "at": now}
        if insert_once(connection, feeds, values):
            signal(connection, About.FEED, visitor)
            return sequence
    raise RuntimeError("others keep writing to this visitor's feed")


def read_after(connection: Connection, visitor: str, sequence: int, limit: int) -> list[tuple[int, dict[str, Any]]]:
    """Return what follows `sequence` in a visitor's feed."""
    query = (
        select(feeds.c.sequence, feeds.c.body)
        .where(feeds.c.visitor == visitor, feeds.c.sequence > sequence)
        .order_by(feeds.c.sequence)
        .limit(limit)
    )
    return [(row.sequence, row.body) for row in connection.execute(query)]


class StoredFeed:
    """`bot.domain.ports.VisitorFeed` over the database; `wake` and `typing` reach the pages open in this process."""

    def __init__(
        self, database: Database, clock: Clock, wake: Callable[[str], None], typing: Callable[[str], None]
    ) -> None:
        """Keep feeds in `database`."""
        self._database = database
        self._clock = clock
        self._wake = wake
        self._typing = typing

    async def put(self, visitor: str, key: str, body: dict[str, object]) -> int:
        """Append, then wake the visitor's pages."""
        sequence = await self._database.write(append, visitor, key, body, self._clock.now())
        self._wake(visitor)
        return sequence

    async def after(self, visitor: str, sequence: int, limit: int) -> list[tuple[int, dict[str, object]]]:
        """Return what follows `sequence`."""
        return await self._database.read(read_after, visitor, sequence, limit)

    def typing(self, visitor: str) -> None:
        """Tell the visitor's pages that an answer is being written."""
        self._typing(visitor)
