"""How much waits in the boxes, and for how long: by looks that cost the same however much was ever stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, case, false, func, literal, literal_column, select

from bot.store.schema import inbox, outbox

#: What posts of the desk count as, whatever their desk is.
DESK = "desk"
# As the partial indexes are written: only so does a planner see that they fit.
_DEAD_LETTER: ColumnElement[bool] = literal_column("state IN ('dead', 'held')")


@dataclass(frozen=True, kw_only=True)
class Load:
    """One box's."""

    #: rows in each state that somebody may have to look at
    counts: Mapping[str, int]
    #: since when the oldest row waits that is not worked off, by channel; `desk` for the desk's posts
    oldest: Mapping[str, datetime] = field(default_factory=dict)
    #: rows that wait whose call may have left already
    ambiguous_count: int = 0
    #: rows whose worker has not renewed its lease in time
    lapsed_count: int = 0


def look(connection: Connection, now: datetime) -> dict[str, Load]:
    """Return the load of `inbox` and `outbox`."""
    return {
        "inbox": _look(connection, inbox, inbox.c.received_at, now),
        "outbox": _look(connection, outbox, outbox.c.created_at, now),
    }


def _look(connection: Connection, table: Table, since: Column[Any], now: datetime) -> Load:
    counts = dict.fromkeys(("pending", "claimed", "dead", "held"), 0)
    oldest: dict[str, datetime] = {}
    channel = _channel(connection, table).label("channel")
    is_ambiguous = table.c.is_ambiguous if "is_ambiguous" in table.c else false()
    doubts = lapsed = 0
    for state in ("pending", "claimed"):
        query = select(
            channel,
            func.count(),
            func.min(since),
            func.sum(case((is_ambiguous, 1), else_=0)),
            func.sum(case((table.c.leased_until < now, 1), else_=0)),
        ).where(table.c.state == literal_column(f"'{state}'"))
        for name, count, first, ambiguous_count, lapsed_count in connection.execute(query.group_by(channel)):
            counts[state] += count
            oldest[name] = min(first, oldest.get(name, first))
            doubts += int(ambiguous_count)
            lapsed += int(lapsed_count)
    given_up = select(table.c.state, func.count()).where(_DEAD_LETTER).group_by(table.c.state)
    counts |= {row[0]: row[1] for row in connection.execute(given_up)}
    return Load(counts=counts, oldest=oldest, ambiguous_count=doubts, lapsed_count=lapsed)


def _channel(connection: Connection, table: Table) -> ColumnElement[str]:
    if connection.dialect.name == "sqlite":
        named: ColumnElement[str] = func.substr(table.c.address, 1, func.instr(table.c.address, literal("/")) - 1)
    else:
        named = func.split_part(table.c.address, literal_column("'/'"), 1)
    return case((table.c.kind == literal_column("'desk'"), literal_column("'desk'")), else_=named)
