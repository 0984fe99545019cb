"""A brand's own app speaks to us, and we to it, by signed webhooks. `docs/connect-app.md` is the protocol."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import ClassVar
from urllib.parse import urlsplit

import structlog
from pydantic import Field, SecretStr, field_validator

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.connectors import (
    Ambiguous,
    Capabilities,
    Connector,
    Permanent,
    Refusal,
    Retry,
    SendOperation,
    SendResult,
    SendText,
    Sent,
    WebhookRequest,
)
from bot.domain.errors import MalformedWebhookError, MediaError, SettingsError
from bot.domain.messages import Attachment, AttachmentKind, InboundEvent, InboundMessage, OutboundMessage
from bot.domain.planning import plan
from bot.domain.ports import MediaStore
from connectors import standard_webhooks
from connectors.app.events import CHANNEL, Mailbox
from connectors.downloads import Downloads
from connectors.fields import Fields, load, storable
from connectors.files import load as load_file
from connectors.http import Answer, Call, CallError, Line, asked_pause, classify
from connectors.setup import ChannelSettings, Facilities, Words, shown
from connectors.verdicts import ACCOUNT, LATER, NEVER, Verdict

log = structlog.get_logger()

_CONNECTIONS_MAX = 64
_ANSWER_MAX = 100_000
_REASON_MAX = 200
#: Bytes of a file: sent whole in the call, fetched by its address.
_SENT_MAX, _FETCHED_MAX = 5_000_000, 25_000_000

#: HTTP status that the app answers → verdict and words for an agent; `docs/connect-app.md` has the same table.
STATUSES: dict[int, tuple[Verdict, str]] = {
    400: (NEVER, "the app does not understand the message"),
    401: (ACCOUNT, "the app refuses our signature: give both sides the same secret"),
    403: (ACCOUNT, "the app refuses our signature: give both sides the same secret"),
    404: (NEVER, "the app knows no such customer"),
    408: (LATER, "the app asks to be called again"),
    410: (NEVER, "the customer has left the app"),
    413: (NEVER, "the message is too large for the app"),
    422: (NEVER, "the app cannot show this message"),
    425: (LATER, "the app asks to be called again"),
    429: (LATER, "the app asks for a pause"),
}


class AppSettings(ChannelSettings):
    """One app, shop or device that speaks the protocol; `[[app]]` for several."""

    section: ClassVar = "app"
    titles: ClassVar = {CHANNEL: "App"}
    needed: ClassVar = ("name", "secret", "url")
    is_called: ClassVar = True

    #: of our choosing: small letters, digits and -; part of the webhook's address. none: no app
    name: str = ""
    #: whsec_…: what both sides sign with
    secret: SecretStr | None = None
    #: what the app may still sign with while its secret is exchanged
    old_secret: SecretStr | None = None
    #: where the app takes our calls
    url: str = ""
    #: hosts whose files are fetched: a whole name, or *.example.com
    file_hosts: Words = ()
    #: longest text of one message, in characters
    text_max: int = 4000
    #: choices that the app can show below a text
    choices_max: int = Field(default=10, ge=0, le=100)
    #: whether the app takes "typing" and "read"
    has_signs: bool = False
    #: whether the app shows which message an answer quotes
    has_quotes: bool = False
    #: HTTP proxy on the way there
    proxy_url: SecretStr | None = None

    @field_validator("name")
    @classmethod
    def _is_name(cls, value: str) -> str:
        if value and not re.fullmatch(r"[a-z0-9-]{1,60}", value):
            raise ValueError("a name is small letters, digits and -")
        return value

    @field_validator("secret", "old_secret")
    @classmethod
    def _is_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            standard_webhooks.read_secret(value.get_secret_value())
        return value

    @field_validator("url")
    @classmethod
    def _is_safe(cls, value: str) -> str:
        parts = urlsplit(value)
        is_here = parts.hostname in {"127.0.0.1", "localhost", "::1"}
        if value and (not parts.hostname or parts.scheme not in ({"http", "https"} if is_here else {"https"})):
            raise ValueError("must start with https://, as answers hold what only the customer may read")
        return value

    @field_validator("text_max")
    @classmethod
    def _holds_words(cls, value: int) -> int:
        if not 20 <= value <= 100_000:
            raise ValueError("must be from 20 to 100000")
        return value

    def connectors(self, facilities: Facilities) -> tuple[Connector, ...]:
        """Return the app's connector."""
        return (AppConnector(self, facilities.media),)


