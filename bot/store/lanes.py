"""What inbox and outbox share: rows of one lane are handled one after the other, each under a lease.

A row is `pending`, then `claimed`, then in a final state. Only the oldest open row of a lane can be claimed; a partial
unique index allows one claimed row per lane. Whoever writes about a claimed row proves it with the lease's token.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Table, delete, exists, func, literal, select, update

from bot.domain.errors import StaleLeaseError
from bot.domain.retry import CRASHES_MAX

OPEN = ("pending", "claimed")
#: Given up on, kept for a person to look at. `held` ones may or may not have been sent.
DEAD_LETTER = ("dead", "held")
# Written into the SQL as they are: only so does a planner see that the partial indexes fit.
_PENDING = literal("pending", literal_execute=True)
_CLAIMED = literal("claimed", literal_execute=True)
_UNLEASED: dict[str, object] = {"lease": None, "leased_until": None}


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The right to write about one claimed row."""

    row_id: int
    token: str


def claim(connection: Connection, table: Table, now: datetime, lease_for: timedelta, limit: int) -> Sequence[Row[Any]]:
    """Claim the heads of up to `limit` lanes that are ready, oldest first, and return their rows."""
    rival = table.alias("rival")
    is_busy = exists().where(rival.c.address == table.c.address, rival.c.state == _CLAIMED)
    is_behind = exists().where(rival.c.address == table.c.address, rival.c.state == _PENDING, rival.c.id < table.c.id)
    heads = (
        select(table.c.id)
        .where(table.c.state == _PENDING, table.c.ready_at <= now, ~is_busy, ~is_behind)
        .order_by(table.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=table)
    )
    ids = connection.scalars(heads).all()
    if not ids:
        return []
    token = secrets.token_hex(16)
    claimed = (
        update(table)
        .where(table.c.id.in_(ids), table.c.state == "pending")
        .values(state="claimed", lease=token, leased_until=now + lease_for, attempt_count=table.c.attempt_count + 1)
        .returning(*table.c)
    )
    return sorted(connection.execute(claimed).all(), key=lambda row: int(row.id))


def write(connection: Connection, table: Table, lease: Lease, values: dict[str, object]) -> None:
    """Write `values` to the claimed row; raises `StaleLeaseError` when somebody else has taken it over."""
    mine = (table.c.id == lease.row_id) & (table.c.lease == lease.token) & (table.c.state == "claimed")
    if connection.execute(update(table).where(mine).values(values)).rowcount != 1:
        raise StaleLeaseError


def finish(connection: Connection, table: Table, lease: Lease, state: str, now: datetime, error: str = "") -> None:
    """Put the claimed row into a final state; raises `StaleLeaseError`."""
    write(connection, table, lease, {"state": state, "finished_at": now, "error": error} | _UNLEASED)


def defer(connection: Connection, table: Table, lease: Lease, until: datetime, error: str) -> None:
    """Make the claimed row pending again, not before `until`; its lane waits with it. Raises `StaleLeaseError`."""
    write(connection, table, lease, {"state": "pending", "ready_at": until, "error": error} | _UNLEASED)


def release_lapsed(connection: Connection, table: Table, now: datetime | None) -> Sequence[Row[Any]]:
    """Make rows pending again whose lease ended before `now`; none: all claimed ones, when nobody else can be alive.

    A row that has lost its worker `CRASHES_MAX` times becomes a dead letter instead. Returns all rows released.
    """
    lapsed = [table.c.state == "claimed"]
    if now is not None:
        lapsed.append(table.c.leased_until < now)
    released = update(table).where(*lapsed).values(
        state="pending", lease=None, leased_until=None, crash_count=table.c.crash_count + 1, error="its worker died"
    )
    rows = connection.execute(released.returning(*table.c)).all()
    poisonous = [row.id for row in rows if row.crash_count >= CRASHES_MAX]
    if poisonous:
        connection.execute(
            update(table).where(table.c.id.in_(poisonous)).values(state="dead", finished_at=now, error="its worker died")
        )
    return rows


def next_ready_at(connection: Connection, table: Table) -> datetime | None:
    """Return when the next pending row becomes ready, for a worker that wants to sleep until then."""
    moment: datetime | None = connection.scalar(select(func.min(table.c.ready_at)).where(table.c.state == "pending"))
    return moment


def count_by_state(connection: Connection, table: Table) -> dict[str, int]:
    """Return how many rows stand in each state that somebody may have to look at."""
    watched = (*OPEN, *DEAD_LETTER)
    rows = connection.execute(
        select(table.c.state, func.count()).where(table.c.state.in_(watched)).group_by(table.c.state)
    )
    return dict.fromkeys(watched, 0) | {state: count for state, count in rows}


def dead_letters(connection: Connection, table: Table, limit: int) -> Sequence[Row[Any]]:
    """Return the rows given up on, newest first."""
    query = select(table).where(table.c.state.in_(DEAD_LETTER)).order_by(table.c.id.desc()).limit(limit)
    return connection.execute(query).all()


def revive(connection: Connection, table: Table, row_id: int, now: datetime) -> bool:
    """Make a dead letter pending again with its counters at nought; return whether there was one."""
    dead = (table.c.id == row_id) & table.c.state.in_(DEAD_LETTER)
    values = {"state": "pending", "ready_at": now, "attempt_count": 0, "crash_count": 0, "finished_at": None}
    return connection.execute(update(table).where(dead).values(**values)).rowcount == 1


def drop(connection: Connection, table: Table, row_id: int) -> bool:
    """Delete a dead letter for good; return whether there was one."""
    dead = (table.c.id == row_id) & table.c.state.in_(DEAD_LETTER)
    return connection.execute(delete(table).where(dead)).rowcount == 1
