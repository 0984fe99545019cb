"""The chat on the brand's own site: our own protocol, spoken with the widget in `connectors/static`.

A visitor is known by a token that only their browser holds; we store what it hashes to. Everything a page shows, the
visitor's own messages included, is one numbered feed, so that reloads, further tabs and lost connections are one case.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.domain import planning
from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.connectors import (
    Capabilities,
    Permanent,
    SendOperation,
    SendResult,
    SendText,
    Sent,
    WebhookRequest,
)
from bot.domain.errors import MalformedWebhookError, WebhookRejectedError
from bot.domain.messages import (
    Attachment,
    AttachmentKind,
    Choice,
    InboundEvent,
    InboundMessage,
    MediaId,
    OutboundMessage,
    Receipt,
    ReceiptKind,
    Unsupported,
)
from bot.domain.ports import Clock, VisitorFeed
from bot.domain.texts import clean, line
from connectors.fields import Fields, load

CHANNEL = ChannelName("webchat")
#: Of one file, both ways.
FILE_MAX_BYTES = 10 * 1024 * 1024
#: Of one message.
FILES_MAX = 5
CAPABILITIES = Capabilities(
    text_max=4_000,
    choices_max=12,
    choice_title_max=60,
    attachments=frozenset(AttachmentKind),
    attachment_max_bytes=FILE_MAX_BYTES,
    is_send_idempotent=True,
)

_SEED_BYTES = 26
_MAC_BYTES = 16
_TOKEN = re.compile(r"[A-Za-z0-9_-]{56}")
_CLIENT_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
_MESSAGE_ID = re.compile(r"[0-9a-f]{32}")
_PAYLOAD = re.compile(r"[!-~]{1,24}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8}){0,4}")
#: What may be logged of a kind that we do not know: a word, and never a text.
_KIND = re.compile(r"[a-z_]{1,40}")
_READ_MAX = 50
_REFERRAL_MAX = 100


@dataclass(frozen=True, kw_only=True)
class Session:
    """What a browser is given once."""

    #: the visitor's only proof; never stored, never logged
    token: str = field(repr=False)
    #: what we know the visitor by: 32 hex digits that the token hashes to
    visitor: str


@dataclass(frozen=True, kw_only=True)
class VisitorKeys:
    """Makes and checks visitors' tokens and the keys of their files, with one secret and no table."""

    #: at least 32 random bytes; when it changes, open chats start anew
    secret: bytes = field(repr=False)

    def session(self, seed: bytes) -> Session:
        """Return the session that 26 random bytes make."""
        if len(seed) != _SEED_BYTES:
            raise ValueError(f"a seed has {_SEED_BYTES} bytes")
        token = _encode(seed + self._mac(b"session", seed))
        return Session(token=token, visitor=_visitor(token))

    def visitor(self, headers: Mapping[str, str]) -> str:
        """Return the visitor whose token is in `Authorization: Bearer`; raise `WebhookRejectedError` without one."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not _TOKEN.fullmatch(token):
            raise WebhookRejectedError("a session token is missing")
        raw = base64.urlsafe_b64decode(token)
        if not hmac.compare_digest(raw[_SEED_BYTES:], self._mac(b"session", raw[:_SEED_BYTES])):
            raise WebhookRejectedError("the session token is not ours")
        return _visitor(token)

    def file_key(self, visitor: str, attachment: Attachment) -> str:
        """Return what names a stored file to this visitor and nobody else, its name and type included."""
        described = [
            attachment.media_id,
            attachment.kind.value,
            attachment.name[:200],
            attachment.media_type,
            attachment.size,
        ]
        body = json.dumps(described, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
        return f"{_encode(body)}.{_encode(self._mac(b'file', visitor.encode() + body))}"

    def file(self, visitor: str, key: str) -> Attachment:
        """Return the file that `file_key` named to this visitor; raise `MalformedWebhookError` for any other key."""
        body, _, mac = key.partition(".")
        try:
            raw = base64.urlsafe_b64decode(body.encode("ascii") + b"=" * (-len(body) % 4))
            expected = _encode(self._mac(b"file", visitor.encode() + raw))
            if not hmac.compare_digest(mac.encode("ascii"), expected.encode()):
                raise MalformedWebhookError("there is no such file")
        except ValueError:
            raise MalformedWebhookError("there is no such file") from None
        media_id, kind, name, media_type, size = json.loads(raw)
        return Attachment(
            kind=AttachmentKind(kind), name=name, media_type=media_type, size=size, media_id=MediaId(media_id)
        )

    def _mac(self, purpose: bytes, content: bytes) -> bytes:
        return hmac.digest(self.secret, purpose + b"\0" + content, "sha256")[:_MAC_BYTES]


class WebChatConnector:
    """Speaks with the widget; what it sends is put into the visitor's feed."""

    def __init__(
        self, *, account: AccountId, keys: VisitorKeys, feed: VisitorFeed, clock: Clock, page: str | None = None
    ) -> None:
        """Answer on the site `account`, whose chat stands on `page`; none: no link leads there."""
        self._page = page
        self._account = account
        self.keys = keys
        self._feed = feed
        self._clock = clock

    @property
    def channel(self) -> ChannelName:
        """`webchat`."""
        return CHANNEL

    @property
    def account(self) -> AccountId:
        """The site the chat is on."""
        return self._account

    @property
    def capabilities(self) -> Capabilities:
        """Everything but edits and limits: the widget is ours."""
        return CAPABILITIES

    def invitation_url(self, referral: str) -> str | None:
        """Return the link to the page of the chat, whose widget sends the referral on."""
        if self._page is None:
            return None
        return f"{self._page}{'&' if '?' in self._page else '?'}invitation={referral}"

    def verify(self, request: WebhookRequest) -> None:
        """Return if the request carries a session token of ours."""
        self.keys.visitor(request.headers)

    def parse(self, request: WebhookRequest) -> list[InboundEvent]:
        """Return what the widget reports: one message, or a receipt for each message the visitor has read."""
        visitor = self.keys.visitor(request.headers)
        fields = Fields(load(request.body))
        match fields.text("type", "message"):
            case "message":
                return [self._message(visitor, fields)]
            case "read":
                return [self._read(visitor, external_id) for external_id in _ids(fields)]
            case other:
                return [
                    Unsupported(
                        external_id=f"{visitor}:{_client_id(fields)}",
                        kind=other if _KIND.fullmatch(other) else "unnamed",
                    )
                ]

    def plan(self, message: OutboundMessage, address: ChannelAddress) -> tuple[SendOperation, ...]:
        """Return the feed entries that show the message."""
        return planning.plan(message, address, CAPABILITIES)

    async def send(self, operation: SendOperation, key: str) -> SendResult:
        """Put the operation into the visitor's feed; the same key is shown once, however often it is sent."""
        visitor = operation.address.external_id
        external_id = hashlib.sha256(f"{visitor}/{key}".encode()).hexdigest()[:32]
        body: dict[str, object] = {
            "type": "message",
            "id": external_id,
            "author": operation.author,
            "author_name": operation.author_name,
            "text": "",
            "choices": [],
            "attachments": [],
            "at": self._clock.now().isoformat(),
        }
        if isinstance(operation, SendText):
            body["text"] = operation.text
            body["choices"] = [_choice(choice) for choice in operation.choices]
        elif operation.attachment.media_id is not None:
            body["attachments"] = [self.shown_file(visitor, operation.attachment)]
        elif operation.attachment.reference.startswith(("https://", "http://")):
            body["text"] = operation.attachment.reference
        else:
            return Permanent(reason="the file was not kept, so it cannot be shown")
        await self._feed.put(visitor, key, body)
        return Sent(external_id=external_id)

    async def edit(self, operation: SendText, external_id: str, key: str) -> SendResult:
        """Have the visitor's pages show another text."""
        body: dict[str, object] = {"type": "edited", "of": external_id, "text": operation.text}
        return await self._change(operation.address, external_id, key, body)

    async def unsend(self, address: ChannelAddress, external_id: str, key: str) -> SendResult:
        """Have the visitor's pages show that a message was taken back."""
        return await self._change(address, external_id, key, {"type": "removed", "of": external_id})

    async def _change(self, address: ChannelAddress, external_id: str, key: str, body: dict[str, object]) -> SendResult:
        await self._feed.put(address.external_id, key, body | {"at": self._clock.now().isoformat()})
        return Sent(external_id=external_id)

    async def show_typing(self, address: ChannelAddress) -> None:
        """Show the dots on the visitor's open pages."""
        self._feed.typing(address.external_id)

    async def echo(self, message: InboundMessage) -> None:
        """Put the visitor's own message into their feed, so that every page of theirs shows it; repeats vanish.

        This comes before the message is stored, so that no answer stands above it; the widget keeps the message until
        it hears that it is stored.
        """
        visitor, _, client_id = message.external_id.partition(":")
        body: dict[str, object] = {
            "type": "message",
            "id": client_id,
            "author": "customer",
            "author_name": None,
            "text": message.text,
            "choices": [],
            "attachments": [self.shown_file(visitor, attachment) for attachment in message.attachments],
            "at": self._clock.now().isoformat(),
        }
        await self._feed.put(visitor, f"customer:{client_id}", body)

    def shown_file(self, visitor: str, attachment: Attachment) -> dict[str, object]:
        """Return a stored file as the widget is told of it."""
        return {
            "file": self.keys.file_key(visitor, attachment),
            "kind": attachment.kind.value,
            "name": attachment.name,
            "media_type": attachment.media_type,
            "size": attachment.size,
        }

    def _address(self, visitor: str) -> ChannelAddress:
        return ChannelAddress(channel=CHANNEL, account=self._account, external_id=visitor)

    def _message(self, visitor: str, fields: Fields) -> InboundMessage:
        client_id = _client_id(fields)
        choice = fields.text("choice", "") or None
        if choice is not None and not _PAYLOAD.fullmatch(choice):
            raise MalformedWebhookError("`choice` must be the payload of a choice that was offered")
        keys = fields.texts("attachments", FILES_MAX)
        message = InboundMessage(
            address=self._address(visitor),
            external_id=f"{visitor}:{client_id}",
            text=clean(fields.text("text", "")),
            attachments=tuple(self.keys.file(visitor, key) for key in keys),
            choice=choice,
            referral=line(fields.text("invitation", ""))[:_REFERRAL_MAX],
            display_name=line(fields.text("name", ""))[:100] or None,
            language=_language(fields),
        )
        if not (message.text or message.attachments or message.choice):
            raise MalformedWebhookError("a message needs a text, a choice or a file")
        return message

    def _read(self, visitor: str, external_id: str) -> Receipt:
        return Receipt(
            address=self._address(visitor),
            external_id=f"{visitor}:read:{external_id}",
            of_external_id=external_id,
            kind=ReceiptKind.READ,
        )


def _visitor(token: str) -> str:
    return hashlib.sha256(token.encode("ascii")).hexdigest()[:32]


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _choice(choice: Choice) -> dict[str, str]:
    return {"title": choice.title, "payload": choice.payload}


def _client_id(fields: Fields) -> str:
    client_id = fields.text("id")
    if not _CLIENT_ID.fullmatch(client_id):
        raise MalformedWebhookError("`id` must be 8 to 64 letters, digits and hyphens, made anew for each message")
    return client_id


def _language(fields: Fields) -> str | None:
    """Return the language of the page; one that is none makes a message no less a message."""
    told = fields.text("language", "")
    return told if _LANGUAGE.fullmatch(told) else None


def _ids(fields: Fields) -> list[str]:
    ids = fields.texts("of", _READ_MAX)
    if not all(_MESSAGE_ID.fullmatch(external_id) for external_id in ids):
        raise MalformedWebhookError("`of` must be ids of messages")
    return list(dict.fromkeys(ids))
