"""What inbox and outbox share: rows of one lane are handled one after the other, each under a lease.

A row is `pending`, then `claimed`, then in a final state. Only the oldest open row of a lane can be claimed; a partial
unique index allows one claimed row per lane. Whoever writes about a claimed row proves it with the lease's token.

When a worker or its engine dies, any row it had in work may be the cause, and most likely none is. So the first crash
proves nothing: it makes each of them a suspect. Suspects are claimed apart from the others, and a worker works on one
at a time. An innocent one comes to an end, be it only a failure, and is clear; it is blamed again only if something
else kills the worker in that very moment. One that is the cause is the one suspect in work at every further crash, and
with crash number `CRASHES_MAX` people get it. What goes through a gate is slow enough not to need this.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    Update,
    bindparam,
    case,
    delete,
    func,
    literal_column,
    select,
    true,
    update,
)

from bot.domain import boxes
from bot.domain.boxes import Box, Move, RowState
from bot.domain.errors import StaleLeaseError
from bot.domain.retry import CRASHES_MAX
from bot.store.prepared import Prepared

R = TypeVar("R")

OPEN = ("pending", "claimed")
#: No row is deferred for longer: a channel may ask for a pause of a day.
WAITS_AT_MOST = timedelta(hours=25)
#: Given up on, kept for a person to look at. `held` ones may or may not have been sent.
DEAD_LETTER = ("dead", "held")
#: Characters that a token begins with, of a worker that others hear the pulse of (`bot.store.pulses`).
SIGNATURE = 16
# Written into the SQL as they are: only so does a planner see that the partial indexes fit.
_PENDING: ColumnElement[str] = literal_column("'pending'")
_CLAIMED: ColumnElement[str] = literal_column("'claimed'")
_UNLEASED: dict[str, object] = {"lease": None, "leased_until": None}


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The right to write about one claimed row."""

    row_id: int
    token: str
    #: when it was given, in seconds of this process's monotonic clock
    since: float = field(default_factory=time.monotonic, compare=False)


