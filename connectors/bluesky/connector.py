"""Bluesky: direct messages, and what people say to an account in public.

The network is asked; it calls nobody. A post is a record whose key we choose, after the key of the call, and which is
only made where none is (https://docs.bsky.app/docs/api/com-atproto-repo-put-record, `swapRecord`): so a repeated answer
is shown once. Messages have no such key.
"""

from __future__ import annotations

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

import structlog
from pydantic import Field, SecretStr, field_validator

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.connectors import (
    Ambiguous,
    Capabilities,
    Connector,
    Permanent,
    Refusal,
    SendOperation,
    SendResult,
    SendText,
    Sent,
    Sink,
    TextUnit,
    WebhookRequest,
)
from bot.domain.errors import MalformedWebhookError, SettingsError
from bot.domain.messages import Attachment, AttachmentKind, InboundEvent, OutboundMessage
from bot.domain.planning import measure, plan
from bot.domain.ports import Cursors, MediaStore
from connectors.bluesky.api import EXISTS, BlueskyApi, Failure, Login
from connectors.bluesky.chat import Chat
from connectors.bluesky.events import (
    CDN_URL,
    CHANNEL,
    CONVO,
    MENTIONS,
    PARENT,
    ROOT,
    SEEN,
    Timeline,
    post_of,
)
from connectors.bluesky.media import PICTURE_MAX, Pictures
from connectors.bluesky.poll import BlueskyPoll, PollParts
from connectors.bluesky.text import facets_of, record_key, stamped
from connectors.downloads import Downloads, origin_of
from connectors.fields import Fields, load, storable
from connectors.moments import this_moment
from connectors.setup import SAFE_URL, ChannelSettings, Facilities, shown
from connectors.uncalled import Uncalled

log = structlog.get_logger()

#: Of a post and of a message, in signs and in bytes: https://docs.bsky.app, lexicons app.bsky.feed.post and
#: chat.bsky.convo.defs#messageInput.
_POST_MAX, _POST_BYTES = 300, 3_000
_MESSAGE_MAX, _MESSAGE_BYTES = 1_000, 10_000
_DOWNLOAD_MAX = 10_000_000
_COLLECTION = "app.bsky.feed.post"
_DECLARATION = "chat.bsky.actor.declaration"


class BlueskySettings(ChannelSettings):
    """One account."""

    section: ClassVar = "bluesky"
    titles: ClassVar = {CHANNEL: "Bluesky", MENTIONS: "Bluesky mentions"}
    needed: ClassVar = ("handle", "app_password")

    #: copperleaf.bsky.social, or the brand's own domain; none: no Bluesky
    handle: str = ""
    #: made in Settings, Privacy and security, App passwords, with access to direct messages
    app_password: SecretStr | None = None
    #: whether what is said in public is heard and answered too
    has_mentions: bool = True
    #: seconds between two looks
    looks_every: float = Field(default=10.0, ge=3, le=3600)
    #: the server that opens the account
    base_url: str = "https://bsky.social"
    #: where pictures of posts are
    cdn_url: str = CDN_URL
    #: HTTP proxy on the way there
    proxy_url: SecretStr | None = None

    @field_validator("handle")
    @classmethod
    def _is_handle(cls, value: str) -> str:
        value = value.removeprefix("@").lower()
        if value and not re.fullmatch(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+", value):
            raise ValueError("must be the whole handle: copperleaf.bsky.social")
        return value

    @field_validator("base_url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if not SAFE_URL.match(value):
            raise ValueError("must start with https://, as a password goes there")
        return value.rstrip("/")

    def connectors(self, facilities: Facilities) -> tuple[Connector, ...]:
        """Return the connector of the messages, which looks for all, and that of what is said in public."""
        office = Office(self, facilities.media, facilities.cursors)
        private = BlueskyConnector(office)
        return (private, BlueskyMentionsConnector(office)) if self.has_mentions else (private,)


class Office:
    """What the connectors of one account share. `sleep` waits between looks, `now` is the moment."""

    def __init__(
        self,
        account: BlueskySettings,
        media: MediaStore,
        cursors: Cursors,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], datetime] = this_moment,
    ) -> None:
        """Connect to nothing before the first call."""
        self.account = account
        self.now = now
        proxy_url = shown(account.proxy_url) or None
        login = Login(url=account.base_url, handle=account.handle, password=shown(account.app_password))
        self.api = BlueskyApi(login, proxy_url, now)
        self.chat = Chat(self.api, now)
        self.pictures = Pictures(self.api, media)
        hosts, origins = frozenset({"cdn.bsky.app"}), frozenset({origin_of(account.cdn_url)} - {CDN_URL})
        self.downloads = Downloads(hosts, _DOWNLOAD_MAX, proxy_url, origins, sleep)
        parts = PollParts(
            api=self.api,
            cursors=cursors,
            now=now,
            sleep=sleep,
            looks_every=account.looks_every,
            has_mentions=account.has_mentions,
        )
        self.poll = BlueskyPoll(parts, Timeline(account=AccountId(account.handle), cdn_url=account.cdn_url))

    async def close(self) -> None:
        """Close all connections."""
        await self.api.close()
        await self.downloads.close()


