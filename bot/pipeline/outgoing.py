"""Putting messages, desk posts and tickets into the database: the writing half of every use case.

All functions are transaction bodies.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from bot import metrics
from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.conversations import Conversation, Owner
from bot.domain.desk import DeskPost, DeskPostKind
from bot.domain.handoff import HandoffRequest
from bot.domain.messages import (
    Author,
    DeliveryState,
    MessageId,
    OutboundMessage,
    TranscriptLine,
    message_id_of,
)
from bot.domain.tickets import Ticket, TicketId
from bot.store import conversations, outbox, tickets, transcript
from bot.store.codec import DESK_POST, OUTBOUND, to_json
from bot.store.ids import new_message_id
from bot.store.outbox import OutboxKind, Outgoing
from bot.store.schema import outbox as outbox_table


@dataclass(frozen=True, kw_only=True)
class DeskAddress:
    """Which desk gets posts; none is needed where agents read the database itself."""

    #: "slack"
    name: str

    def lane(self, ticket_id: TicketId) -> str:
        """Return the lane of a ticket's posts: one ticket's posts keep their order."""
        return str(ChannelAddress(channel=ChannelName("desk"), account=AccountId(self.name), external_id=ticket_id))


@dataclass(frozen=True, kw_only=True)
class Writer:
    """Writes what goes out, at one moment, for one desk."""

    now: datetime
    #: none: no posts are made
    desk: DeskAddress | None

    def say(self, connection: Connection, conversation: Conversation, message: OutboundMessage, key: str) -> MessageId:
        """Tell the customer something, and return `message_id_of(key)`; what is said twice under one key is said once.

        What the bot and the pipeline say is fenced by the conversation's epoch; what people say is not.
        """
        message_id = message_id_of(key)
        is_fenced = message.author in {Author.BOT, Author.SYSTEM}
        is_new = outbox.add(
            connection,
            Outgoing(
                key=key,
                address=str(conversation.address),
                kind=OutboxKind.MESSAGE,
                body=to_json(OUTBOUND, message),
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
        return message_id

    def post(self, connection: Connection, post: DeskPost, key: str) -> None:
        """Show something on the desk; a card that already waits to be updated is not queued twice."""
        if self.desk is None:
            return
        lane = self.desk.lane(post.ticket_id)
        if post.kind is DeskPostKind.CARD:
            waiting = select(outbox_table.c.id).where(
                outbox_table.c.address == lane,
                outbox_table.c.state == "pending",
                outbox_table.c.body["kind"].as_string() == DeskPostKind.CARD.value,
            )
            # Locked, so that it is not posted before what we are about to commit can be seen.
            if connection.scalar(waiting.limit(1).with_for_update(skip_locked=True)) is not None:
                return
        outgoing = Outgoing(key=f"desk:{key}", address=lane, kind=OutboxKind.DESK, body=to_json(DESK_POST, post))
        outbox.add(connection, outgoing, self.now)

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

    def hand_off(
        self, connection: Connection, conversation: Conversation, request: HandoffRequest
    ) -> tuple[Conversation, Ticket]:
        """Give a locked conversation of the bot's to the queue and open its ticket; an open ticket is kept."""
        known = tickets.open_of(connection, conversation.id)
        if known is not None:
            return conversation, known
        conversations.give_to(connection, conversation, Owner.QUEUE)
        ticket = tickets.open_ticket(connection, conversation.id, request, self.now)
        metrics.TICKETS.labels(request.reason.value).inc()
        self.post_card(connection, ticket.id)
        self.post(connection, DeskPost(ticket_id=ticket.id, kind=DeskPostKind.TRANSCRIPT), f"transcript:{ticket.id}")
        return conversations.get(connection, conversation.id), ticket
