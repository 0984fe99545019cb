"""Messages as the pipeline sees them, whatever channel they come from or go to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

from bot.domain.channels import ChannelAddress

#: Ours, opaque random hex: the turn id in Rasa's metadata, log context, idempotency key.
MessageId = NewType("MessageId", str)
#: Ours, opaque random hex: a stored file.
MediaId = NewType("MediaId", str)


def message_id_of(act_key: str) -> MessageId:
    """Return the id of the message that the act of that key makes: the same act again makes the same message.

    So a desk that knows which post it handed in as an act knows which message that post became.
    """
    return MessageId(hashlib.blake2b(act_key.encode(), digest_size=16).hexdigest())


#: What is kept of a customer's text; longer ones are cut there, with a mark.
TEXT_MAX = 8_000


class Author(StrEnum):
    """Who wrote a message."""

    CUSTOMER = "customer"
    BOT = "bot"
    AGENT = "agent"
    #: the pipeline itself: "Sam from our team is with you now"
    SYSTEM = "system"


class AttachmentKind(StrEnum):
    """What a file is to the reader."""

    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    FILE = "file"


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """A file that belongs to a message."""

    kind: AttachmentKind
    #: what the channel's API fetches it by; empty once only we have it
    reference: str = ""
    #: as the sender called it; never used as a path
    name: str = ""
    #: MIME type, as far as known
    media_type: str = ""
    #: in bytes, as far as known
    size: int | None = None
    #: ours, once it is stored
    media_id: MediaId | None = None
    #: of a stored one: our address where whoever has it can fetch the file for a while; known when it is sent
    link: str = ""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Something the customer can tap instead of typing."""

    title: str
    #: short opaque key of what it means, kept in our database (≤ 24 ASCII characters)
    payload: str


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """What a tapped choice stands for: an intent and its entities, made by the bot and never by the customer."""

    intent: str
    entities: dict[str, str]
    #: what the tap says instead, when the button stands for words and not for an intent
    words: str = ""


@dataclass(frozen=True, kw_only=True)
class Quote:
    """A message that another one answers."""

    id: MessageId
    author: Author
    #: its first words, on one line
    text: str
    #: the channel's id of it; empty: it does not know the message
    external_id: str = ""
    #: what an answer to it has to carry, where that is not its id
    token: str = ""


@dataclass(frozen=True, kw_only=True)
class InboundMessage:
    """Something a customer wrote, tapped or sent."""

    address: ChannelAddress
    #: the channel's id of this event; unique for ever on one channel account
    external_id: str
    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    #: payload of the choice the customer tapped
    choice: str | None = None
    #: the channel's id of the message this one replaces, when it is an edit
    edits: str | None = None
    #: the channel's id of the message, theirs or ours, that this one answers
    quotes: str | None = None
    #: what an answer to this very message has to carry, where that is not its id
    quote_token: str = ""
    #: what the channel calls the customer
    display_name: str | None = None
    #: as the channel tells it: "en", "pt-br"
    language: str | None = None
    #: when the channel says it was written
    sent_at: datetime | None = None
    #: what an answer has to carry, in the channel's own words: a subject, a parent, a token; few and short
    reply_context: Mapping[str, str] = field(default_factory=dict)
    #: what the link said by which the customer came: the token of an invitation, the name of an ad
    referral: str = ""
    #: what else the channel calls the customer, on the same account: a telephone number beside a user id
    also: tuple[str, ...] = ()
    #: of public ones: whether it speaks to us, by answering or naming us, and not only about us
    is_to_us: bool = True


class ReceiptKind(StrEnum):
    """What a channel reports on a message of ours; later ones include the earlier ones."""

    #: the channel has it: of use where the answer to our call was lost
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """A channel's report on a message of ours."""

    address: ChannelAddress
    #: the channel's id of this report
    external_id: str
    #: the channel's id of the message it speaks of; empty where it speaks of all up to a moment
    of_external_id: str
    kind: ReceiptKind
    #: why it failed, for an agent to read
    detail: str = ""
    #: the key that our call carried, where the channel gives it back
    of_key: str = ""
    #: all that was sent until then is meant
    up_to: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Withdrawal:
    """A customer took back what they had written."""

    address: ChannelAddress
    #: the channel's id of this event
    external_id: str
    #: the channel's id of the message that is gone
    of_external_id: str
    #: whether our copy has to go as well, as the channel's rules say
    is_erasure: bool = False


