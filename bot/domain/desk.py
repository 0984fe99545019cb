"""What the pipeline tells the desk, and what the desk asks of the pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from bot.domain.acts import Act
from bot.domain.connectors import SendResult
from bot.domain.customers import Candidate
from bot.domain.messages import MessageId
from bot.domain.tickets import Agent, TeamName, Ticket, TicketId, TicketView


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
    #: the card that was the ticket's before it went to another channel: it says where the ticket is now
    MOVED = "moved"
    #: a draft of the bot for one of the customer's messages, or what became of it
    SUGGESTION = "suggestion"
    #: what waits to be shown in a channel, when that is much; it belongs to no ticket
    SUMMARY = "summary"


#: Lines that are shown in one post at most.
LINES_MAX = 15
#: What a summary has in place of a ticket.
NO_TICKET = TicketId("")


@dataclass(frozen=True, kw_only=True)
class DeskPost:
    """Something to show on the desk; what it looks like is read from the ticket when it is posted."""

    ticket_id: TicketId
    kind: DeskPostKind
    #: of a line or a receipt; of a suggestion the message it answers; of a notice the message that did not arrive
    message_id: MessageId | None = None
    #: of a notice or a summary; of a card that moved away, what the desk calls it
    text: str = ""
    #: further lines that the same post shows, in order
    more: tuple[MessageId, ...] = ()
    #: of a summary or a card that moved away: the desk's channel that it is in
    channel: str = ""
    #: of a notice: the desk's ids of people and groups who are asked to look
    mentions: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Blocked:
    """Nothing can be posted there until somebody mends it; the post was certainly not made."""

    #: in plain words, with what to do
    reason: str
    #: the desk's own word for it
    code: str


@dataclass(frozen=True, kw_only=True)
class Moved:
    """The ticket's card was posted anew, with what was said so far; the post itself is still to be made, there."""

    #: what the desk calls the new card
    desk_reference: str


PostResult = SendResult | Blocked | Moved


class DeskPoster(Protocol):
    """Shows posts on the agents' surface, one API call a post, without retries of its own."""

    async def send(self, post: DeskPost, key: str) -> PostResult:
        """Show the post; `key` is the same whenever this call is repeated, and travels with the post as metadata.

        `Sent.external_id` of a card is the desk reference that `TicketView.ticket.desk_reference` will hold.
        """
        ...

    async def find(self, post: DeskPost, key: str) -> PostResult:
        """Look whether an earlier, ambiguous `send` of the same key arrived: `Sent` if so, `Retry` at once if not."""
        ...


@dataclass(frozen=True, kw_only=True)
class Done:
    """What came of an act."""

    #: as it is now
    ticket: Ticket
    #: what the act sent to the customer, if it sent a message of the agent's
    message_id: MessageId | None = None
    #: until then `Undo` takes it back; none: it cannot be taken back
    can_undo_until: datetime | None = None
    #: what the agent should know about how it went; empty: nothing
    remark: str = ""


class DeskActs(Protocol):
    """What agents do and see, whatever surface they do it on."""

    async def do(self, ticket_id: TicketId, agent: Agent, act: Act, key: str) -> Done:
        """Carry out an act; `key` is the same whenever the same click or message is handed in again.

        A repeat has no further effect and returns the same. Raises `DeskError` with a sentence for the agent when it
        cannot be done: no such ticket, somebody else has it, it is closed.
        """
        ...

    async def exposed(self, ticket_id: TicketId, text: str) -> tuple[str, ...]:
        """Return what of somebody's alone a reply would tell everybody; nothing where the conversation is private."""
        ...

    async def view(self, ticket_id: TicketId) -> TicketView | None:
        """Return the ticket with all an agent needs to see, or none."""
        ...

    async def open_tickets(self) -> list[TicketView]:
        """Return the open tickets: the queue, next one first, then the claimed ones.

        As lists show them: of what was said the last line alone, of what was done nothing, without records.
        """
        ...

    async def mine(self, agent: Agent) -> list[TicketView]:
        """Return the open tickets that the agent has, what is due first before the rest."""
        ...

    async def queue(self, team: TeamName) -> list[TicketView]:
        """Return a team's tickets that wait for a person, next one first."""
        ...

    async def waiting(self, skip: int, limit: int) -> tuple[list[TicketView], int]:
        """Return a part of all teams' queues, next one first, and how many wait in all; without records."""
        ...

    async def find(self, words: str) -> list[TicketView]:
        """Return the newest tickets of that number, order or customer, or in which that was said; a handful at most."""
        ...

    async def candidates(self, ticket_id: TicketId) -> list[Candidate]:
        """Return whom the ticket's customer may be, with the evidence, most of it first; for `LinkCustomer`.

        Raises `DeskError` when the brand's records cannot be read.
        """
        ...

    async def by_reference(self, desk_reference: str) -> TicketId | None:
        """Return the ticket whose card the desk calls so, or none."""
        ...
