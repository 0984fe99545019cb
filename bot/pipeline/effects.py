"""What a delivery changes besides its own row; all functions are transaction bodies."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from bot.domain.conversations import ConversationId
from bot.domain.desk import DeskPost, DeskPostKind
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.messages import (
    Author,
    DeliveryState,
    MessageId,
    OutboundMessage,
    Receipt,
    ReceiptKind,
    TranscriptLine,
)
from bot.domain.ports import CommandResult
from bot.domain.tickets import TicketEvent
from bot.pipeline import phrases
from bot.pipeline.handing_off import hand_off
from bot.pipeline.outgoing import Writer
from bot.store import conversations, inbox, outbox, receipts, tickets, transcript
from bot.store.codec import DESK_POST, RECEIPT
from bot.store.ids import new_message_id
from bot.store.inbox import InboxRow
from bot.store.lanes import Ending
from bot.store.outbox import OutboxRow

_STATE_OF = {
    ReceiptKind.SENT: DeliveryState.SENT,
    ReceiptKind.DELIVERED: DeliveryState.DELIVERED,
    ReceiptKind.READ: DeliveryState.READ,
    ReceiptKind.FAILED: DeliveryState.FAILED,
}


def record_sent(connection: Connection, writer: Writer, row: OutboxRow, external_id: str) -> None:
    """The channel has the message."""
    outbox.finish(connection, row.lease, Ending(state="sent", at=writer.now))
    if row.message_id is None or row.conversation_id is None:
        return
    author = transcript.sent(connection, row.message_id, external_id)
    if author is Author.AGENT:
        show_receipt(connection, writer, row.conversation_id, row.message_id)


def record_piece(connection: Connection, row: OutboxRow, progress: int, external_id: str) -> None:
    """The channel has one of several pieces of the message, and the next is about to leave."""
    outbox.advance(connection, row.lease, progress)
    if row.message_id is not None:
        transcript.add_part(connection, row.message_id, external_id)


def record_desk_post(connection: Connection, writer: Writer, row: OutboxRow, external_id: str) -> None:
    """The desk shows the post; a card's reference, a new one if it had to be posted anew, is what finds its ticket."""
    outbox.finish(connection, row.lease, Ending(state="sent", at=writer.now))
    post: DeskPost = DESK_POST.validate_python(row.body)
    if post.kind is DeskPostKind.CARD:
        ticket = tickets.get(connection, post.ticket_id)
        if ticket is not None and ticket.desk_reference != external_id:
            tickets.refer(connection, ticket.id, external_id)


def record_command(connection: Connection, writer: Writer, row: OutboxRow, result: CommandResult) -> None:
    """The brand's system did it, or refused."""
    outbox.finish(connection, row.lease, Ending(state="sent", at=writer.now))
    record_command_result(connection, writer, row, result)


def record_command_result(connection: Connection, writer: Writer, row: OutboxRow, result: CommandResult) -> None:
    """Tell the customer what came of a command, and people if it was not done."""
    if row.conversation_id is None:
        return
    conversation = conversations.lock(connection, row.conversation_id)
    if not result.is_done:
        conversation, _ = hand_off(connection, writer, conversation, _refused(row, result))
    name, number = str(row.body["name"]), row.body["arguments"].get("order_number")
    text = phrases.command_ended(name, number, result, conversation.language)
    writer.say(connection, conversation, OutboundMessage(author=Author.BOT, text=text), f"{row.key}:result")


def _refused(row: OutboxRow, result: CommandResult) -> HandoffRequest:
    what = str(row.body["name"]).replace("_", " ")
    order_number = row.body["arguments"].get("order_number")
    return HandoffRequest(
        reason=Reason.FAILED_ACTION,
        topic=what,
        summary=f"The bot was asked to {what}; it was refused: {result.reason}",
        tried=(str(row.body["name"]),),
        order_number=str(order_number) if order_number else None,
    )


def record_receipt(connection: Connection, writer: Writer, row: InboxRow) -> None:
    """A channel reports on messages of ours; states only move forward."""
    receipt: Receipt = RECEIPT.validate_python(row.body)
    for conversation_id, line in receipts.meant(connection, receipt):
        is_later = transcript.mark(connection, line.id, _STATE_OF[receipt.kind], receipt.detail)
        if is_later:
            show_receipt(connection, writer, conversation_id, line.id)
        if is_later and receipt.kind is ReceiptKind.FAILED:
            _record_failure(connection, writer, conversation_id, replace(line, delivery_detail=receipt.detail))
    inbox.finish(connection, row.lease, writer.now)


def _record_failure(
    connection: Connection, writer: Writer, conversation_id: ConversationId, line: TranscriptLine
) -> None:
    is_open = tickets.open_of(connection, conversation_id) is not None
    # At a reply the desk itself says why it did not arrive, and what to do.
    if not is_open or line.author is not Author.AGENT:
        text = phrases.undelivered(line.delivery_detail or phrases.NO_REASON)
        tell_undelivered(connection, writer, conversation_id, line, text)


def tell_undelivered(
    connection: Connection, writer: Writer, conversation_id: ConversationId, line: TranscriptLine, text: str
) -> None:
    """Tell the agents, by a notice on the open ticket or else by a new one, that a message did not arrive.

    What the pipeline itself remarks opens none: nobody waits for "this conversation has been closed", and a ticket for
    that would be closed with just such a remark.
    """
    conversation = conversations.lock(connection, conversation_id)
    ticket = tickets.open_of(connection, conversation_id)
    if ticket is not None:
        event = TicketEvent(at=writer.now, kind="delivery_failed", agent=None, detail=text)
        tickets.log(connection, ticket.id, event)
        notice = DeskPost(ticket_id=ticket.id, kind=DeskPostKind.NOTICE, text=text, message_id=line.id)
        writer.post(connection, notice, f"notice:undelivered:{line.id}:{new_message_id()}")
    elif line.author is not Author.SYSTEM:
        request = HandoffRequest(reason=Reason.FAILED_ACTION, topic="an answer that did not arrive", summary=text)
        hand_off(connection, writer, conversation, request)


def show_receipt(
    connection: Connection, writer: Writer, conversation_id: ConversationId, message_id: MessageId
) -> None:
    """Show the agent who wrote a message how far it has come."""
    line = transcript.get(connection, message_id)
    if line is None or line.author is not Author.AGENT:
        return
    ticket = tickets.last_of(connection, conversation_id)
    if ticket is not None:
        post = DeskPost(ticket_id=ticket.id, kind=DeskPostKind.RECEIPT, message_id=message_id)
        # What failed can be sent again, and fail again: each time is shown.
        writer.post(connection, post, f"receipt:{message_id}:{new_message_id()}")