@dataclass(frozen=True, kw_only=True)
class Reaction:
    """A customer put a sign to a message, theirs or ours."""

    address: ChannelAddress
    #: the channel's id of this event
    external_id: str
    #: the channel's id of the message
    of_external_id: str
    #: the sign; empty when it was taken away
    emoji: str


@dataclass(frozen=True, kw_only=True)
class Echo:
    """A person of the brand answered a customer outside Tandem: from the brand's phone, or the page's own inbox."""

    address: ChannelAddress
    #: the channel's id of the message
    external_id: str
    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    #: who answered, where the channel tells
    author_name: str | None = None
    #: when the channel says it was written
    sent_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Unsupported:
    """An event that we do nothing with; it is counted, and acknowledged."""

    external_id: str
    #: the channel's word for it
    kind: str
    #: whether nobody knows what it says: a kind that is new, or one that cannot be read; it is kept as it came
    is_unread: bool = False
    #: what the connector's `parse` reads it from once more; empty: the call that brought it
    raw: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class Renaming:
    """The channel knows a customer by another id from now on."""

    #: as they are known now
    address: ChannelAddress
    #: the channel's id of this event
    external_id: str
    #: the id they were known by
    former: str


#: The kind of an event that cannot be read: it may be a customer's message.
MALFORMED = "malformed"

InboundEvent = InboundMessage | Receipt | Withdrawal | Reaction | Echo | Renaming | Unsupported


@dataclass(frozen=True, kw_only=True)
class OutboundMessage:
    """Something to tell a customer, before it is cut to what a channel can carry."""

    author: Author
    text: str = ""
    choices: tuple[Choice, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    #: what the customer sees as the sender, for agents
    author_name: str | None = None
    #: whether it leaves after the reply window, as only people may write; known when it is sent
    is_late: bool = False
    #: the `reply_context` of the customer's last message when this was said
    reply_context: Mapping[str, str] = field(default_factory=dict)
    #: of an agent's: whether they were shown that everybody will read it
    is_known_public: bool = False
    #: the message that it answers, where it does not answer all that was said
    quotes: Quote | None = None
    #: fingerprint of the invitation that it is, where who is invited is asked in private; empty: it is said as usual
    invitation: str = ""


class DeliveryState(StrEnum):
    """How far a message of ours has come; it never goes back."""

    PENDING = "pending"
    #: the channel has it
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    #: given up; a person has to look
    FAILED = "failed"
    #: not sent on purpose: the conversation changed hands first
    WITHHELD = "withheld"


class RevisionState(StrEnum):
    """Whether the other side sees a change of a message."""

    #: on its way to the customer
    PENDING = "pending"
    SENT = "sent"
    #: the channel did not take it: the customer still sees what was there before
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True)
class Revision:
    """A change of a message after it was sent."""

    at: datetime
    #: who changed it: the customer, or an agent
    author: Author
    #: what it says from then on; none: it was taken back
    text: str | None
    state: RevisionState
    #: why it was refused, or what is to be known of it, in plain words
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class TranscriptLine:
    """One message of a conversation as people read it."""

    id: MessageId
    author: Author
    #: agent's name, or what the channel calls the customer
    author_name: str | None
    text: str
    attachments: tuple[Attachment, ...]
    #: titles of the choices that were offered
    choices: tuple[str, ...]
    at: datetime
    #: of our messages
    delivery: DeliveryState | None
    #: what went wrong, in plain words
    delivery_detail: str = ""
    #: the text an edit replaced
    edited_from: str | None = None
    #: what became of it since, oldest first; `text` stays what was said at first
    revisions: tuple[Revision, ...] = ()
    #: the message that it answers, where that was asked for
    quotes: Quote | None = None
