"""Taking a closed ticket up again when its customer is not done. All functions are transaction bodies."""

from __future__ import annotations

from sqlalchemy import Connection

from bot.domain.acts import Closing
from bot.domain.conversations import Conversation, Owner
from bot.domain.desk import DeskPost, DeskPostKind
from bot.domain.handoff import HandoffRequest
from bot.domain.tickets import Ticket, TicketEvent, TicketState
from bot.pipeline import notices, promises
from bot.pipeline.outgoing import Writer
from bot.store import conversations, tickets, transcript
from bot.store.ids import new_message_id

#: Lines since the ticket was closed that are shown in its thread.
_LINES_MAX = 20


def closed_lately(writer: Writer, ticket: Ticket | None, topic: str | None = None) -> bool:
    """Whether a ticket was closed so lately that its customer's next question, on `topic` if known, belongs to it.

    Spam never does. After a hand back the bot had the conversation again: another topic is another matter, unless
    people kept the say.
    """
    if ticket is None or ticket.closed_at is None or ticket.state.is_open or ticket.closing == Closing.SPAM:
        return False
    is_bots = ticket.state is TicketState.HANDED_BACK and ticket.bot_may_act
    if is_bots and topic not in {None, ticket.request.topic}:
        return False
    return writer.now - ticket.closed_at < writer.rules.reopen_within


def reopen(
    connection: Connection, writer: Writer, conversation: Conversation, ticket: Ticket, request: HandoffRequest
) -> tuple[Conversation, Ticket]:
    """Put a closed ticket of a locked conversation back into its queue; whose it was is kept, and is told."""
    conversations.give_to(connection, conversation, Owner.QUEUE)
    closed_at = ticket.closed_at or writer.now
    queued = {"state": TicketState.QUEUED.value, "claimed_at": None, "closed_at": None, "closing": None, "outcome": ""}
    ticket = tickets.change(connection, ticket.id, **queued)
    tickets.log(connection, ticket.id, TicketEvent(at=writer.now, kind="reopened", agent=None, detail=request.summary))
    promises.ticket_reopened(connection, writer, ticket, is_customer_waiting=True)
    notice = DeskPost(
        ticket_id=ticket.id,
        kind=DeskPostKind.NOTICE,
        text=notices.customer_came_back(request.summary),
        mentions=ticket.agent.mentions if ticket.agent else (),
    )
    writer.post(connection, notice, f"notice:{new_message_id()}")
    for line in transcript.since(connection, conversation.id, closed_at, _LINES_MAX):
        writer.post_line(connection, ticket.id, line.id)
    writer.post_card(connection, ticket.id)
    return conversations.get(connection, conversation.id), tickets.get(connection, ticket.id) or ticket