class _Speaker(Uncalled, ABC):
    """What is common to messages and posts."""

    #: of one text
    bytes_max: ClassVar[int]

    def __init__(self, office: Office) -> None:
        """Use what the account has."""
        self._office = office

    @property
    @abstractmethod
    def channel(self) -> ChannelName:
        """The channel's name."""

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What the channel can carry."""

    @property
    def account(self) -> AccountId:
        """The account's handle."""
        return AccountId(self._office.account.handle)

    def parse(self, request: WebhookRequest) -> list[InboundEvent]:
        """Return every event of a page as it was put together, those of the account's other channel as well."""
        return self._office.poll.timeline.read(request.body)

    def plan(self, message: OutboundMessage, address: ChannelAddress) -> tuple[SendOperation, ...] | Refusal:
        """Return the calls; signs that take many bytes make shorter pieces."""
        can = self.capabilities
        planned: tuple[SendOperation, ...] = ()
        for unit, limit in (
            (can.text_unit, can.text_max),
            (can.text_unit, can.text_max // 3),
            (TextUnit.BYTES, can.text_max),
        ):
            planned = plan(message, address, replace(can, text_unit=unit, text_max=limit))
            texts = (each.text for each in planned if isinstance(each, SendText))
            if all(measure(text, TextUnit.BYTES) <= self.bytes_max for text in texts):
                break
        return planned

    async def close(self) -> None:
        """Close all connections."""
        await self._office.close()


class BlueskyConnector(_Speaker):
    """Speaks by direct message for one account, and looks for everything that is said to it."""

    bytes_max = _MESSAGE_BYTES

    @property
    def channel(self) -> ChannelName:
        """The channel's name."""
        return CHANNEL

    @property
    def capabilities(self) -> Capabilities:
        """What a message carries: words, which nobody can take back from the other's sight."""
        return Capabilities(
            text_max=_MESSAGE_MAX, text_unit=TextUnit.GRAPHEMES, has_quotes=True, has_reply_context=True
        )

    async def send(self, operation: SendOperation, key: str) -> SendResult:
        """Write one message."""
        if not isinstance(operation, SendText):
            return Permanent(reason="direct messages on Bluesky carry no files")
        customer, text = operation.address.external_id, storable(operation.text)
        convo = operation.reply_context.get(CONVO, "") or await self._office.chat.convo_with(customer)
        if not isinstance(convo, str):
            return convo
        result = await self._office.chat.write(convo, text, operation.quotes)
        if isinstance(result, Ambiguous):
            self._office.poll.doubt(customer, text, key)
        return result

    @property
    def is_polled(self) -> bool:
        """Always: Bluesky calls nobody."""
        return True

    async def poll(self, sink: Sink) -> None:
        """Fetch messages and notifications until cancelled."""
        await self._office.poll.run(sink)

    async def register(self) -> None:
        """Let everybody write to the account, unless it says already who may."""
        allowed = await self._allowed()
        if allowed == "":
            await self._declare()
        elif not isinstance(allowed, str):
            log.warning("bluesky_declared_later", account=self.account, reason=allowed.reason)

    async def _allowed(self) -> str | Failure:
        """Return who may write to the account; empty while it says nothing: those whom it follows."""
        did = await self._office.api.did()
        if not isinstance(did, str):
            return did
        query = [("repo", did), ("collection", _DECLARATION), ("rkey", "self")]
        answer = await self._office.api.get("com.atproto.repo.getRecord", query)
        if isinstance(answer, Permanent) and answer.code == "RecordNotFound":
            return ""
        try:
            return (
                Fields(load(answer)).object("value").text("allowIncoming", "") if isinstance(answer, bytes) else answer
            )
        except MalformedWebhookError:
            return Ambiguous(reason="Bluesky's answer cannot be read")

    async def _declare(self) -> None:
        record = {"$type": _DECLARATION, "allowIncoming": "all"}
        body = {"repo": await self._office.api.did(), "collection": _DECLARATION, "rkey": "self", "record": record}
        answer = await self._office.api.post("com.atproto.repo.putRecord", body)
        if not isinstance(answer, bytes):
            log.warning("bluesky_declared_later", account=self.account, reason=answer.reason)

    async def check(self) -> str:
        """Return one line on the account; raises `SettingsError` that says what to fix."""
        did = await self._office.api.did()
        if not isinstance(did, str):
            raise SettingsError(f"bluesky: {did.reason}")
        chat = await self._office.api.get("chat.bsky.convo.listConvos", [("limit", "1")])
        if not isinstance(chat, bytes):
            raise SettingsError(f"bluesky: {chat.reason}")
        allowed = await self._allowed()
        if not isinstance(allowed, str):
            raise SettingsError(f"bluesky: {allowed.reason}")
        if allowed != "all":
            who = "nobody" if allowed == "none" else "only those whom it follows"
            raise SettingsError(
                f"bluesky: {who} may write to {self.account}: in the app open Chat, Settings, and allow messages from "
                "everyone"
            )
        return f"@{self.account} ({did}), looks every {self._office.account.looks_every:g} s"


class BlueskyMentionsConnector(_Speaker):
    """Answers in public for one account."""

    bytes_max = _POST_BYTES

    @property
    def channel(self) -> ChannelName:
        """The channel's name."""
        return MENTIONS

    @property
    def capabilities(self) -> Capabilities:
        """What a post carries."""
        return Capabilities(
            text_max=_POST_MAX,
            text_unit=TextUnit.GRAPHEMES,
            attachments=frozenset({AttachmentKind.IMAGE}),
            attachment_max_bytes=PICTURE_MAX,
            is_send_idempotent=True,
            is_public=True,
            has_reply_context=True,
        )

    async def send(self, operation: SendOperation, key: str) -> SendResult:
        """Write one answer below a post; a picture is uploaded first, which nobody sees."""
        context = operation.reply_context
        did = await self._office.api.did()
        if not isinstance(did, str):
            return did
        try:
            seen = datetime.fromisoformat(context[SEEN])
            reply = {name: {"uri": context[name], "cid": context[f"{name}_cid"]} for name in (ROOT, PARENT)}
        except (KeyError, ValueError):
            return Permanent(reason="there is no post to answer")
        rkey = record_key(f"{self.account}:{key}", seen)
        record: dict[str, object] = {
            "$type": _COLLECTION,
            "createdAt": stamped(self._office.now(), rkey),
            "reply": reply,
            "text": "",
        }
        if isinstance(operation, SendText):
            record |= {"text": storable(operation.text), "facets": facets_of(storable(operation.text))}
        else:
            picture = await self._office.pictures.shown(operation.attachment)
            if not isinstance(picture, dict):
                return picture
            record["embed"] = {"$type": "app.bsky.embed.images", "images": [picture]}
        body = {"repo": did, "collection": _COLLECTION, "rkey": rkey, "record": record, "swapRecord": None}
        answer = await self._office.api.post("com.atproto.repo.putRecord", body)
        if isinstance(answer, Permanent) and answer.code == EXISTS:
            return Sent(external_id=f"at://{did}/{_COLLECTION}/{rkey}")
        return _sent(answer)

    async def reply_privately(self, operation: SendText, key: str) -> SendResult:
        """Write a direct message to who wrote what is answered, if they take any from us."""
        customer = operation.address.external_id.partition("/")[2].partition(":")[2]
        address = replace(operation.address, channel=CHANNEL, external_id=customer)
        private = BlueskyConnector(self._office)
        result = await private.send(SendText(address=address, text=operation.text), key)
        return replace(result, reached=address) if isinstance(result, Sent) else result

    async def unsend(self, address: ChannelAddress, external_id: str, key: str) -> SendResult:  # noqa: ARG002
        """Delete a post of ours; what is gone is gone."""
        did = await self._office.api.did()
        if not isinstance(did, str):
            return did
        try:
            author, rkey = post_of(external_id)
        except MalformedWebhookError:
            return Permanent(reason="this is no post")
        if author != did:
            return Permanent(reason="this is no post of ours")
        body = {"repo": did, "collection": _COLLECTION, "rkey": rkey}
        answer = await self._office.api.post("com.atproto.repo.deleteRecord", body)
        return Sent(external_id=external_id) if isinstance(answer, bytes) else answer

    async def fetch(self, attachment: Attachment) -> bytes:
        """Return a picture's bytes."""
        return await self._office.downloads.get(attachment.reference)


def _sent(answer: bytes | Failure) -> SendResult:
    if not isinstance(answer, bytes):
        return answer
    try:
        return Sent(external_id=Fields(load(answer)).text("uri"))
    except MalformedWebhookError:
        return Ambiguous(reason="Bluesky's answer names no post")
