"""What the core asks of a connector: a small required interface, optional powers, limits as data."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, runtime_checkable

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.messages import Attachment, AttachmentKind, Choice, InboundEvent, InboundMessage, OutboundMessage


class TextUnit(StrEnum):
    """What a channel counts when it limits a text."""

    CHARACTERS = "characters"
    UTF16 = "utf16"
    BYTES = "bytes"
    #: what readers take for one sign, however many characters make it
    GRAPHEMES = "graphemes"


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a channel can carry."""

    #: longest text of one message, in `text_unit`
    text_max: int
    text_unit: TextUnit = TextUnit.CHARACTERS
    #: choices one message can offer; the rest is written out as text
    choices_max: int = 0
    choice_title_max: int = 20
    #: longest text that can have choices below it, in `text_unit`; none: `text_max`
    choices_text_max: int | None = None
    #: kinds of files it can send; others become a line of text with their link, or that says so
    attachments: frozenset[AttachmentKind] = frozenset()
    attachment_max_bytes: int = 0
    #: of these kinds the MIME types that it shows; none: all
    attachment_types: frozenset[str] = frozenset()
    #: whether it fetches files by itself, so that those that we keep need a link
    fetches_files: bool = False
    #: whether a repeated send with the same key is seen once by the customer
    is_send_idempotent: bool = False
    #: whether customers' edits arrive
    has_edits: bool = False
    #: how long after the customer's last message we may write freely; none: always
    reply_window: timedelta | None = None
    #: how long after it people may still write, where that is longer than the bot may; `timedelta.max`: always
    people_window: timedelta | None = None
    #: whether everybody reads what is written here
    is_public: bool = False
    #: whether an answer has to carry what the last message brought as its `reply_context`
    has_reply_context: bool = False
    #: whether it shows above a text of ours which message that answers; elsewhere the text begins with its words
    has_quotes: bool = False
    #: whether it may come to know a customer by another id
    has_renamings: bool = False
    #: how long a customer pauses between pieces of one message; nothing: each message is answered by itself
    debounce: timedelta = timedelta(seconds=0.8)


@dataclass(frozen=True, kw_only=True)
class WebhookRequest:
    """An HTTP request of a channel, as it came."""

    method: str
    #: lower-case names
    headers: Mapping[str, str]
    query: Mapping[str, str]
    #: raw bytes: signatures are over these
    body: bytes


@dataclass(frozen=True, kw_only=True)
class WebhookAnswer:
    """What to answer when a channel only asks who we are."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


@dataclass(frozen=True, kw_only=True)
class _Sending:
    address: ChannelAddress
    #: who speaks, where the channel shows names
    author_name: str | None = None
    #: one of `bot.domain.messages.Author`, as text
    author: str = "bot"
    #: whether it leaves after the reply window, as only people may write
    is_late: bool = False
    #: the `reply_context` of the customer's last message when this was said
    reply_context: Mapping[str, str] = field(default_factory=dict)
    #: since when this very call may have been made before, by a process that did not live to tell; none: it was not
    in_doubt_since: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class SendText(_Sending):
    """One API call that shows a text, maybe with choices below it."""

    text: str
    choices: tuple[Choice, ...] = ()
    #: the message that it answers, as the channel wants to hear it; empty: it answers none
    quotes: str = ""


@dataclass(frozen=True, kw_only=True)
class SendAttachment(_Sending):
    """One API call that shows a file."""

    attachment: Attachment


SendOperation = SendText | SendAttachment


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A message this channel cannot carry at all, with the reason in plain words."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Sent:
    """The channel has it."""

    #: the channel's id of the message; receipts name it
    external_id: str
    #: of a private answer to something public: where its author reads it, and answers from
    reached: ChannelAddress | None = None


@dataclass(frozen=True, kw_only=True)
class Retry:
    """It was certainly not sent; the same call may succeed later."""

    reason: str
    #: how long the channel asks us to wait; none: our own backoff
    after: timedelta | None = None


@dataclass(frozen=True, kw_only=True)
class Permanent:
    """It was certainly not sent and never will be."""

    reason: str
    #: the channel's own code
    code: str = ""
    #: whether nothing goes through this account until somebody mends it: a revoked token, an unpaid bill
    is_account: bool = False


@dataclass(frozen=True, kw_only=True)
class Ambiguous:
    """Nobody knows whether it was sent: the request left, no answer came."""

    reason: str
    #: whether the channel sees to it that this very call, made again with its key, is seen once; said of single calls
    #: where `Capabilities.is_send_idempotent` does not hold for all
    is_repeatable: bool = False


SendResult = Sent | Retry | Permanent | Ambiguous


class Connector(Protocol):
    """The code that speaks one channel, for one channel account."""

    @property
    def channel(self) -> ChannelName:
        """The channel's name: stable, lower case, part of every address."""
        ...

    @property
    def account(self) -> AccountId:
        """Our identity on the channel."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What the channel can carry."""
        ...

    def verify(self, request: WebhookRequest) -> None:
        """Return if the request is the channel's own, over its raw bytes; raise `WebhookRejectedError` if not."""
        ...

    def parse(self, request: WebhookRequest) -> list[InboundEvent]:
        """Return every event of the request, N in and N out; raise `MalformedWebhookError` for anything else."""
        ...

    def plan(self, message: OutboundMessage, address: ChannelAddress) -> tuple[SendOperation, ...] | Refusal:
        """Return the API calls that show the message, in order, degraded visibly to what the channel can carry."""
        ...

    async def send(self, operation: SendOperation, key: str) -> SendResult:
        """Make one API call, once: no retries of its own. `key` is the same whenever this call is repeated."""
        ...