def new_token(signature: str = "") -> str:
    """Return a token that no attempt had before, of 32 characters; `signature` is the worker's, if it has a pulse."""
    return f"{signature}{secrets.token_hex((32 - len(signature)) // 2)}"


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One try to claim, or the same one again."""

    #: what its leases can be found by, should nobody hear that they were given
    token: str = field(default_factory=new_token)
    #: accounts, `channel/account`, that nothing is sent to now
    shut: tuple[str, ...] = ()


def ready(connection: Connection, table: Table, now: datetime, limit: int) -> Sequence[Any]:
    """Return the heads of up to `limit` lanes that are ready, oldest first, to be taken in this transaction."""
    return _next(table).all(connection, {"now": now, "at_most": limit})


def ready_suspects(connection: Connection, table: Table, now: datetime, limit: int) -> Sequence[Any]:
    """Return heads as `ready` does, of lanes whose head was in work when a worker or its engine died."""
    return _next_suspects(table).all(connection, {"now": now, "at_most": limit})


def take(connection: Connection, table: Table, found: Sequence[Any], until: datetime, token: str) -> Sequence[Any]:
    """Claim what `heads` found in this transaction, and return the rows, oldest first."""
    if not found:
        return []
    ids = {f"id_{n}": row.id for n, row in enumerate(found)}
    claimed = _claiming(table, len(ids)).all(connection, {**ids, "token": token, "until": until})
    return sorted(claimed, key=lambda row: int(row.id))


def taken(connection: Connection, table: Table, token: str, until: datetime) -> Sequence[Any]:
    """Return the rows that an attempt with that token has claimed and nobody has taken away since, leased anew."""
    mine = (table.c.lease == token) & (table.c.state == _CLAIMED)
    found = connection.execute(update(table).where(mine).values(leased_until=until).returning(*table.c)).all()
    return sorted(found, key=lambda row: int(row.id))


# The statements of every turn are built once: building one costs SQLAlchemy more than SQLite takes to run it.
@cache
def _next(table: Table) -> Prepared:
    return Prepared(heads(table).where(table.c.crash_count == 0).order_by(table.c.id))


@cache
def _next_suspects(table: Table) -> Prepared:
    # The least suspect first: what kills us as we start must not always strike the same one.
    return Prepared(heads(table).where(table.c.crash_count > 0).order_by(table.c.crash_count, table.c.id))


def heads(table: Table) -> Select[tuple[int]]:
    """Return the query for the ids of the heads of lanes that are ready by `now`, `at_most` so many, in no order."""
    rival = table.alias("rival")
    same_lane = select(rival.c.id).where(rival.c.address == table.c.address).limit(literal_column("1"))
    # Written for a walk from the oldest on that ends with the last one wanted. PostgreSQL makes joins of `NOT EXISTS`,
    # and one that it planned while little waited compares each row with each in a storm; SQLite would sort all that
    # are ready before it begins.
    is_ready = (table.c.ready_at <= bindparam("now")).is_(true())
    first = same_lane.where(rival.c.state == _PENDING, rival.c.id < table.c.id).order_by(rival.c.id).scalar_subquery()
    in_work = same_lane.where(rival.c.state == _CLAIMED).scalar_subquery()
    return (
        select(table.c.id)
        .where(table.c.state == _PENDING, is_ready, first.is_(None), in_work.is_(None))
        .limit(bindparam("at_most"))
        .with_for_update(skip_locked=True, of=table)
    )


def moving(table: Table, move: Move, into: RowState | None = None) -> Update:
    """Return an update that makes a move (`bot.domain.boxes`) of the rows it is narrowed to, where they can make it.

    `into` is the state it ends in, of a move that has several ends.
    """
    box = Box(table.name)
    state = boxes.end(box, move, into)
    return update(table).where(in_state(table, boxes.sources(box, move, state))).values(state=state.value)


def in_state(table: Table, states: Collection[RowState]) -> ColumnElement[bool]:
    """Whether a row is in one of these states."""
    # Written into the SQL as they are: only so does a planner see that the partial indexes fit.
    written: list[ColumnElement[str]] = [literal_column(f"'{state.value}'") for state in sorted(states)]
    return table.c.state == written[0] if len(written) == 1 else table.c.state.in_(written)


@cache
def _claiming(table: Table, count: int) -> Prepared:
    return Prepared(
        moving(table, Move.CLAIM)
        .where(table.c.id.in_([bindparam(f"id_{n}") for n in range(count)]))
        .values(
            lease=bindparam("token"),
            leased_until=bindparam("until"),
            attempt_count=table.c.attempt_count + 1,
        )
        .returning(*table.c)
    )


def write(connection: Connection, table: Table, lease: Lease, values: dict[str, object]) -> None:
    """Write `values` to the claimed row; raises `StaleLeaseError` when somebody else has taken it over."""
    mine = {"of_row": lease.row_id, "by_token": lease.token}
    if _writing(table).count(connection, values | mine) != 1:
        raise StaleLeaseError


def confirm(connection: Connection, table: Table, lease: Lease) -> None:
    """Return if the row is still ours; raises `StaleLeaseError` when somebody else has taken it over."""
    mine = (table.c.id == lease.row_id) & (table.c.lease == lease.token) & (table.c.state == _CLAIMED)
    if connection.execute(select(table.c.id).where(mine)).first() is None:
        raise StaleLeaseError


@cache
def _writing(table: Table) -> Prepared:
    """Return an update of one claimed row; what it sets are the columns it is executed with."""
    is_mine = (table.c.id == bindparam("of_row")) & (table.c.lease == bindparam("by_token"))
    return Prepared(update(table).where(is_mine, table.c.state == _CLAIMED))


@dataclass(frozen=True, kw_only=True)
class Ending:
    """A row's last state."""

    #: done, sent, withheld; dead or held for a dead letter
    state: str
    at: datetime
    #: why, when it is a dead letter
    error: str = ""


def finish(connection: Connection, table: Table, lease: Lease, ending: Ending) -> None:
    """Put the claimed row into a final state; raises `StaleLeaseError`, and `ValueError` for one it cannot end in."""
    if ending.state not in _ends(table):
        raise ValueError(f"no work on a row of the {table.name} ends with {ending.state!r}")
    values: dict[str, object] = {"state": ending.state, "finished_at": ending.at, "error": ending.error}
    write(connection, table, lease, values | _UNLEASED)


@cache
def _ends(table: Table) -> frozenset[str]:
    moves = boxes.MOVES[Box(table.name)]
    ending = (Move.FINISH, Move.WITHHOLD, Move.GIVE_UP)
    return frozenset(to.value for move in ending for _, to in moves.get(move, ()) if to is not None)


