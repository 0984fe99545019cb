"""Reaching a customer on another channel of theirs. All functions are transaction bodies."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.acts import Reply, ReplyElsewhere
from bot.domain.desk import Done
from bot.domain.errors import DeskError
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.tickets import Ticket, TicketEvent
from bot.pipeline import notices
from bot.pipeline.desk.handling import Doing, Handlers, require_mine, require_text
from bot.pipeline.desk.talking import reply
from bot.store import conversations, tickets, ways


def reply_elsewhere(doing: Doing, act: ReplyElsewhere) -> Done:
    """Send a message in another conversation of the same customer, whose ticket is opened, or taken if it waits."""
    require_mine(doing)
    said = require_text(act.text, "There is nothing to send: write a text.")
    known = {way.conversation_id for way in ways.of(doing.connection, doing.conversation.id)}
    if act.conversation_id not in known:
        raise DeskError("That is not known to be a channel of this customer's any more.")
    there = _there(doing, act)
    reply(there, Reply(text=said))
    event = TicketEvent(at=doing.writer.now, kind="reply", agent=doing.agent, detail=said)
    tickets.log(doing.connection, there.ticket.id, event, there.key)
    remark = notices.answered_elsewhere(there.ticket.number)
    doing.notice(remark)
    return doing.done(remark=remark)


def _there(doing: Doing, act: ReplyElsewhere) -> Doing:
    """Return the same act, done on the other conversation's ticket."""
    other = conversations.lock(doing.connection, act.conversation_id)
    other, ticket = doing.writer.hand_off(doing.connection, other, _request(doing.ticket))
    return replace(doing, ticket=ticket, conversation=other, key=f"{doing.key}:there")


def _request(ticket: Ticket) -> HandoffRequest:
    return HandoffRequest(
        reason=Reason.OTHER,
        topic=ticket.request.topic,
        summary=f"A reply in ticket {ticket.number} did not arrive; it goes on here.",
        order_number=ticket.request.order_number,
    )


HANDLERS: Handlers = {ReplyElsewhere: reply_elsewhere}