@runtime_checkable
class Challenging(Protocol):
    """A connector whose channel first asks who we are."""

    def challenge(self, request: WebhookRequest) -> WebhookAnswer | None:
        """Return the answer to a handshake; none when the request is not one."""
        ...


@runtime_checkable
class AnswersWebhooks(Protocol):
    """A connector whose channel reads what its calls are answered with."""

    @property
    def received(self) -> WebhookAnswer:
        """What to answer once every event of a call is durable."""
        ...


@runtime_checkable
class ShowsTyping(Protocol):
    """A connector that can show that an answer is being written."""

    async def show_typing(self, address: ChannelAddress) -> None:
        """Show it for some seconds; failures are the connector's own to swallow: typing is decoration."""
        ...


@runtime_checkable
class Acknowledging(Protocol):
    """A connector whose channel shows a tapped choice as busy until it is told that the tap arrived."""

    async def acknowledge(self, message: InboundMessage) -> None:
        """Tell it, once the message is durable; failures are the connector's own to swallow."""
        ...


@runtime_checkable
class MarksRead(Protocol):
    """A connector whose channel shows customers that their message was read."""

    async def mark_read(self, message: InboundMessage) -> None:
        """Show it, once somebody has taken the message up; failures are the connector's own to swallow."""
        ...


@runtime_checkable
class KnowsNames(Protocol):
    """A connector whose channel says on request what a customer is called."""

    async def name_of(self, address: ChannelAddress) -> str | None:
        """Return the name, none where the channel does not tell; failures are the connector's own to swallow."""
        ...


@runtime_checkable
class Inviting(Protocol):
    """A connector of a private channel whose links can bring a referral."""

    def invitation_url(self, referral: str) -> str | None:
        """Return the link that opens a conversation with us, whose first message has this `referral`; none: no link.

        `referral` is made of letters, digits and hyphens.
        """
        ...


@runtime_checkable
class RepliesPrivately(Protocol):
    """A connector of a public channel that can answer a message's author where only they read it."""

    async def reply_privately(self, operation: SendText, key: str) -> SendResult:
        """Send a text to who wrote what `operation` answers, once for each such message: no retries of its own.

        `Sent` says where they were reached, if that is known; `Permanent`, in plain words, why the channel refuses.
        """
        ...


@runtime_checkable
class Editing(Protocol):
    """A connector whose channel lets us change what we sent."""

    async def edit(self, operation: SendText, external_id: str, key: str) -> SendResult:
        """Show `operation` in place of the text the channel calls `external_id`, once: no retries of its own.

        Whatever shows the new text already is `Sent`, so a repeat is harmless; `Permanent` says in words why not.
        """
        ...


@runtime_checkable
class Unsending(Protocol):
    """A connector whose channel lets us take back what we sent."""

    async def unsend(self, address: ChannelAddress, external_id: str, key: str) -> SendResult:
        """Remove what the channel calls `external_id` from the customer's sight; what is gone already is `Sent`."""
        ...


@runtime_checkable
class FetchesMedia(Protocol):
    """A connector whose attachments are fetched by reference."""

    async def fetch(self, attachment: Attachment) -> bytes:
        """Return the file's bytes; raise `MediaError` when it is too large, gone or refused."""
        ...


@runtime_checkable
class Closing(Protocol):
    """A connector that holds connections open."""

    async def close(self) -> None:
        """Let go of them; safe to call when nothing was ever sent."""
        ...


#: Makes one polled batch durable: called with the events, returns after the commit.
Sink = Callable[[list[InboundEvent]], Awaitable[None]]


@runtime_checkable
class Polling(Protocol):
    """A connector that can ask its channel for events instead of being called."""

    @property
    def is_polled(self) -> bool:
        """Whether it has to: the channel does not call this account."""
        ...

    async def poll(self, sink: Sink) -> None:
        """Fetch events and give them to `sink` until cancelled; advance only after `sink` has returned.

        Network failures are its own to wait out, with growing pauses.
        """
        ...


@runtime_checkable
class CatchingUp(Protocol):
    """A connector whose channel calls us, and may not have: nobody was there, or it has stopped calling."""

    async def catch_up(self, sink: Sink) -> None:
        """See until cancelled that the channel calls, and give `sink` or have brought again what it could not.

        Network failures are its own to wait out, with growing pauses.
        """
        ...


@runtime_checkable
class Registering(Protocol):
    """A connector that tells its channel where we are."""

    async def register(self) -> None:
        """Make the channel call us (or stop calling, when polling); safe to repeat."""
        ...


@runtime_checkable
class Checking(Protocol):
    """A connector that can say how its account is."""

    async def check(self) -> str:
        """Return one line on the account's health for `doctor`; raise `SettingsError` that says what to fix."""
        ...


@runtime_checkable
class KnowsExpiry(Protocol):
    """A connector whose channel tells when the account's token ends."""

    async def expires_at(self) -> datetime | None:
        """Return when; none: never. Raises `SettingsError` that says what to fix."""
        ...


@dataclass(frozen=True, kw_only=True)
class ConnectorRegistry:
    """Finds the connector of an address."""

    connectors: tuple[Connector, ...] = field(default=())

    def find(self, channel: str, account: str) -> Connector | None:
        """Return the connector of that channel account, or none."""
        found = (each for each in self.connectors if (each.channel, each.account) == (channel, account))
        return next(found, None)

    def reply_windows(self) -> dict[str, timedelta]:
        """Return how long each channel account (`channel/account`) lets people answer, of those that limit it."""
        known = [(each, each.capabilities.people_window or each.capabilities.reply_window) for each in self.connectors]
        windows = {f"{each.channel}/{each.account}": window for each, window in known if window is not None}
        return {account: window for account, window in windows.items() if window != timedelta.max}