def defer(connection: Connection, table: Table, lease: Lease, until: datetime, error: str) -> None:
    """Make the claimed row pending again, not before `until`; its lane waits with it. Raises `StaleLeaseError`."""
    state = boxes.end(Box(table.name), Move.DEFER).value
    write(connection, table, lease, {"state": state, "ready_at": until, "error": error} | _UNLEASED)


def bring_forward(connection: Connection, tables: Iterable[Table], now: datetime) -> None:
    """Let what waits for longer than anything does be tried now: a clock that was wrong has put it down."""
    for table in tables:
        connection.execute(_bringing_forward(table), {"now": now, "never": now + WAITS_AT_MOST})


@cache
def _bringing_forward(table: Table) -> Update:
    is_misdated = (table.c.state == _PENDING) & (table.c.ready_at > bindparam("never"))
    return update(table).where(is_misdated).values(ready_at=bindparam("now"))


def renew(connection: Connection, table: Table, leases: Collection[Lease], until: datetime) -> None:
    """Let leases last until `until`; one that was lost meanwhile stays lost."""
    for lease in leases:
        mine = (table.c.id == lease.row_id) & (table.c.lease == lease.token) & (table.c.state == "claimed")
        connection.execute(update(table).where(mine).values(leased_until=until))


@dataclass(frozen=True, kw_only=True)
class Release:
    """Which rows to take from their workers."""

    now: datetime
    #: whether no other worker can be alive, so that every claimed row has lost its own; else those whose lease ended
    is_alone: bool = False
    #: workers known to be gone (`bot.store.pulses`): what they had is released, and nothing else; none: as above
    gone: frozenset[str] = frozenset()
    #: tokens of what is in work here: who releases it lives, however late its leases are renewed
    ours: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Released(Generic[R]):
    """Rows that were taken from their workers."""

    #: to be worked on again
    pending: list[R]
    #: dead letters now
    dead: list[R]


def release(
    connection: Connection, table: Table, which: Release, final: str, values: dict[str, object]
) -> Released[Row[Any]]:
    """Make rows pending again that lost their workers, and write `values` to them.

    A row that has lost its worker `CRASHES_MAX` times gets the state `final` instead.
    """
    box = Box(table.name)
    again, dead = boxes.end(box, Move.RELEASE, RowState.PENDING), boxes.end(box, Move.RELEASE, RowState(final))
    lapsed = [in_state(table, boxes.sources(box, Move.RELEASE, again))]
    if which.gone:
        lapsed.append(func.substr(table.c.lease, 1, SIGNATURE).in_(which.gone))
    elif not which.is_alone:
        lapsed += [table.c.leased_until < which.now, table.c.lease.not_in(which.ours)]
    is_poisonous = table.c.crash_count + 1 >= CRASHES_MAX
    changes: dict[str, object] = {
        "state": case((is_poisonous, dead.value), else_=again.value),
        "finished_at": case((is_poisonous, which.now), else_=None),
        "crash_count": table.c.crash_count + 1,
        "error": "its worker died",
    }
    released = update(table).where(*lapsed).values(changes | values | _UNLEASED).returning(*table.c)
    rows = connection.execute(released).all()
    return Released(
        pending=[row for row in rows if row.state != final], dead=[row for row in rows if row.state == final]
    )


def dead_letters(connection: Connection, table: Table, limit: int) -> Sequence[Row[Any]]:
    """Return the rows given up on, newest first."""
    query = select(table).where(table.c.state.in_(DEAD_LETTER)).order_by(table.c.id.desc()).limit(limit)
    return connection.execute(query).all()


def revive(connection: Connection, table: Table, row_id: int, now: datetime) -> bool:
    """Make a dead letter pending again with its counters at nought; return whether there was one."""
    values: dict[str, object] = {"ready_at": now, "finished_at": None}
    values |= {"attempt_count": 0, "crash_count": 0}
    if "outage_count" in table.c:
        values["outage_count"] = 0
    if "is_ambiguous" in table.c:
        # Who asks for this has decided that it may be sent again.
        values["is_ambiguous"] = False
    reviving = moving(table, Move.REVIVE).where(table.c.id == row_id)
    return connection.execute(reviving.values(**values)).rowcount == 1


def drop(connection: Connection, table: Table, row_id: int) -> bool:
    """Delete a dead letter for good; return whether there was one."""
    dead = (table.c.id == row_id) & table.c.state.in_(DEAD_LETTER)
    return connection.execute(delete(table).where(dead)).rowcount == 1
