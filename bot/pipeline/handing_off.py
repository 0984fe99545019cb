"""Giving a conversation of the bot's to people. A transaction body."""

from __future__ import annotations

from sqlalchemy import Connection

from bot import metrics
from bot.domain.conversations import Conversation, Owner
from bot.domain.desk import DeskPost, DeskPostKind
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.routing import Asker, route
from bot.domain.tickets import Ticket
from bot.pipeline import danger, promises
from bot.pipeline.outgoing import Writer
from bot.pipeline.reopening import closed_lately, reopen
from bot.store import conversations, tickets


def hand_off(
    connection: Connection, writer: Writer, conversation: Conversation, request: HandoffRequest, tier: str = ""
) -> tuple[Conversation, Ticket]:
    """Give a locked conversation of the bot's to its team's queue and open its ticket; an open ticket is kept.

    A ticket that was closed lately is opened again instead, see `closed_lately`.
    `tier` is the brand's word for the customer's value, where it is known.
    """
    known = tickets.last_of(connection, conversation.id)
    if known is not None and known.state.is_open:
        return conversation, _with_alarm(connection, writer, known, request)
    if known is not None and closed_lately(writer, known, request.topic):
        conversation, ticket = reopen(connection, writer, conversation, known, request)
        return conversation, _with_alarm(connection, writer, ticket, request)
    conversations.give_to(connection, conversation, Owner.QUEUE)
    asker = Asker(channel=conversation.address.channel, language=request.language or conversation.language, tier=tier)
    chosen = route(writer.rules, request, asker)
    ticket = tickets.open_ticket(connection, conversation.id, request, writer.now, chosen)
    promises.ticket_opened(connection, writer, ticket)
    metrics.TICKETS.labels(request.reason.value).inc()
    writer.post_card(connection, ticket.id)
    writer.post(connection, DeskPost(ticket_id=ticket.id, kind=DeskPostKind.TRANSCRIPT), f"transcript:{ticket.id}")
    ticket = _with_alarm(connection, writer, ticket, request)
    return conversations.get(connection, conversation.id), tickets.get(connection, ticket.id) or ticket


def _with_alarm(connection: Connection, writer: Writer, ticket: Ticket, request: HandoffRequest) -> Ticket:
    return danger.alarm(connection, writer, ticket, request) if request.reason is Reason.IN_DANGER else ticket
