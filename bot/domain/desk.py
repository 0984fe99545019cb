"""What the pipeline tells the desk, and what the desk asks of the pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from bot.domain.connectors import SendResult
from bot.domain.messages import Attachment, MessageId
from bot.domain.tickets import Agent, Ticket, TicketId, TicketView


class DeskPostKind(StrEnum):
    """What a post on the desk shows."""

    #: the ticket's card: posted once, then updated in place
    CARD = "card"
    #: what was said before the ticket was opened, folded into one post of its thread
    TRANSCRIPT = "transcript"
    #: one line of the transcript, in the ticket's thread
    LINE = "line"
    #: whether an agent's message arrived, shown at that message
    RECEIPT = "receipt"
    #: a remark of the pipeline in the thread
    NOTICE = "notice"


@dataclass(frozen=True, kw_only=True)
class DeskPost:
    """Something to show on the desk; what it looks like is read from the ticket when it is posted."""

    ticket_id: TicketId
    kind: DeskPostKind
    #: of a line or a receipt
    message_id: MessageId | None = None
    #: of a notice
    text: str = ""


class DeskPoster(Protocol):
    """Shows posts on the agents' surface, one API call a post, without retries of its own."""

    async def send(self, post: DeskPost, key: str) -> SendResult:
        """Show the post; `key` is the same whenever this call is repeated, and travels with the post as metadata.

        `Sent.external_id` of a card is the desk reference that `TicketView.ticket.desk_reference` will hold.
        """
        ...

    async def find(self, post: DeskPost, key: str) -> SendResult:
        """Look whether an earlier, ambiguous `send` of the same key arrived: `Sent` if so, `Retry` at once if not."""
        ...


class DeskActs(Protocol):
    """What agents do, whatever surface they do it on.

    Each act takes a `key` that is the same whenever the same click or message is handed in again: a repeat has no
    further effect. Each raises `DeskError` with a sentence for the agent when it cannot be done: no such ticket,
    somebody else has it, it is closed.
    """

    async def claim(self, ticket_id: TicketId, agent: Agent, key: str) -> Ticket:
        """Make the agent the owner; the bot is silent from this commit on."""
        ...

    async def reply(
        self, ticket_id: TicketId, agent: Agent, text: str, attachments: tuple[Attachment, ...], key: str
    ) -> MessageId:
        """Send the customer a message; a queued ticket is claimed by it. The message's id is `message_id_of(key)`."""
        ...

    async def note(self, ticket_id: TicketId, agent: Agent, text: str, key: str) -> None:
        """Keep a remark that the customer never sees."""
        ...

    async def resolve(self, ticket_id: TicketId, agent: Agent, outcome: str, key: str) -> Ticket:
        """Close the ticket; the conversation is the bot's again and the customer is told."""
        ...

    async def hand_back(self, ticket_id: TicketId, agent: Agent, outcome: str, key: str) -> Ticket:
        """Give the conversation back to the bot, which is told what was done (`outcome`)."""
        ...

    async def view(self, ticket_id: TicketId) -> TicketView | None:
        """Return the ticket with all an agent needs to see, or none."""
        ...

    async def open_tickets(self) -> list[TicketView]:
        """Return the open tickets: the queue oldest first, then the claimed ones."""
        ...

    async def by_reference(self, desk_reference: str) -> TicketId | None:
        """Return the ticket whose card the desk calls so, or none."""
        ...
