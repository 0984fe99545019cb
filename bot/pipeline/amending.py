"""Changing what customers were sent: what to call, and what to write down of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection

from bot.domain.channels import ChannelAddress
from bot.domain.connectors import Connector, Editing, Refusal, SendResult, SendText, Unsending
from bot.domain.conversations import Conversation, ConversationId
from bot.domain.desk import DeskPost, DeskPostKind
from bot.domain.messages import (
    Author,
    DeliveryState,
    MessageId,
    OutboundMessage,
    Revision,
    RevisionState,
    TranscriptLine,
)
from bot.domain.tickets import TicketId
from bot.pipeline import phrases
from bot.pipeline.outgoing import Writer
from bot.store import conversations, held, outbox, quotes, revisions, tickets, transcript
from bot.store.lanes import Ending
from bot.store.outbox import OutboxKind, OutboxRow, Outgoing


@dataclass(frozen=True, kw_only=True)
class SentMessage:
    """A message of ours and what the channel calls it."""

    line: TranscriptLine
    #: of each call that showed it, in order
    pieces: tuple[str, ...]
    #: whether nothing was said since
    is_newest: bool = True
    #: what one more piece has to carry, as the customer's last message brought it
    reply_context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Change:
    """One call that changes one piece of a message."""

    #: what the channel calls the piece; none: it is one more than the message had
    external_id: str | None
    #: what is to be shown instead; none: nothing
    operation: SendText | None

    @property
    def is_new(self) -> bool:
        """Whether the customer gets another message by it."""
        return self.external_id is None

    async def make(self, connector: Connector, address: ChannelAddress, key: str) -> SendResult:
        """Make the call on a connector that `plan_changes` found able to."""
        if self.external_id is None and self.operation is not None:
            return await connector.send(self.operation, key)
        if self.external_id is not None and self.operation is not None and isinstance(connector, Editing):
            return await connector.edit(self.operation, self.external_id, key)
        if self.external_id is not None and self.operation is None and isinstance(connector, Unsending):
            return await connector.unsend(address, self.external_id, key)
        raise TypeError("the connector has lost a power")


@dataclass(frozen=True, kw_only=True)
class Amendment:
    """A change of an agent's message."""

    message_id: MessageId
    #: what it says from now on; none: it is taken back
    text: str | None
    key: str
    #: whether the agent was shown that everybody will read it
    is_known_public: bool = False


def request(connection: Connection, writer: Writer, conversation: Conversation, amendment: Amendment) -> None:
    """Put a change into the ledger and on its way, behind the message itself."""
    made = Revision(at=writer.now, author=Author.AGENT, text=amendment.text, state=RevisionState.PENDING)
    revisions.add(connection, amendment.message_id, made, amendment.key)
    outgoing = Outgoing(
        key=amendment.key,
        address=str(conversation.address),
        kind=OutboxKind.AMENDMENT,
        body={"text": amendment.text, "is_known_public": amendment.is_known_public},
        conversation_id=conversation.id,
        message_id=amendment.message_id,
    )
    outbox.add(connection, outgoing, writer.now)


def change_waiting(connection: Connection, writer: Writer, conversation: Conversation, amendment: Amendment) -> bool:
    """Change a message that has not left yet, or keep it back for good; return whether there still was such a one."""
    message_id, address = amendment.message_id, str(conversation.address)
    if amendment.text is not None:
        is_changed = outbox.rewrite(connection, address, message_id, amendment.text)
    else:
        is_changed = held.take_back_message(connection, address, message_id, writer.now)
    if is_changed:
        made = Revision(at=writer.now, author=Author.AGENT, text=amendment.text, state=RevisionState.SENT)
        revisions.add(connection, message_id, made, amendment.key)
    return is_changed


def read_sent(connection: Connection, conversation_id: ConversationId, message_id: MessageId) -> SentMessage | None:
    """Return a message that the channel has, or none."""
    line, pieces = transcript.get(connection, message_id), transcript.pieces(connection, message_id)
    if line is None or not pieces:
        return None
    (line,) = quotes.with_quotes(connection, [line])
    later = transcript.after(connection, conversation_id, message_id)
    is_newest = all(each.delivery in {DeliveryState.WITHHELD, DeliveryState.FAILED} for each in later)
    context = conversations.get(connection, conversation_id).reply_context
    return SentMessage(line=line, pieces=pieces, is_newest=is_newest, reply_context=context)


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
    after = connector.plan(_message(connector, sent, text), address)
    if isinstance(after, Refusal):
        return after
    had, needs = len(sent.pieces), len(after)
    if needs > had and not sent.is_newest:
        return Refusal(reason="the new text needs more messages, and something was said since; write the rest anew")
    if needs < had and not isinstance(connector, Unsending):
        return Refusal(reason="the new text needs fewer messages, and this channel does not let us take any back")
    changes = [
        Change(external_id=sent.pieces[n] if n < had else None, operation=operation)
        for n, operation in enumerate(after)
        if isinstance(operation, SendText)
    ]
    return (*changes, *(Change(external_id=piece, operation=None) for piece in sent.pieces[needs:]))


def kept(sent: SentMessage | None, changes: tuple[Change, ...]) -> int:
    """Return how many pieces a message has after these changes."""
    had = len(sent.pieces) if sent is not None else 0
    return had + sum(each.is_new for each in changes) - sum(each.operation is None for each in changes)


def _message(connector: Connector, sent: SentMessage, text: str) -> OutboundMessage:
    line = sent.line
    return OutboundMessage(
        author=line.author,
        author_name=line.author_name,
        text=text,
        attachments=line.attachments,
        quotes=line.quotes,
        reply_context=sent.reply_context if connector.capabilities.has_reply_context else {},
    )


def record_change(connection: Connection, row: OutboxRow, progress: int, new_piece: str | None) -> None:
    """The customer sees one piece of the change, which may be one more than the message had."""
    outbox.advance(connection, row.lease, progress)
    if new_piece is not None and row.message_id is not None:
        transcript.append_piece(connection, row.message_id, new_piece)


def record_amended(connection: Connection, writer: Writer, row: OutboxRow, piece_count: int) -> None:
    """The customer sees the change, which so many pieces show; none of a message that was taken back."""
    outbox.finish(connection, row.lease, Ending(state="sent", at=writer.now))
    if row.message_id is not None and piece_count:
        transcript.keep_pieces(connection, row.message_id, piece_count)
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
