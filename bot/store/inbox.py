"""The inbox: everything that came in, durable before it is acknowledged."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, bindparam, literal_column, select, update

from bot.domain import boxes
from bot.domain.boxes import Box, Move, RowState
from bot.domain.errors import StaleLeaseError
from bot.domain.messages import MessageId
from bot.store import lanes
from bot.store.database import insert_once
from bot.store.lanes import Attempt, Ending, Lease, Release, Released
from bot.store.prepared import Prepared
from bot.store.restoring import RESTORED
from bot.store.schema import inbox
from bot.store.signals import About, signal

#: The account of what the desk itself puts into the inbox.
DESK_ACCOUNT = "desk"


class InboxKind(StrEnum):
    """What a row asks for."""

    #: a customer's message
    MESSAGE = "message"
    #: a channel's report on a message of ours
    RECEIPT = "receipt"
    #: a customer took back what they had written
    WITHDRAWAL = "withdrawal"
    #: a customer put a sign to a message
    REACTION = "reaction"
    #: a person of the brand answered on the channel itself
    ECHO = "echo"
    #: a server-made intent: a timer that fired, a hand back
    TRIGGER = "trigger"
    #: something an agent did on the desk, as the desk told it
    DESK = "desk"
    #: what a channel brought and nobody could read, as it came (`bot.store.unread`); no worker takes it
    UNREAD = "unread"


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """Something to put into the inbox."""

    #: channel/account, with `external_id` the key that makes a repeat vanish
    account: str
    external_id: str
    #: the lane
    address: str
    kind: InboxKind
    body: object
    message_id: MessageId
    #: whether it may have been handled by a database that this one was restored from: then it is left to a person
    is_doubtful: bool = False
    #: the state it is left in at once, and why; none: it is worked on
    left: tuple[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A customer's message that waits behind a claimed row of its address."""

    row_id: int
    message_id: MessageId
    body: Any
    received_at: datetime


@dataclass(frozen=True, kw_only=True)
class InboxRow:
    """A claimed row."""

    lease: Lease
    address: str
    kind: InboxKind
    body: Any
    message_id: MessageId
    received_at: datetime
    #: this attempt included; those that found no engine are not counted
    attempt_count: int
    #: how often in a row its worker or its engine has died
    crash_count: int
    #: what is answered together with it; none: it is answered by itself
    pieces: tuple[Waiting, ...] | None = None

    @property
    def message_ids(self) -> tuple[MessageId, ...]:
        """Its message and those that are answered together with it, in order."""
        return (self.message_id, *(each.message_id for each in self.pieces or ()))


# The statements of every turn are built once.
_BEHIND = Prepared(
    select(inbox.c.id, inbox.c.kind, inbox.c.message_id, inbox.c.body, inbox.c.received_at)
    .where(
        inbox.c.address == bindparam("lane"),
        inbox.c.state == literal_column("'pending'"),
        inbox.c.id > bindparam("head"),
    )
    .order_by(inbox.c.id)
    .limit(bindparam("at_most"))
)
_HELD = (
    (inbox.c.address == bindparam("lane"))
    & (inbox.c.state == literal_column("'pending'"))
    & (inbox.c.attempt_count == 0)
    & (inbox.c.ready_at > bindparam("now"))
)
_WAKENING = Prepared(update(inbox).where(_HELD).values(ready_at=bindparam("now")))


def add(connection: Connection, arrival: Arrival, now: datetime) -> bool:
    """Put it into the inbox; return whether it is new."""
    values = {
        "account": arrival.account,
        "external_id": arrival.external_id,
        "address": arrival.address,
        "kind": arrival.kind.value,
        "body": arrival.body,
        "message_id": arrival.message_id,
        "received_at": now,
        "ready_at": now,
        "state": "pending",
    }
    left = ("held", RESTORED) if arrival.is_doubtful else arrival.left
    if left is not None:
        state = boxes.end(Box.INBOX, Move.PUT, RowState(left[0]))
        values |= {"state": state.value, "error": left[1], "finished_at": now}
    is_new = insert_once(connection, inbox, values)
    if is_new:
        signal(connection, About.INBOX)
    return is_new


def claim(
    connection: Connection, now: datetime, lease_for: timedelta, limit: int, attempt: Attempt | None = None
) -> list[InboxRow]:
    """Claim the next row of up to `limit` idle addresses; suspects are left to `claim_suspects`."""
    found = lanes.ready(connection, inbox, now, limit)
    token = (attempt or Attempt()).token
    return [_row(row) for row in lanes.take(connection, inbox, found, now + lease_for, token)]


