"""Tickets: the piece of work a handoff creates, and what agents see of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import NewType

from bot.domain.assurance import Level
from bot.domain.channels import ChannelAddress
from bot.domain.clocks import TicketClock
from bot.domain.conversations import Conversation, ConversationId
from bot.domain.customers import CustomerRecord
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.invitations import Joined
from bot.domain.messages import TranscriptLine
from bot.domain.moods import Mood
from bot.domain.suggestions import Suggestion

#: Opaque random hex.
TicketId = NewType("TicketId", str)
#: `slack:U123` or `local:Sam`.
AgentId = NewType("AgentId", str)
#: As the settings call it.
TeamName = NewType("TeamName", str)

#: When something is due that is not.
NEVER = datetime.max.replace(tzinfo=UTC)
#: When what goes before all else is due.
AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)
#: What the ids of those begin with who answer outside the desk.
_ELSEWHERE = "channel:"
#: The team of those who made no teams.
EVERYBODY = TeamName("everybody")


class Priority(StrEnum):
    """How urgent a ticket is."""

    URGENT = "urgent"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"

    @property
    def rank(self) -> int:
        """Return 0 for the most urgent, and 1 more for each step down."""
        return tuple(Priority).index(self)


class TicketState(StrEnum):
    """Where a ticket stands."""

    #: waits for a person: it is in the queue
    QUEUED = "queued"
    #: an agent owns the conversation
    CLAIMED = "claimed"
    #: done; the conversation is the bot's again
    RESOLVED = "resolved"
    #: the bot goes on with what the agent told it
    HANDED_BACK = "handed_back"

    @property
    def is_open(self) -> bool:
        """Whether people still have to do something."""
        return self in {TicketState.QUEUED, TicketState.CLAIMED}


@dataclass(frozen=True, kw_only=True)
class Agent:
    """A person who answers."""

    id: AgentId
    #: what the customer sees
    name: str

    @classmethod
    def elsewhere(cls, channel: str, account: str, name: str | None) -> Agent:
        """Return whoever answers outside the desk, from the brand's phone or the page's own inbox."""
        return cls(id=AgentId(f"{_ELSEWHERE}{channel}/{account}"), name=name or "answered on the channel")

    @property
    def is_elsewhere(self) -> bool:
        """Whether it is nobody of the desk, so that any agent may take their ticket."""
        return self.id.startswith(_ELSEWHERE)

    @property
    def mentions(self) -> tuple[str, ...]:
        """What the desk calls them by: `U123` of `slack:U123`; nothing for whom it cannot call.

        The local desk calls nobody, and who answers on the channel itself is nobody of the desk.
        """
        surface, _, own = self.id.partition(":")
        return () if surface == "local" or self.is_elsewhere else (own,)


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """The piece of work a handoff creates."""

    id: TicketId
    #: counts up; what people say aloud
    number: int
    conversation_id: ConversationId
    state: TicketState
    request: HandoffRequest
    opened_at: datetime
    #: who has it, while claimed and after
    agent: Agent | None
    claimed_at: datetime | None
    closed_at: datetime | None
    #: what the agent said was done
    outcome: str
    #: the desk's own reference of the card (Slack: `channel:ts`), once it is posted
    desk_reference: str | None
    team: TeamName = EVERYBODY
    priority: Priority = Priority.NORMAL
    tags: tuple[str, ...] = ()
    #: how it was closed: one of `bot.domain.acts.Closing`, empty while open
    closing: str = ""
    #: put aside until then
    snoozed_until: datetime | None = None
    #: the customer's oldest message that no person has answered; none: the customer is awaited
    waiting_since: datetime | None = None
    #: a person's first answer
    first_replied_at: datetime | None = None
    #: the earliest of what is due; what the queue is sorted by
    next_due_at: datetime | None = None
    #: how it was for the customer, 1 to 5
    rating: int | None = None
    #: whether the bot may change orders after a hand back
    bot_may_act: bool = True
    #: grows with each change
    version: int = 0

    def is_of(self, agent: Agent) -> bool:
        """Whether the agent has it now: one that waits again still names whose it was."""
        return self.state is TicketState.CLAIMED and self.agent is not None and self.agent.id == agent.id

    @property
    def is_in_danger(self) -> bool:
        """Whether the customer may be about to harm themselves."""
        return self.request.reason is Reason.IN_DANGER

    @property
    def urgency(self) -> tuple[datetime, int, int]:
        """Sorts before that of a ticket that can wait longer: danger first, then what is due, priority, and age."""
        return AT_ONCE if self.is_in_danger else self.next_due_at or NEVER, self.priority.rank, self.number


@dataclass(frozen=True, kw_only=True)
class TicketEvent:
    """One line of a ticket's history."""

    at: datetime
    #: "opened", "claimed", "note", "reply", "resolved", "handed_back", "delivery_failed"; of an act its name in
    #: `bot.domain.acts`, in lower case with underscores
    kind: str
    #: who did it; none: the bot or the pipeline
    agent: Agent | None
    detail: str
    #: whether who did it has taken it back
    is_undone: bool = False


@dataclass(frozen=True, kw_only=True)
class OtherWay:
    """Another conversation of the same customer."""

    conversation_id: ConversationId
    address: ChannelAddress
    #: whether the customer proved in both who they are; else people think so
    is_proved: bool


@dataclass(frozen=True, kw_only=True)
class TicketView:
    """A ticket with everything an agent needs to see on one screen."""

    ticket: Ticket
    conversation: Conversation
    #: oldest first, the last ones only
    transcript: tuple[TranscriptLine, ...]
    #: history, oldest first; notes among it
    events: tuple[TicketEvent, ...]
    #: the brand's record, when the customer is known and the records can be read
    record: CustomerRecord | None
    #: why there is no record, in plain words
    record_note: str
    level: Level
    #: 1 is next; none: not in the queue
    place_in_queue: int | None
    #: when the customer proved who they are, whether or not that still holds; none: they never did
    proved_at: datetime | None = None
    #: what people call the ticket's team; empty: as its name says
    team_title: str = ""
    clocks: tuple[TicketClock, ...] = ()
    #: the bot's newest drafts, oldest first
    suggestions: tuple[Suggestion, ...] = ()
    #: whose record agents are shown without a proof, and why; empty: nobody's
    linked_evidence: str = ""
    #: how the customer seems to feel; none: nobody knows
    mood: Mood | None = None
    #: where else the customer can be reached, what they used last first; in a list of tickets: nowhere
    other_ways: tuple[OtherWay, ...] = ()
    #: whether everybody reads what is written in its conversation
    is_public: bool = False
    #: what an approved text says there once it is closed; empty: there is none
    public_closing: str = ""
    #: whether the customer can be asked to go on in private
    can_invite: bool = False
    #: the conversations that invitations joined to it, the newest first; in a list of tickets: none
    joined: tuple[Joined, ...] = ()
