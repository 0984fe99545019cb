"""The outbox: everything that goes out, durable before it is sent. The call of a claimed row may be on its way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from bot.domain.conversations import ConversationId, Owner
from bot.domain.messages import DeliveryState, MessageId
from bot.store import gates, lanes, transcript
from bot.store.database import insert_once
from bot.store.lanes import Attempt, Ending, Lease, Release, Released
from bot.store.prepared import Prepared
from bot.store.schema import conversations, outbox
from bot.store.signals import About, signal


class OutboxKind(StrEnum):
    """Who takes a row."""

    #: a message to a customer, through a connector
    MESSAGE = "message"
    #: a post on the agents' desk
    DESK = "desk"
    #: an effect in the brand's own systems
    COMMAND = "command"
    #: a change of a message that a customer was sent
    AMENDMENT = "amendment"


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """Something to put into the outbox."""

    #: never sent twice under the same key
    key: str
    #: the lane
    address: str
    kind: OutboxKind
    body: object
    conversation_id: ConversationId | None = None
    message_id: MessageId | None = None
    #: refused when the conversation's epoch has moved on; none: not fenced
    epoch: int | None = None
    #: what it has to go through (`bot.store.gates`); none: it goes at once
    gate: str | None = None
    #: of what waits at one gate the lowest goes first
    rank: int = 0


@dataclass(frozen=True, kw_only=True)
class OutboxRow:
    """A claimed row."""

    lease: Lease
    key: str
    address: str
    kind: OutboxKind
    body: Any
    conversation_id: ConversationId | None
    message_id: MessageId | None
    epoch: int | None
    #: calls already made of those the message was cut into
    progress: int
    #: whether the next call may have left already, in an earlier life
    is_ambiguous: bool
    #: this attempt included
    attempt_count: int
    #: what it went through
    gate: str | None = None


#: Rows in which all are that were in work at one time.
_NEAR = 10_000
_TOO_LATE = "the conversation changed hands first"
# Built once, as those of `bot.store.lanes`.
_AT_ONCE = lanes.heads(outbox).where(outbox.c.gate.is_(None))
_UNGATED = Prepared(_AT_ONCE.where(outbox.c.crash_count == 0).order_by(outbox.c.id))
_SUSPECT = Prepared(_AT_ONCE.where(outbox.c.crash_count > 0).order_by(outbox.c.crash_count, outbox.c.id))
_GATED = Prepared(lanes.heads(outbox).where(outbox.c.gate == bindparam("gate")).order_by(outbox.c.rank, outbox.c.id))


def add(connection: Connection, outgoing: Outgoing, now: datetime) -> bool:
    """Put it into the outbox; return whether its key is new."""
    values = {
        "key": outgoing.key,
        "address": outgoing.address,
        "kind": outgoing.kind.value,
        "body": outgoing.body,
        "conversation_id": outgoing.conversation_id,
        "message_id": outgoing.message_id,
        "epoch": outgoing.epoch,
        "gate": outgoing.gate,
        "rank": outgoing.rank,
        "created_at": now,
        "ready_at": now,
        "state": "pending",
    }
    if outgoing.gate is not None:
        gates.make(connection, outgoing.gate, now)
    is_new = insert_once(connection, outbox, values)
    if is_new:
        signal(connection, About.OUTBOX)
    return is_new


def claim(
    connection: Connection, now: datetime, lease_for: timedelta, limit: int, attempt: Attempt | None = None
) -> list[OutboxRow]:
    """Claim the next row of up to `limit` idle addresses; from this commit on the call counts as perhaps made.

    What has to go through a gate is left to `claim_gated`, and suspects to `claim_suspects`. Rows that were decided
    under an epoch that has passed are withheld in the same transaction.
    """
    which = _beside(attempt.shut) if attempt and attempt.shut else _UNGATED
    while found := which.all(connection, {"now": now, "at_most": limit}):
        if current := _current(connection, found, now, lease_for, attempt):
            return current
    return []


def claim_suspects(
    connection: Connection, now: datetime, lease_for: timedelta, limit: int, attempt: Attempt | None = None
) -> list[OutboxRow]:
    """Claim up to `limit` rows as `claim` does, of those that were in work when a worker died (`bot.store.lanes`)."""
    while found := _SUSPECT.all(connection, {"now": now, "at_most": limit}):
        if current := _current(connection, found, now, lease_for, attempt):
            return current
    return []


def claimed(connection: Connection, now: datetime, lease_for: timedelta, attempt: Attempt) -> list[OutboxRow]:
    """Return what an attempt has claimed without hearing of it, and nobody has taken away since, leased anew.

    None of its calls was made, so rows whose epoch has passed meanwhile are withheld in the same transaction.
    """
    rows = sorted(lanes.taken(connection, outbox, attempt.token, now + lease_for), key=lambda row: (row.rank, row.id))
    return _without_stale(connection, [_row(row) for row in rows], now)


@cache
def _beside(shut: tuple[str, ...]) -> Prepared:
    others = (~outbox.c.address.startswith(f"{account}/", autoescape=True) for account in shut)
    return Prepared(_AT_ONCE.where(outbox.c.crash_count == 0, *others).order_by(outbox.c.id))


def _current(
    connection: Connection, found: list[Any], now: datetime, lease_for: timedelta, attempt: Attempt | None
) -> list[OutboxRow]:
    token = (attempt or Attempt()).token
    rows = [_row(row) for row in lanes.take(connection, outbox, found, now + lease_for, token)]
    return _without_stale(connection, rows, now)


def claim_gated(
    connection: Connection, now: datetime, lease_for: timedelta, limit: int, attempt: Attempt | None = None
) -> list[OutboxRow]:
    """Claim, of each gate that is open, as many rows as it lets through now, but no more than `limit` in all."""
    claimed: list[OutboxRow] = []
    token = (attempt or Attempt()).token
    for opening in gates.openings(connection, now):
        at_most = min(opening.count, limit - len(claimed))
        if at_most > 0:
            wanted = {"now": now, "at_most": at_most, "gate": opening.name}
            found = _GATED.all(connection, wanted)
            if found:
                gates.pace(connection, opening.name, len(found), now)
            taken = lanes.take(connection, outbox, found, now + lease_for, token)
            claimed += [_row(row) for row in sorted(taken, key=lambda row: (row.rank, row.id))]
    return claimed


def rank_anew(connection: Connection, address: str, base: int, span: int) -> None:
    """Give what waits in a lane ranks from `base` on, each as far above it as it was above a multiple of `span`."""
    waiting = (outbox.c.address == address) & (outbox.c.state == "pending")
    connection.execute(update(outbox).where(waiting).values(rank=base + outbox.c.rank % span))


def _without_stale(connection: Connection, claimed: list[OutboxRow], now: datetime) -> list[OutboxRow]:
    """Withhold what was decided under an epoch that has passed, and return the others."""
    stale = _stale(connection, claimed)
    for row in stale:
        finish(connection, row.lease, Ending(state="withheld", at=now, error=_TOO_LATE))
        if row.message_id is not None:
            transcript.mark(connection, row.message_id, DeliveryState.WITHHELD, _TOO_LATE)
    return [row for row in claimed if row not in stale]


def _stale(connection: Connection, rows: list[OutboxRow]) -> list[OutboxRow]:
    fenced = [row for row in rows if row.epoch is not None]
    if not fenced:
        return []
    ids = {f"id_{n}": each for n, each in enumerate({row.conversation_id for row in fenced})}
    # The bot goes on in the queue, so what it said just before is still its own word.
    found = _owning(len(ids)).all(connection, ids)
    oldest = {row.id: row.epoch - (row.owner == Owner.QUEUE.value) for row in found}
    # A message that may have left already is reconciled whoever owns the conversation now.
    return [row for row in fenced if not row.is_ambiguous and not _is_current(row, oldest)]


@cache
def _owning(count: int) -> Prepared:
    is_meant = conversations.c.id.in_([bindparam(f"id_{n}") for n in range(count)])
    return Prepared(select(conversations.c.id, conversations.c.epoch, conversations.c.owner).where(is_meant))


def _is_current(row: OutboxRow, oldest: dict[str, int]) -> bool:
    since = oldest.get(row.conversation_id or "")
    return since is not None and row.epoch is not None and row.epoch >= since


def in_doubt_since(connection: Connection, row: OutboxRow) -> datetime:
    """Return the moment before which the next call of a claimed row cannot have been made: when its turn came."""
    row_id = row.lease.row_id
    made_at: datetime = connection.execute(select(outbox.c.created_at).where(outbox.c.id == row_id)).scalar_one()
    # What is further away was finished before the row was made.
    near = (outbox.c.id < row_id) & (outbox.c.id > row_id - _NEAR)
    before = select(func.max(outbox.c.finished_at)).where(near, outbox.c.address == row.address)
    return max(made_at, connection.scalar(before) or made_at)


def advance(connection: Connection, lease: Lease, progress: int) -> None:
    """Record that `progress` calls are made and the next one is about to leave; raises `StaleLeaseError`."""
    lanes.write(connection, outbox, lease, {"progress": progress, "is_ambiguous": False})


def finish(connection: Connection, lease: Lease, ending: Ending) -> None:
    """Put the row into a final state: sent, withheld, dead or held; raises `StaleLeaseError`."""
    lanes.finish(connection, outbox, lease, ending)


def bury(connection: Connection, lease: Lease, now: datetime, error: str) -> None:
    """Make the row a dead letter that may have been sent; raises `StaleLeaseError`."""
    finish(connection, lease, Ending(state="held", at=now, error=error))


def defer_ambiguous(connection: Connection, lease: Lease, until: datetime, error: str) -> None:
    """Take the row up again, not before `until`, as one whose call may have left; raises `StaleLeaseError`."""
    defer(connection, lease, until, error, is_ambiguous=True)


def defer(connection: Connection, lease: Lease, until: datetime, error: str, *, is_ambiguous: bool) -> None:
    """Try the row again, not before `until`; raises `StaleLeaseError`."""
    # Whoever lives to write this was not killed by the row.
    lanes.write(connection, outbox, lease, {"is_ambiguous": is_ambiguous, "crash_count": 0})
    lanes.defer(connection, outbox, lease, until, error)


def forget_attempt(connection: Connection, row: OutboxRow) -> None:
    """Do not count this attempt: whatever had been tried would have failed. Raises `StaleLeaseError`."""
    lanes.write(connection, outbox, row.lease, {"attempt_count": row.attempt_count - 1})


def release(connection: Connection, which: Release) -> Released[OutboxRow]:
    """Make rows whose worker died pending again, or held in the end: their call may have left; see `lanes.release`."""
    released = lanes.release(connection, outbox, which, "held", {"is_ambiguous": True})
    return Released(pending=[_row(row) for row in released.pending], dead=[_row(row) for row in released.dead])


def rewrite(connection: Connection, address: str, message_id: MessageId, text: str) -> bool:
    """Let a message that waits and was never tried say `text`; return whether there is such a one."""
    is_meant = (outbox.c.address == address) & (outbox.c.message_id == message_id)
    is_untried = (outbox.c.state == "pending") & (outbox.c.attempt_count == 0)
    which = is_meant & is_untried & (outbox.c.kind == OutboxKind.MESSAGE.value)
    row = connection.execute(select(outbox.c.id, outbox.c.body).where(which).with_for_update()).first()
    if row is None:
        return False
    connection.execute(update(outbox).where(outbox.c.id == row.id).values(body={**row.body, "text": text}))
    return True


def message_of(connection: Connection, key: str) -> MessageId | None:
    """Return the message that was put into the outbox under that key, or none."""
    found: str | None = connection.scalar(select(outbox.c.message_id).where(outbox.c.key == key))
    return MessageId(found) if found else None


def _row(row: Any) -> OutboxRow:
    return OutboxRow(
        lease=Lease(row_id=row.id, token=row.lease or ""),
        key=row.key,
        address=row.address,
        kind=OutboxKind(row.kind),
        body=row.body,
        conversation_id=ConversationId(row.conversation_id) if row.conversation_id else None,
        message_id=MessageId(row.message_id) if row.message_id else None,
        epoch=row.epoch,
        progress=row.progress,
        is_ambiguous=row.is_ambiguous,
        attempt_count=row.attempt_count,
        gate=row.gate,
    )
