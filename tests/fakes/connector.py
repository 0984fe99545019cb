"""A channel in memory that keeps the truth: what its customers really saw, whatever it told us."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter

from bot.domain import planning
from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.connectors import (
    Ambiguous,
    Capabilities,
    Refusal,
    SendOperation,
    SendResult,
    SendText,
    Sent,
    WebhookRequest,
)
from bot.domain.errors import MalformedWebhookError, MediaError, WebhookRejectedError
from bot.domain.messages import Attachment, InboundEvent, InboundMessage, OutboundMessage

_EVENTS: TypeAdapter[list[InboundEvent]] = TypeAdapter(list[InboundEvent])

PROOF = "from-the-channel"


class ProcessKilledError(BaseException):
    """Stands for `kill -9`: nothing of ours may catch it."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One thing a customer saw."""

    customer: str
    text: str
    author: str
    key: str
    choices: tuple[str, ...] = ()
    #: what we were told it is called
    external_id: str = ""
    #: whether it was sent as something that only people may write
    is_late: bool = False
    #: what the channel was told of the message it answers
    reply_context: Mapping[str, str] = field(default_factory=dict)
    #: the message that is shown above it
    quotes: str = ""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one call comes to."""

    #: none: the process is killed before it hears
    result: SendResult | None
    #: whether the customer sees it, whatever we are told
    arrives: bool


#: The call breaks after the channel took it, or before.
LOST_ANSWER = Outcome(result=Ambiguous(reason="the connection broke"), arrives=True)
LOST_CALL = Outcome(result=Ambiguous(reason="the connection broke"), arrives=False)
#: The process dies after the channel took the call, or before.
KILLED_AFTER = Outcome(result=None, arrives=True)
KILLED_BEFORE = Outcome(result=None, arrives=False)


def refused(result: SendResult) -> Outcome:
    """Return the outcome of a call that the channel certainly did not carry out."""
    return Outcome(result=result, arrives=False)


@dataclass
class FakeConnector:
    """`bot.domain.connectors.Connector` for one account of the channel `fake`."""

    account: AccountId = AccountId("brand")  # noqa: RUF009 - a string
    channel: ChannelName = ChannelName("fake")  # noqa: RUF009 - a string
    is_idempotent: bool = False
    text_max: int = 200
    choices_max: int = 3
    reply_window: timedelta | None = None
    people_window: timedelta | None = None
    has_reply_context: bool = False
    is_public: bool = False
    has_renamings: bool = False
    has_quotes: bool = False
    debounce: timedelta = timedelta()
    #: what its links begin with; none: there are no links
    invites_at: str | None = None
    #: what the next calls come to; when it is empty they succeed
    script: deque[Outcome] = field(default_factory=deque)
    #: the truth
    shown: list[Shown] = field(default_factory=list)
    #: (key, text) of every call that was made
    calls: list[tuple[str, str]] = field(default_factory=list)
    #: files by reference
    files: dict[str, bytes] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)
    #: awaited while a call is on its way
    during_send: Callable[[SendOperation], Awaitable[None]] | None = None
    refusal: Refusal | None = None

    @property
    def capabilities(self) -> Capabilities:
        """Texts of up to `text_max` characters and `choices_max` choices."""
        return Capabilities(
            text_max=self.text_max,
            choices_max=self.choices_max,
            is_send_idempotent=self.is_idempotent,
            reply_window=self.reply_window,
            people_window=self.people_window,
            has_reply_context=self.has_reply_context,
            is_public=self.is_public,
            has_renamings=self.has_renamings,
            has_quotes=self.has_quotes,
            debounce=self.debounce,
        )

    def address(self, customer: str) -> ChannelAddress:
        """Return where a customer writes from."""
        return ChannelAddress(channel=self.channel, account=self.account, external_id=customer)

    def request(self, events: list[InboundEvent]) -> WebhookRequest:
        """Return the webhook call that brings events."""
        body = json.dumps(_EVENTS.dump_python(events, mode="json")).encode()
        return WebhookRequest(method="POST", headers={"x-proof": PROOF}, query={}, body=body)

    def invitation_url(self, referral: str) -> str | None:
        """Return a link that brings a referral."""
        return f"{self.invites_at}{referral}" if self.invites_at is not None else None

    def verify(self, request: WebhookRequest) -> None:
        """Refuse what does not carry the proof."""
        if request.headers.get("x-proof") != PROOF:
            raise WebhookRejectedError

    def parse(self, request: WebhookRequest) -> list[InboundEvent]:
        """Return the events of a call."""
        try:
            return _EVENTS.validate_python(json.loads(request.body))
        except ValueError as error:
            raise MalformedWebhookError from error

    def plan(self, message: OutboundMessage, address: ChannelAddress) -> tuple[SendOperation, ...] | Refusal:
        """Cut the message as real channels do."""
        return self.refusal or planning.plan(message, address, self.capabilities)

    async def send(self, operation: SendOperation, key: str) -> SendResult:
        """Do what the script says, and keep the truth."""
        text = operation.text if isinstance(operation, SendText) else f"<{operation.attachment.name}>"
        self.calls.append((key, text))
        if self.during_send is not None:
            await self.during_send(operation)
        default = Outcome(result=Sent(external_id=f"{operation.address.external_id}-{len(self.calls)}"), arrives=True)
        outcome = self.script.popleft() if self.script else default
        is_repeat = self.is_idempotent and any(seen.key == key for seen in self.shown)
        if outcome.arrives and not is_repeat:
            choices = tuple(choice.payload for choice in operation.choices) if isinstance(operation, SendText) else ()
            customer = operation.address.external_id
            name = outcome.result.external_id if isinstance(outcome.result, Sent) else ""
            shown = Shown(
                customer=customer,
                text=text,
                author=operation.author,
                key=key,
                choices=choices,
                external_id=name,
                is_late=operation.is_late,
                reply_context=operation.reply_context,
                quotes=operation.quotes if isinstance(operation, SendText) else "",
            )
            self.shown.append(shown)
        if outcome.result is None:
            raise ProcessKilledError
        return outcome.result

    async def edit(self, operation: SendText, external_id: str, key: str) -> SendResult:
        """Show another text in the place of one, as the script says."""
        return self._change(external_id, operation.text, key)

    async def unsend(self, address: ChannelAddress, external_id: str, key: str) -> SendResult:  # noqa: ARG002
        """Show nothing in the place of a text, as the script says."""
        return self._change(external_id, None, key)

    def _change(self, external_id: str, text: str | None, key: str) -> SendResult:
        self.calls.append((key, text or ""))
        outcome = self.script.popleft() if self.script else Outcome(result=Sent(external_id=external_id), arrives=True)
        if outcome.arrives:
            changed = (
                replace(each, text=text or "") if each.external_id == external_id else each for each in self.shown
            )
            self.shown = [each for each in changed if each.text]
        if outcome.result is None:
            raise ProcessKilledError
        return outcome.result

    async def fetch(self, attachment: Attachment) -> bytes:
        """Return a file's bytes."""
        self.fetched.append(attachment.reference)
        if attachment.reference not in self.files:
            raise MediaError("it is gone")
        return self.files[attachment.reference]

    def seen_by(self, customer: str) -> list[str]:
        """Return what a customer saw, in order."""
        return [shown.text for shown in self.shown if shown.customer == customer]


def message(connector: FakeConnector, customer: str, external_id: str, text: str, **more: Any) -> InboundMessage:
    """Return a message of a customer."""
    return InboundMessage(address=connector.address(customer), external_id=external_id, text=text, **more)