def claim_suspects(
    connection: Connection, now: datetime, lease_for: timedelta, limit: int, attempt: Attempt | None = None
) -> list[InboxRow]:
    """Claim up to `limit` rows that were in work when a worker or its engine died; see `bot.store.lanes`."""
    found = lanes.ready_suspects(connection, inbox, now, limit)
    token = (attempt or Attempt()).token
    return [_row(row) for row in lanes.take(connection, inbox, found, now + lease_for, token)]


def claimed(connection: Connection, now: datetime, lease_for: timedelta, attempt: Attempt) -> list[InboxRow]:
    """Return what an attempt has claimed without hearing of it, and nobody has taken away since, leased anew."""
    return [_row(row) for row in lanes.taken(connection, inbox, attempt.token, now + lease_for)]


def finish(connection: Connection, lease: Lease, now: datetime) -> None:
    """Mark the row as handled; raises `StaleLeaseError`."""
    lanes.finish(connection, inbox, lease, Ending(state="done", at=now))


def bury(connection: Connection, lease: Lease, now: datetime, error: str) -> None:
    """Make the row a dead letter; raises `StaleLeaseError`."""
    lanes.finish(connection, inbox, lease, Ending(state="dead", at=now, error=error))


def defer(connection: Connection, lease: Lease, until: datetime, error: str) -> None:
    """Try the row again, not before `until`, as no suspect: we live; raises `StaleLeaseError`."""
    lanes.write(connection, inbox, lease, {"crash_count": 0})
    lanes.defer(connection, inbox, lease, until, error)


def defer_for_engine(
    connection: Connection, row: InboxRow, until: datetime, error: str, *, has_broken_off: bool
) -> None:
    """Try the row again, not before `until`, as one that found no engine, or whose engine died over it.

    The attempt is not counted: it says nothing about the message. Raises `StaleLeaseError`.
    """
    counts: dict[str, object] = {
        "attempt_count": row.attempt_count - 1,
        "crash_count": row.crash_count + has_broken_off,
    }
    lanes.write(connection, inbox, row.lease, counts)
    lanes.defer(connection, inbox, row.lease, until, error)


def behind(connection: Connection, row: InboxRow, limit: int) -> list[Waiting]:
    """Return the messages that wait right behind a claimed row, in order; reports on ours among them do not count."""
    found = []
    for waiting in _BEHIND.all(connection, {"lane": row.address, "head": row.lease.row_id, "at_most": limit}):
        if waiting.kind == InboxKind.RECEIPT:
            continue
        if waiting.kind != InboxKind.MESSAGE:
            break
        found.append(
            Waiting(
                row_id=waiting.id,
                message_id=MessageId(waiting.message_id),
                body=waiting.body,
                received_at=waiting.received_at,
            )
        )
    return found


def finish_behind(connection: Connection, waiting: Collection[Waiting], now: datetime) -> None:
    """Mark messages as handled with the claimed row they wait behind, which is finished in this transaction."""
    ids = [each.row_id for each in waiting]
    theirs = lanes.moving(inbox, Move.GO_ALONG).where(inbox.c.id.in_(ids))
    if connection.execute(theirs.values(finished_at=now)).rowcount != len(ids):
        raise StaleLeaseError


def hold(connection: Connection, row: InboxRow, until: datetime) -> None:
    """Take the row up again at `until`, or when its customer goes on writing; raises `StaleLeaseError`."""
    # It has not been worked on: this attempt says nothing about it.
    lanes.write(connection, inbox, row.lease, {"attempt_count": row.attempt_count - 1})
    lanes.defer(connection, inbox, row.lease, until, "")


def waken(connection: Connection, address: str, now: datetime) -> None:
    """Let a held row of the address be taken up at once: its customer goes on writing."""
    _WAKENING.count(connection, {"lane": address, "now": now})


def hasten(connection: Connection, now: datetime) -> None:
    """Let every row that waits to be tried again be tried at once: what it waited for is there."""
    waiting = (inbox.c.state == "pending") & (inbox.c.ready_at > now)
    connection.execute(update(inbox).where(waiting).values(ready_at=now))


def release(connection: Connection, which: Release) -> Released[InboxRow]:
    """Make rows whose worker died pending again, or dead letters in the end; see `lanes.release`."""
    released = lanes.release(connection, inbox, which, "dead", {})
    return Released(pending=[_row(row) for row in released.pending], dead=[_row(row) for row in released.dead])


def _row(row: Any) -> InboxRow:
    return InboxRow(
        lease=Lease(row_id=row.id, token=row.lease or ""),
        address=row.address,
        kind=InboxKind(row.kind),
        body=row.body,
        message_id=MessageId(row.message_id),
        received_at=row.received_at,
        attempt_count=row.attempt_count,
        crash_count=row.crash_count,
    )
