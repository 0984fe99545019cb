"""Giving up on a row: never only in a log. A person gets a ticket or a notice, and the customer is told who answers.

All functions are transaction bodies.
"""

from __future__ import annotations

import structlog
from sqlalchemy import Connection

from bot.domain.channels import ChannelAddress
from bot.domain.conversations import Conversation, Owner
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.messages import Author, DeliveryState, OutboundMessage
from bot.domain.ports import CommandResult
from bot.pipeline import phrases
from bot.pipeline.amending import record_refused
from bot.pipeline.effects import record_command_result, show_receipt, tell_undelivered
from bot.pipeline.handing_off import hand_off
from bot.pipeline.outgoing import Writer
from bot.store import conversations, inbox, outbox, transcript
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
    conversation, ticket = hand_off(connection, writer, conversation, request)
    writer.post_line(connection, ticket.id, row.message_id)
    if conversation.owner is not Owner.AGENT:
        message = OutboundMessage(author=Author.SYSTEM, text=phrases.told(phrases.ENGINE_FAILED, conversation.language))
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
    elif row.kind is OutboxKind.AMENDMENT:
        record_refused(connection, writer, row, reason if state == "dead" else None)
    elif row.message_id is not None:
        text = phrases.undelivered(reason) if state == "dead" else phrases.held()
        transcript.mark(connection, row.message_id, DeliveryState.FAILED, reason if state == "dead" else text)
        show_receipt(connection, writer, row.conversation_id, row.message_id)
        line = transcript.get(connection, row.message_id)
        if line is not None:
            tell_undelivered(connection, writer, row.conversation_id, line, text)
