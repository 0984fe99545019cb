"""Changing what customers were sent: what to call, and what to write down of it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from bot.domain.channels import ChannelAddress
from bot.domain.connectors import Connector, Editing, Refusal, SendResult, SendText, Unsending
from bot.domain.conversations import Conversation
from bot.domain.desk import DeskPost, DeskPostKind
from bot.domain.messages import Author, MessageId, OutboundMessage, Revision, RevisionState, TranscriptLine
from bot.domain.tickets import TicketId
from bot.pipeline import phrases
from bot.pipeline.outgoing import Writer
from bot.store import outbox, revisions, tickets, transcript
from bot.store.lanes import Ending
from bot.store.outbox import OutboxKind, OutboxRow, Outgoing


@dataclass(frozen=True, kw_only=True)
class SentMessage:
    """A message of ours and what the channel calls it."""

    line: TranscriptLine
    #: of each call that showed it, in order
    pieces: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One call that changes one piece of a message."""

    #: what the channel calls the piece
    external_id: str
    #: what is to be shown instead; none: nothing
    operation: SendText | None

    async def make(self, connector: Connector, address: ChannelAddress, key: str) -> SendResult:
        """Make the call on a connector that `plan_changes` found able to."""
        if self.operation is not None and isinstance(connector, Editing):
            return await connector.edit(self.operation, self.external_id, key)
        if self.operation is None and isinstance(connector, Unsending):
            return await connector.unsend(address, self.external_id, key)
        raise TypeError("the connector has lost a power")


@dataclass(frozen=True, kw_only=True)
class Amendment:
    """A change of an agent's message."""

    message_id: MessageId
    #: what it says from now on; none: it is taken back
    text: str | None
    key: str


def request(connection: Connection, writer: Writer, conversation: Conversation, amendment: Amendment) -> None:
    """Put a change into the ledger and on its way, behind the message itself."""
    made = Revision(at=writer.now, author=Author.AGENT, text=amendment.text, state=RevisionState.PENDING)
    revisions.add(connection, amendment.message_id, made, amendment.key)
    outgoing = Outgoing(
        key=amendment.key,
        address=str(conversation.address),
        kind=OutboxKind.AMENDMENT,
        body={"text": amendment.text},
        conversation_id=conversation.id,
        message_id=amendment.message_id,
    )
    outbox.add(connection, outgoing, writer.now)


def read_sent(connection: Connection, message_id: MessageId) -> SentMessage | None:
    """Return a message that the channel has, or none."""
    line, pieces = transcript.get(connection, message_id), transcript.pieces(connection, message_id)
    return SentMessage(line=line, pieces=pieces) if line is not None and pieces else None


def plan_changes(
    connector: Connector, sent: SentMessage | None, text: str | None, address: ChannelAddress
) -> tuple[Change, ...] | Refusal:
    """Return the calls that make a message say `text`, or nothing; or why the customer goes on seeing the old one."""
    if sent is None:
        return Refusal(reason="the message never arrived")
    return _removals(connector, sent) if text is None else _texts(connector, sent, text, address)


def _removals(connector: Connector, sent: SentMessage) -> tuple[Change, ...] | Refusal:
    if not isinstance(connector, Unsending):
        return Refusal(reason="this channel does not let us take back what was sent")
    return tuple(Change(external_id=piece, operation=None) for piece in sent.pieces)


def _texts(connector: Connector, sent: SentMessage, text: str, address: ChannelAddress) -> tuple[Change, ...] | Refusal:
    if not isinstance(connector, Editing):
        return Refusal(reason="this channel does not let us change what was sent")
    before = connector.plan(_message(sent.line, sent.line.text), address)
    after = connector.plan(_message(sent.line, text), address)
    if isinstance(after, Refusal):
        return after
    if isinstance(before, Refusal) or not len(before) == len(after) == len(sent.pieces):
        return Refusal(reason="the new text needs more or fewer messages than the old one; take it back and write anew")
    return tuple(
        Change(external_id=piece, operation=operation)
        for piece, operation in zip(sent.pieces, after, strict=True)
        if isinstance(operation, SendText)
    )


def _message(line: TranscriptLine, text: str) -> OutboundMessage:
    return OutboundMessage(author=line.author, author_name=line.author_name, text=text, attachments=line.attachments)


def record_amended(connection: Connection, writer: Writer, row: OutboxRow) -> None:
    """The customer sees the change."""
    outbox.finish(connection, row.lease, Ending(state="sent", at=writer.now))
    revisions.settle(connection, row.key, RevisionState.SENT)
    _show(connection, writer, row)


def record_refused(connection: Connection, writer: Writer, row: OutboxRow, reason: str | None) -> None:
    """The customer does not see the change for this reason, none when nobody knows; the agent is told."""
    text = phrases.not_amended(reason)
    revisions.settle(connection, row.key, RevisionState.REFUSED, text)
    ticket = _show(connection, writer, row)
    if ticket is not None:
        writer.post_notice(connection, ticket, text, row.key)


def _show(connection: Connection, writer: Writer, row: OutboxRow) -> TicketId | None:
    """Show at the message what has become of it; return the ticket it stands on."""
    ticket = tickets.last_of(connection, row.conversation_id) if row.conversation_id else None
    if ticket is None:
        return None
    post = DeskPost(ticket_id=ticket.id, kind=DeskPostKind.RECEIPT, message_id=row.message_id)
    writer.post(connection, post, f"amended:{row.key}")
    return ticket.id
