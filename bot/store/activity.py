"""What has come in on a channel account, and what still waits there in either direction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, func, select

from bot.store.lanes import DEAD_LETTER, OPEN
from bot.store.schema import inbox, outbox


@dataclass(frozen=True, kw_only=True)
class Activity:
    """One account's."""

    #: when the last event came; none: never
    last_received_at: datetime | None
    #: messages that are not worked off yet, in both directions
    waiting_count: int
    #: since when the oldest of them waits
    oldest_waiting_at: datetime | None
    #: messages that were given up, or are held for a person to look at
    dead_count: int


def activity(connection: Connection, channel: str, account: str) -> Activity:
    """Return what went on on a channel account."""
    name = f"{channel}/{account}"
    newest = select(inbox.c.received_at).where(inbox.c.account == name).order_by(inbox.c.id.desc()).limit(1)
    boxes = ((inbox, inbox.c.received_at), (outbox, outbox.c.created_at))
    waiting = [_waiting(connection, table, since, f"{name}/") for table, since in boxes]
    moments = [since for _, since in waiting if since is not None]
    return Activity(
        last_received_at=connection.scalar(newest),
        waiting_count=sum(count for count, _ in waiting),
        oldest_waiting_at=min(moments, default=None),
        dead_count=sum(_dead(connection, table, f"{name}/") for table, _ in boxes),
    )


def _waiting(connection: Connection, table: Table, since: Any, prefix: str) -> tuple[int, datetime | None]:
    is_mine = table.c.address.startswith(prefix, autoescape=True)
    row = connection.execute(select(func.count(), func.min(since)).where(table.c.state.in_(OPEN), is_mine)).one()
    return int(row[0]), row[1]


def _dead(connection: Connection, table: Table, prefix: str) -> int:
    is_mine = table.c.address.startswith(prefix, autoescape=True)
    return int(connection.scalar(select(func.count()).where(table.c.state.in_(DEAD_LETTER), is_mine)) or 0)
