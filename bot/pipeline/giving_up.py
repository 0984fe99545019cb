"""Giving up on a row: never only in a log. A person gets a ticket or a notice, and the customer is told who answers.

All functions are transaction bodies.
"""

from __future__ import annotations

import structlog
from sqlalchemy import Connection

from bot.domain.channels import ChannelAddress
from bot.domain.conversations import Conversation, ConversationId, Owner
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.messages import Author, DeliveryState, OutboundMessage
from bot.domain.ports import CommandResult
from bot.domain.tickets import TicketEvent
from bot.pipeline import phrases
from bot.pipeline.effects import record_command_result, show_receipt
from bot.pipeline.outgoing import Writer
from bot.store import conversations, inbox, outbox, tickets, transcript
from bot.store.inbox import InboxKind, InboxRow
from bot.store.lanes import Ending, Release, Released
from bot.store.outbox import OutboxKind, OutboxRow

log = structlog.get_logger()


def give_up_message(connection: Connection, writer: Writer, row: InboxRow, conversation: Conversation) -> None:
    """Leave a customer's message to people; the conversation is locked."""
    request = HandoffRequest(
        reason=Reason.FAILED_ACTION,
        topic="a message the bot could not work on",
        summary="The bot failed on this customer's last message; see the transcript.",
        tried=(f"{row.attempt_count} attempts to answer",),
    )
    conversation, ticket = writer.hand_off(connection, conversation, request)
    writer.post_line(connection, ticket.id, row.message_id)
    if conversation.owner is not Owner.AGENT:
        message = OutboundMessage(author=Author.SYSTEM, text=phrases.ENGINE_FAILED)
        writer.say(connection, conversation, message, f"{row.message_id}:failed")


def bury_message(connection: Connection, writer: Writer, row: InboxRow, error: str) -> None:
    """Make a claimed row of the inbox a dead letter, and a customer's message a ticket."""
    inbox.bury(connection, row.lease, writer.now, error)
    _leave_to_people(connection, writer, row)


def give_up_outgoing(connection: Connection, writer: Writer, row: OutboxRow, reason: str, state: str) -> None:
    """Make a claimed row a dead letter (`dead`: not sent; `held`: nobody knows) and tell who must know."""
    outbox.finish(connection, row.lease, Ending(state=state, at=writer.now, error=reason))
    _tell_of(connection, writer, row, reason, state)


def bury_outgoing(connection: Connection, writer: Writer, row: OutboxRow, error: str) -> None:
    """Make a claimed row whose sending broke again and again a dead letter that may have been sent."""
    give_up_outgoing(connection, writer, row, error, "held")


def release_inbox(connection: Connection, writer: Writer, which: Release) -> Released[InboxRow]:
    """Take rows of the inbox from dead workers; one that killed too many becomes a ticket."""
    released = inbox.release(connection, which)
    for row in released.dead:
        _leave_to_people(connection, writer, row)
    return released


def release_outbox(connection: Connection, writer: Writer, which: Release) -> Released[OutboxRow]:
    """Take rows of the outbox from dead workers; of one that killed too many, people are told."""
    released = outbox.release(connection, which)
    for row in released.dead:
        _tell_of(connection, writer, row, "its sending broke off again and again", "held")
    return released


def _leave_to_people(connection: Connection, writer: Writer, row: InboxRow) -> None:
    if row.kind is not InboxKind.MESSAGE:
        return
    conversation = conversations.find_by_address(connection, ChannelAddress.parse(row.address))
    if conversation is not None:
        give_up_message(connection, writer, row, conversations.lock(connection, conversation.id))


def _tell_of(connection: Connection, writer: Writer, row: OutboxRow, reason: str, state: str) -> None:
    if row.conversation_id is None:
        return
    if row.kind is OutboxKind.COMMAND:
        record_command_result(connection, writer, row, CommandResult(is_done=False, reason=phrases.NOT_REACHED))
    elif row.kind is OutboxKind.MESSAGE:
        _tell_of_message(connection, writer, row, row.conversation_id, reason if state == "dead" else None)


def _tell_of_message(
    connection: Connection, writer: Writer, row: OutboxRow, conversation_id: ConversationId, reason: str | None
) -> None:
    """Tell the agents that a message did not arrive for this reason; none: that nobody knows."""
    text = phrases.held() if reason is None else phrases.undelivered(reason)
    if row.message_id is not None:
        transcript.mark(connection, row.message_id, DeliveryState.FAILED, reason or text)
        show_receipt(connection, writer, row, row.message_id)
    conversation = conversations.lock(connection, conversation_id)
    ticket = tickets.open_of(connection, conversation_id)
    if ticket is not None:
        event = TicketEvent(at=writer.now, kind="delivery_failed", agent=None, detail=text)
        tickets.log(connection, ticket.id, event)
        writer.post_notice(connection, ticket.id, text, row.key)
        return
    request = HandoffRequest(reason=Reason.FAILED_ACTION, topic="an answer that did not arrive", summary=text)
    writer.hand_off(connection, conversation, request)