class AppConnector:
    """Speaks with one app. `sleep` waits between attempts to fetch a file, `clock` is in seconds since 1970."""

    def __init__(
        self,
        app: AppSettings,
        media: MediaStore,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._app = app
        self._media = media
        self._clock = clock
        secrets = [secret for secret in (app.secret, app.old_secret) if secret is not None]
        self._keys = tuple(standard_webhooks.read_secret(shown(secret)) for secret in secrets)
        self._mailbox = Mailbox(account=self.account)
        proxy_url = shown(app.proxy_url) or None
        self._line = Line(_CONNECTIONS_MAX, proxy_url, "", "")
        self._downloads = Downloads(frozenset(app.file_hosts), _FETCHED_MAX, proxy_url, sleep=sleep)

    @property
    def channel(self) -> ChannelName:
        """The channel's name."""
        return CHANNEL

    @property
    def account(self) -> AccountId:
        """What we call the app."""
        return AccountId(self._app.name)

    @property
    def capabilities(self) -> Capabilities:
        """What the app said it carries."""
        return Capabilities(
            text_max=self._app.text_max,
            choices_max=self._app.choices_max,
            choice_title_max=80,
            attachments=frozenset(AttachmentKind),
            attachment_max_bytes=_SENT_MAX,
            is_send_idempotent=True,
            has_edits=True,
            has_quotes=self._app.has_quotes,
        )

    def verify(self, request: WebhookRequest) -> None:
        """Return if the call is signed with the secret, now."""
        standard_webhooks.verify(self._keys, request.headers, request.body, self._clock())

    def parse(self, request: WebhookRequest) -> list[InboundEvent]:
        """Return every event of the call."""
        return self._mailbox.read(request.body)

    def plan(self, message: OutboundMessage, address: ChannelAddress) -> tuple[SendOperation, ...] | Refusal:
        """Return the calls."""
        return plan(message, address, self.capabilities)

    async def send(self, operation: SendOperation, key: str) -> SendResult:
        """Make one call; the app takes a repeat with the same key for the same message."""
        said: dict[str, object] = {"type": "message", "author": operation.author, "author_name": operation.author_name}
        if isinstance(operation, SendText):
            said["text"] = storable(operation.text)
            if operation.quotes:
                said["quotes"] = operation.quotes
            said["choices"] = [{"title": each.title, "choice": each.payload} for each in operation.choices]
        else:
            found = await load_file(self._media, operation.attachment)
            if not isinstance(found, tuple):
                return found
            said["attachment"] = _written(*found)
        return await self._tell(operation.address, said, key)

    async def edit(self, operation: SendText, external_id: str, key: str) -> SendResult:
        """Show another text in the place of one."""
        said = {"type": "edit", "of": external_id, "text": storable(operation.text)}
        return _changed(await self._tell(operation.address, said, key), external_id)

    async def unsend(self, address: ChannelAddress, external_id: str, key: str) -> SendResult:
        """Take a message back."""
        return _changed(await self._tell(address, {"type": "withdrawal", "of": external_id}, key), external_id)

    async def show_typing(self, address: ChannelAddress) -> None:
        """Say that an answer is being written."""
        await self._sign(address, {"type": "typing"})

    async def mark_read(self, message: InboundMessage) -> None:
        """Say that a message was taken up."""
        await self._sign(message.address, {"type": "read", "of": message.external_id})

    async def _sign(self, address: ChannelAddress, said: dict[str, object]) -> None:
        if not self._app.has_signs:
            return
        result = await self._tell(address, said, f"sign-{time.time_ns()}")
        if not isinstance(result, Sent):
            log.debug("app_sign_failed", account=self.account, reason=result.reason)

    async def _tell(self, address: ChannelAddress, said: Mapping[str, object], key: str) -> SendResult:
        body = json.dumps({"customer": {"id": address.external_id}, **said}).encode()
        proof = standard_webhooks.headers(self._keys[0], key, body, self._clock())
        headers = {"Content-Type": "application/json", "Accept": "application/json", **proof}
        try:
            answer = await self._line.answer(
                Call(method="POST", url=self._app.url, headers=headers, body=body, bytes_max=_ANSWER_MAX)
            )
        except CallError as error:
            return classify(error)
        return _read(answer, key)

    async def fetch(self, attachment: Attachment) -> bytes:
        """Return a file's bytes, from the hosts that the operator named."""
        if not self._app.file_hosts:
            raise MediaError("app.file_hosts names no server that files are fetched from")
        return await self._downloads.get(attachment.reference)

    async def check(self) -> str:
        """Return one line on the app; raises `SettingsError` when it does not answer a signed call."""
        nobody = ChannelAddress(channel=CHANNEL, account=self.account, external_id="doctor")
        result = await self._tell(nobody, {"type": "ping"}, f"ping-{time.time_ns()}")
        if isinstance(result, Sent):
            return f"{self.account}: {self._app.url} answers signed calls"
        raise SettingsError(f"app {self.account}: {self._app.url} does not answer a ping with 200: {result.reason}")

    async def close(self) -> None:
        """Close all connections."""
        await self._line.close()
        await self._downloads.close()


def _written(attachment: Attachment, content: bytes) -> dict[str, object]:
    return {
        "kind": attachment.kind.value,
        "name": attachment.name,
        "media_type": attachment.media_type,
        "content": base64.b64encode(content).decode(),
    }


def _changed(result: SendResult, external_id: str) -> SendResult:
    return Sent(external_id=external_id) if isinstance(result, Sent) else result


def _read(answer: Answer, key: str) -> SendResult:
    """Return what is certain after the app answered; without an id of its own a message is called by its key."""
    try:
        body = Fields(load(answer.body)) if answer.body.strip() else Fields({})
        named, said = body.text("id", ""), body.text("reason", "")[:_REASON_MAX]
    except MalformedWebhookError:
        named, said = "", ""
    if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES or answer.status == HTTPStatus.CONFLICT:
        return Sent(external_id=named or key)
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status < HTTPStatus.BAD_REQUEST:
        return Ambiguous(reason=f"the app failed, and the message may have arrived (HTTP {answer.status})")
    verdict, words = STATUSES.get(answer.status, (NEVER, f"the app refuses it (HTTP {answer.status})"))
    if verdict is LATER:
        return Retry(reason=words, after=asked_pause(answer.headers))
    reason = f"{words}: {said}" if said else words
    return Permanent(reason=reason, code=str(answer.status), is_account=verdict is ACCOUNT)
