"""Reaching a customer on another channel of theirs. All functions are transaction bodies."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from bot.domain.acts import Closing, Reply, ReplyElsewhere
from bot.domain.conversations import Owner
from bot.domain.desk import Done
from bot.domain.errors import DeskError
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.tickets import Ticket, TicketEvent, TicketState
from bot.pipeline import notices
from bot.pipeline.desk import undoing
from bot.pipeline.desk.handling import Doing, Handlers, require_mine, require_text
from bot.pipeline.desk.talking import reply
from bot.pipeline.handing_off import hand_off
from bot.store import acts, conversations, tickets, ways
from bot.store.acts import State


def reply_elsewhere(doing: Doing, act: ReplyElsewhere) -> Done:
    """Send a message in another conversation of the same customer, whose ticket is opened, or taken if it waits.

    What is held back and taken back is what happened there.
    """
    require_mine(doing)
    said = require_text(act.text, "There is nothing to send: write a text.")
    known = {way.conversation_id for way in ways.of(doing.connection, doing.conversation.id)}
    if act.conversation_id not in known:
        raise DeskError("That is not known to be a channel of this customer's any more.")
    there, before = _there(doing, act)
    event = TicketEvent(at=doing.writer.now, kind="reply", agent=doing.agent, detail=said)
    tickets.log(doing.connection, there.ticket.id, event, there.key)
    reply(there, Reply(text=said))
    until = undoing.hold(there, before)
    remark = notices.answered_elsewhere(there.ticket.number)
    doing.notice(remark)
    return replace(doing.done(remark=remark), can_undo_until=until)


def _there(doing: Doing, act: ReplyElsewhere) -> tuple[Doing, State]:
    """Return the same act, done on the other conversation's ticket, and how that one was before."""
    other = conversations.lock(doing.connection, act.conversation_id)
    known = tickets.last_of(doing.connection, other.id)
    before = acts.state_of(doing.connection, known.id, other.owner) if known is not None else None
    other, ticket = hand_off(doing.connection, doing.writer, other, _request(doing.ticket))
    if known is None or known.id != ticket.id or before is None:
        before = _never_needed(acts.state_of(doing.connection, ticket.id, other.owner), doing.writer.now)
    return replace(doing, ticket=ticket, conversation=other, key=undoing.there(doing.key)), before


def _never_needed(opened: State, now: datetime) -> State:
    """Return what a ticket goes back to that was opened by the act alone: closed, with nothing to do."""
    closed = {"state": TicketState.RESOLVED.value, "closing": Closing.NOTHING_TO_DO.value, "closed_at": now.isoformat()}
    idle = dict.fromkeys(("waiting_since", "next_due_at", "first_replied_at"))
    return State(owner=Owner.BOT, columns={**opened.columns, **closed, **idle}, clocks=())


def _request(ticket: Ticket) -> HandoffRequest:
    return HandoffRequest(
        reason=Reason.OTHER,
        topic=ticket.request.topic,
        summary=f"A reply in ticket {ticket.number} did not arrive; it goes on here.",
        order_number=ticket.request.order_number,
    )


HANDLERS: Handlers = {ReplyElsewhere: reply_elsewhere}
