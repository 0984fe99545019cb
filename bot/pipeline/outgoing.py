"""Putting messages, desk posts and tickets into the database: the writing half of every use case.

All functions are transaction bodies.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog
from sqlalchemy import Connection, select

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.conversations import Conversation
from bot.domain.desk import DeskPost, DeskPostKind
from bot.domain.messages import (
    Author,
    DeliveryState,
    MessageId,
    OutboundMessage,
    TranscriptLine,
    message_id_of,
)
from bot.domain.rules import Rules
from bot.domain.tickets import Ticket, TicketId
from bot.store import outbox, quotes, tickets, transcript
from bot.store.codec import DESK_POST, OUTBOUND, to_json
from bot.store.ids import new_message_id
from bot.store.outbox import OutboxKind, Outgoing
from bot.store.schema import outbox as outbox_table

log = structlog.get_logger()

#: The rank of posts that go before all others.
_DANGER = -20
#: Of one ticket's posts and its equals': what people talk about now goes before what is new, and that before its past.
_ORDER = {DeskPostKind.CARD: 1, DeskPostKind.TRANSCRIPT: 2}


@dataclass(frozen=True, kw_only=True)
class DeskAddress:
    """Which desk gets posts; none is needed where agents read the database itself."""

    #: "slack"
    name: str
    #: the desk's id of the channel that holds the queue; none: its posts need no pace
    channel: str | None = None

    def gate(self, post: DeskPost, team_channel: str | None) -> str | None:
        """Return what a post goes through: what the desk limits together."""
        if self.channel is None:
            return None
        # Signs at a message are counted apart from messages.
        what = "signs" if post.kind is DeskPostKind.RECEIPT else post.channel or team_channel or self.channel
        return f"{self.name}/{what}"

    def lane(self, ticket_id: TicketId) -> str:
        """Return the lane of a ticket's posts: one ticket's posts keep their order."""
        return str(ChannelAddress(channel=ChannelName("desk"), account=AccountId(self.name), external_id=ticket_id))


@dataclass(frozen=True, kw_only=True)
class Writer:
    """Writes what goes out, at one moment, for one desk."""

    now: datetime
    #: none: no posts are made
    desk: DeskAddress | None
    rules: Rules = field(default_factory=Rules)

    def say(self, connection: Connection, conversation: Conversation, message: OutboundMessage, key: str) -> MessageId:
        """Tell the customer something, and return `message_id_of(key)`; what is said twice under one key is said once.

        What the bot and the pipeline say is fenced by the conversation's epoch; what people say is not. Where everybody
        would read it, only what is allowed there is said; all else, what customers are told of the queue, is left out.
        It answers the customer's last message, also if it leaves after the next one.
        """
        message_id = message_id_of(key)
        public = self.rules.public
        if public.covers(conversation.address) and not public.allows(message):
            log.info("not_said_in_public", conversation=conversation.id, author=message.author.value)
            return message_id
        is_fenced = message.author in {Author.BOT, Author.SYSTEM}
        is_new = outbox.add(
            connection,
            Outgoing(
                key=key,
                address=str(conversation.address),
                kind=OutboxKind.MESSAGE,
                body=to_json(OUTBOUND, replace(message, reply_context=conversation.reply_context)),
                conversation_id=conversation.id,
                message_id=message_id,
                epoch=conversation.epoch if is_fenced else None,
            ),
            self.now,
        )
        if is_new:
            line = TranscriptLine(
                id=message_id,
                author=message.author,
                author_name=message.author_name,
                text=message.text,
                attachments=message.attachments,
                choices=tuple(choice.title for choice in message.choices),
                at=self.now,
                delivery=DeliveryState.PENDING,
            )
            transcript.add(connection, conversation.id, line, None)
            quotes.note(connection, message_id, message.quotes.id if message.quotes else None)
        return message_id

    def say_again(self, connection: Connection, conversation: Conversation, line: TranscriptLine, key: str) -> None:
        """Send a line of the transcript, which people wrote and which did not arrive, once more."""
        message = OutboundMessage(
            author=line.author,
            author_name=line.author_name,
            text=line.text,
            attachments=line.attachments,
            is_known_public=self.rules.public.covers(conversation.address),
            reply_context=conversation.reply_context,
            quotes=line.quotes,
        )
        outgoing = Outgoing(
            key=key,
            address=str(conversation.address),
            kind=OutboxKind.MESSAGE,
            body=to_json(OUTBOUND, message),
            conversation_id=conversation.id,
            message_id=line.id,
        )
        outbox.add(connection, outgoing, self.now)

    def post(self, connection: Connection, post: DeskPost, key: str) -> None:
        """Show something on the desk; a card that already waits to be updated is not queued twice."""
        if self.desk is None:
            return
        lane = self.desk.lane(post.ticket_id or TicketId(f"all:{post.channel}"))
        if post.kind is DeskPostKind.CARD:
            waiting = select(outbox_table.c.id).where(
                outbox_table.c.address == lane,
                outbox_table.c.state == "pending",
                outbox_table.c.body["kind"].as_string() == DeskPostKind.CARD.value,
            )
            # Locked, so that it is not posted before what we are about to commit can be seen.
            if connection.scalar(waiting.limit(1).with_for_update(skip_locked=True)) is not None:
                return
        gate, rank = self._place(connection, self.desk, post)
        outgoing = Outgoing(
            key=f"desk:{key}",
            address=lane,
            kind=OutboxKind.DESK,
            body=to_json(DESK_POST, post),
            gate=gate,
            rank=rank,
        )
        outbox.add(connection, outgoing, self.now)

    def _place(self, connection: Connection, desk: DeskAddress, post: DeskPost) -> tuple[str | None, int]:
        """Return the gate of a post, and its rank there: urgent tickets first, and what people wait for."""
        if desk.channel is None:
            return None, 0
        ticket = tickets.get(connection, post.ticket_id)
        if ticket is None:
            return desk.gate(post, None), -1
        rank = _rank(ticket) + _ORDER.get(post.kind, 0)
        return desk.gate(post, self.rules.team(ticket.team).slack_channel), rank

    def rank_anew(self, connection: Connection, ticket: Ticket) -> None:
        """Let what waits to be posted of a ticket go by its priority as it is now."""
        if self.desk is not None and self.desk.channel is not None:
            outbox.rank_anew(connection, self.desk.lane(ticket.id), _rank(ticket), 10)

    def post_card(self, connection: Connection, ticket_id: TicketId) -> None:
        """Show the ticket's card as it is now."""
        post = DeskPost(ticket_id=ticket_id, kind=DeskPostKind.CARD)
        self.post(connection, post, f"card:{new_message_id()}")

    def post_line(self, connection: Connection, ticket_id: TicketId, message_id: MessageId) -> None:
        """Show a line of the transcript in the ticket's thread."""
        post = DeskPost(ticket_id=ticket_id, kind=DeskPostKind.LINE, message_id=message_id)
        self.post(connection, post, f"line:{message_id}")

    def post_notice(self, connection: Connection, ticket_id: TicketId, text: str, key: str) -> None:
        """Show a remark of the pipeline in the ticket's thread."""
        self.post(connection, DeskPost(ticket_id=ticket_id, kind=DeskPostKind.NOTICE, text=text), f"notice:{key}")


def _rank(ticket: Ticket) -> int:
    """Return the rank of the first of a ticket's posts; they take up ten of them."""
    return _DANGER if ticket.is_in_danger else 10 * ticket.priority.rank
