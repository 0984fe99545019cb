"""What an agent can do with a ticket. Each act is a value; `bot.domain.desk.DeskActs.do` carries it out, once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.conversations import ConversationId
from bot.domain.customers import CustomerId
from bot.domain.messages import Attachment, MessageId
from bot.domain.suggestions import SuggestionId
from bot.domain.tickets import Agent, Priority, TeamName

#: How long an act can be taken back with `Undo`; what it tells the customer is held back as long.
UNDO_FOR = timedelta(seconds=10)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Become the owner; the bot is silent from this commit on."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """Give the ticket back to its team's queue, where the bot answers again what it is sure of."""


@dataclass(frozen=True, kw_only=True)
class Assign:
    """Make another person the owner."""

    agent: Agent
    #: for them to read
    remark: str = ""


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """Give the ticket to another team's queue."""

    team: TeamName
    #: for them to read
    remark: str = ""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """Send the customer a message, whose id is `message_id_of(key)` of the act's key; claims a queued ticket."""

    text: str
    attachments: tuple[Attachment, ...] = ()
    #: the canned reply that it was made from
    macro: str | None = None
    #: the draft of the bot that it was made from
    suggestion: SuggestionId | None = None
    #: what the agent had seen when they wrote it: a line of the customer's or of another agent's that came later is
    #: told to them, and nothing is sent. None: send it in any case.
    seen: MessageId | None = None
    #: whether the agent was shown that everybody will read it
    is_known_public: bool = False
    #: what of somebody's alone they were shown that it tells everybody
    exposes: tuple[str, ...] = ()
    #: the one message of the conversation that it answers; none: all that was said
    quotes: MessageId | None = None


@dataclass(frozen=True, kw_only=True)
class Amend:
    """Change a reply that was sent, or take it back, where the channel can; the agent is told where it cannot."""

    message_id: MessageId
    #: none: take it back
    text: str | None
    #: as of a reply
    is_known_public: bool = False
    exposes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Resend:
    """Send a reply again that did not arrive."""

    message_id: MessageId


@dataclass(frozen=True, kw_only=True)
class ReplyElsewhere:
    """Send the customer a message in another conversation of theirs, in that one's ticket, which the agent takes."""

    conversation_id: ConversationId
    text: str


@dataclass(frozen=True, kw_only=True)
class InviteToPrivate:
    """Ask the customer of a public thread to go on in private, by an approved text with a new invitation."""


@dataclass(frozen=True, kw_only=True)
class Note:
    """Keep a remark that the customer never sees."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Snooze:
    """Put the ticket aside until a moment, or until the customer writes."""

    until: datetime


@dataclass(frozen=True, kw_only=True)
class Wake:
    """Take the ticket up again before its time."""


@dataclass(frozen=True, kw_only=True)
class SetPriority:
    """Say how urgent the ticket is; its promises follow."""

    priority: Priority


@dataclass(frozen=True, kw_only=True)
class SetTags:
    """Say what the ticket is about, for finding and counting."""

    tags: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Promise:
    """Promise the customer something by a moment; the ticket comes back when it is due."""

    text: str
    due_at: datetime


@dataclass(frozen=True, kw_only=True)
class AskToVerify:
    """Have the bot ask the customer for the proof of who they are."""


@dataclass(frozen=True, kw_only=True)
class LinkCustomer:
    """Say whose record this is, for agents to see; the bot still asks for proof before it tells anything."""

    customer_id: CustomerId
    #: why we think so, in words
    evidence: str


@dataclass(frozen=True, kw_only=True)
class UnlinkCustomer:
    """Take a link back."""


@dataclass(frozen=True, kw_only=True)
class RejectSuggestion:
    """Say that a draft of the bot was wrong."""

    suggestion: SuggestionId


class Closing(StrEnum):
    """How a ticket was solved."""

    SOLVED = "solved"
    ANSWERED_ELSEWHERE = "answered_elsewhere"
    NOTHING_TO_DO = "nothing_to_do"
    NO_ANSWER = "no_answer"
    SPAM = "spam"


@dataclass(frozen=True, kw_only=True)
class Resolve:
    """Close the ticket; the conversation is the bot's again, the customer is told and asked how it was."""

    #: what was done, for people
    outcome: str = ""
    closing: Closing = Closing.SOLVED
    #: what it really was about; none: what the bot thought
    topic: str | None = None
    #: of a public thread: whether an approved text says there that it was looked after
    tells_public: bool = False


@dataclass(frozen=True, kw_only=True)
class HandBack:
    """Give the conversation back to the bot, which tells the customer what was done."""

    #: what was done, in words the customer may read
    outcome: str
    #: what the customer was promised, and by when
    promised: str = ""
    promised_at: datetime | None = None
    #: whether the bot may change orders for this customer, or only answer
    may_act: bool = True


@dataclass(frozen=True, kw_only=True)
class Reopen:
    """Take up a closed ticket again, as its owner."""


@dataclass(frozen=True, kw_only=True)
class Undo:
    """Take back the act of that key, within `UNDO_FOR` and while nothing else has happened to the ticket."""

    key: str


Act = (
    Claim
    | Release
    | Assign
    | Transfer
    | Reply
    | Amend
    | Resend
    | ReplyElsewhere
    | InviteToPrivate
    | Note
    | Snooze
    | Wake
    | SetPriority
    | SetTags
    | Promise
    | AskToVerify
    | LinkCustomer
    | UnlinkCustomer
    | RejectSuggestion
    | Resolve
    | HandBack
    | Reopen
    | Undo
)
