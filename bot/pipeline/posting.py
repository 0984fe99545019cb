"""From the outbox to the desk: what goes through a gate, and what happens when nothing does.

A row that the desk cannot take now is never given up on for the desk's sake: it waits, and its gate is shut meanwhile.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, select

from bot import metrics
from bot.domain.boxes import Move
from bot.domain.connectors import Ambiguous, Permanent, Retry, Sent
from bot.domain.desk import Blocked, DeskPost, DeskPoster, DeskPostKind, Moved, PostResult
from bot.domain.retry import POST_RETRY
from bot.domain.tickets import Ticket, TicketId
from bot.pipeline.effects import record_desk_post
from bot.pipeline.giving_up import give_up_outgoing
from bot.pipeline.outgoing import Writer
from bot.store import gates, lanes, outbox, tickets, transcript
from bot.store.codec import DESK_POST
from bot.store.database import Database
from bot.store.gates import Failure
from bot.store.lanes import Ending
from bot.store.outbox import OutboxRow
from bot.store.schema import outbox as outbox_table

log = structlog.get_logger()

#: Lines said since a ticket was opened that are shown again in a new thread.
HISTORY_MAX = 50
#: When a gate opens again, another row is tried before the one that it was shut for.
_OTHERS_FIRST = timedelta(seconds=2)
#: What a new thread shows again, so that what waits of it is not shown twice.
_TOLD_AGAIN = (DeskPostKind.LINE.value, DeskPostKind.TRANSCRIPT.value)


@dataclass(frozen=True, kw_only=True)
class PostingParts:
    """What posting needs."""

    database: Database
    poster: DeskPoster
    writer: Callable[[], Writer]
    dice: random.Random


class Posting:
    """Works on rows of the outbox that are posts of the desk."""

    def __init__(self, parts: PostingParts) -> None:
        """Use `parts`."""
        self._parts = parts

    async def post(self, row: OutboxRow) -> None:
        """Show what a claimed row says and record what came of it."""
        result = await self._send(row, DESK_POST.validate_python(row.body))
        writer, write = self._parts.writer(), self._parts.database.write
        match result:
            case Sent(external_id=reference):
                if await write(record_posted, writer, row, reference):
                    log.info("desk_mended", gate=row.gate)
            case Moved(desk_reference=reference):
                await write(record_moved, writer, row, reference)
            case Permanent(reason=reason):
                log.error("dead_letter", box="outbox", row=row.lease.row_id, kind=row.kind, reason=reason)
                await write(give_up_outgoing, writer, row, reason, "dead")
            case _:
                log.warning("post_failed", row=row.lease.row_id, gate=row.gate, reason=result.reason)
                delay = POST_RETRY.delay(row.attempt_count, None, self._parts.dice)
                await write(record_failed, writer, row, (result, delay))
        metrics.SENT.labels(row.kind, _OUTCOMES[type(result)]).inc()

    async def _send(self, row: OutboxRow, post: DeskPost) -> PostResult:
        # An update in place shows the same whether it is made once or twice.
        if row.is_ambiguous and post.kind is not DeskPostKind.RECEIPT:
            found = await self._parts.poster.find(post, row.key)
            if not isinstance(found, Retry) or found.after is not None:
                return found
        return await self._parts.poster.send(post, row.key)


_OUTCOMES: dict[type[PostResult], str] = {
    Sent: "sent",
    Moved: "moved",
    Permanent: "dead",
    Retry: "deferred",
    Ambiguous: "deferred",
    Blocked: "blocked",
}


def record_posted(connection: Connection, writer: Writer, row: OutboxRow, reference: str) -> bool:
    """Record that the desk shows the post; return whether the desk had been in trouble until now."""
    post: DeskPost = DESK_POST.validate_python(row.body)
    known = tickets.get(connection, post.ticket_id) if post.kind is DeskPostKind.CARD else None
    record_desk_post(connection, writer, row, reference)
    if known is not None and known.desk_reference not in {None, reference}:
        _tell_again(connection, writer, known, reference)
    return row.gate is not None and gates.mend(connection, row.gate, writer.now)


def record_moved(connection: Connection, writer: Writer, row: OutboxRow, reference: str) -> None:
    """Record that the ticket has a new card, in whose thread all is told again; what the row says goes there too."""
    post: DeskPost = DESK_POST.validate_python(row.body)
    if post.kind.value in _TOLD_AGAIN:
        outbox.finish(connection, row.lease, Ending(state="joined", at=writer.now))
    else:
        outbox.defer(connection, row.lease, writer.now, "the card was posted anew", is_ambiguous=False)
    ticket = tickets.refer(connection, post.ticket_id, reference)
    _tell_again(connection, writer, ticket, reference)


def record_failed(
    connection: Connection, writer: Writer, row: OutboxRow, what: tuple[Retry | Ambiguous | Blocked, timedelta | None]
) -> None:
    """Let the row wait, and with it all that goes through its gate.

    A row that has been tried too often is given up on, but what was tried while nothing went through does not count.
    """
    result, delay = what
    is_ambiguous = isinstance(result, Ambiguous)
    is_slowed = isinstance(result, Retry) and result.after is not None
    is_gate = row.gate is not None and (is_slowed or gates.is_failing(connection, row.gate))
    if delay is None and not is_gate:
        give_up_outgoing(connection, writer, row, result.reason, "held" if is_ambiguous else "dead")
        return
    until = writer.now + (delay or POST_RETRY.longest)
    if isinstance(result, Retry) and result.after is not None:
        until = writer.now + result.after
    if row.gate is not None and is_slowed:
        gates.shut(connection, row.gate, until)
    elif row.gate is not None:
        failure = Failure(at=writer.now, reason=result.reason, is_blocked=isinstance(result, Blocked))
        until = max(until, gates.fail(connection, row.gate, failure) + _OTHERS_FIRST)
    if is_gate:
        outbox.forget_attempt(connection, row)
    outbox.defer(connection, row.lease, until, result.reason, is_ambiguous=is_ambiguous)


def _tell_again(connection: Connection, writer: Writer, ticket: Ticket, reference: str) -> None:
    """Show in a ticket's new thread what was said before it was opened and since."""
    if writer.desk is None:
        return
    _drop_waiting(connection, writer.desk.lane(ticket.id), writer.now)
    past = DeskPost(ticket_id=ticket.id, kind=DeskPostKind.TRANSCRIPT)
    writer.post(connection, past, f"transcript:{ticket.id}:{reference}")
    for line in transcript.last(connection, ticket.conversation_id, HISTORY_MAX):
        if line.at > ticket.opened_at:
            post = DeskPost(ticket_id=TicketId(ticket.id), kind=DeskPostKind.LINE, message_id=line.id)
            writer.post(connection, post, f"line:{line.id}:{reference}")


def _drop_waiting(connection: Connection, lane: str, now: datetime) -> None:
    """Take out of a lane what is told again."""
    waiting = select(outbox_table.c.id).where(
        outbox_table.c.address == lane,
        outbox_table.c.state == "pending",
        outbox_table.c.body["kind"].as_string().in_(_TOLD_AGAIN),
    )
    ids = connection.scalars(waiting.with_for_update(skip_locked=True)).all()
    connection.execute(
        lanes.moving(outbox_table, Move.GO_ALONG).where(outbox_table.c.id.in_(ids)).values(finished_at=now)
    )
