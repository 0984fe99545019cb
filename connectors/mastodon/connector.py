"""Mastodon: what people write to an account so that only it reads it, and what they say to it in public.

The server is asked for notifications; it calls nobody. A status is made once for each key within an hour
(https://docs.joinmastodon.org/methods/statuses/#create), so a repeated answer is shown once.
"""

from __future__ import annotations

import asyncio
import re
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar

from pydantic import Field, SecretStr, field_validator

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.connectors import (
    Ambiguous,
    Capabilities,
    Connector,
    Permanent,
    Refusal,
    Retry,
    SendAttachment,
    SendOperation,
    SendResult,
    SendText,
    Sent,
    Sink,
    WebhookRequest,
)
from bot.domain.errors import MalformedWebhookError, SettingsError
from bot.domain.messages import Attachment, InboundEvent, OutboundMessage
from bot.domain.planning import plan
from bot.domain.ports import Cursors, MediaStore
from connectors.downloads import Downloads, origin_of
from connectors.fields import Fields, load, storable
from connectors.mastodon.api import GONE, Failure, MastodonApi
from connectors.mastodon.events import (
    ACCT,
    CHANNEL,
    DIRECT,
    MENTIONS,
    STATUS,
    VISIBILITY,
    WARNING,
    Timeline,
    acct_of,
)
from connectors.mastodon.media import FILE_KINDS, FILE_MAX_BYTES, Uploads, uncertain_is_later
from connectors.mastodon.poll import MastodonPoll, PollParts
from connectors.moments import this_moment
from connectors.setup import SAFE_URL, ChannelSettings, Facilities, shown
from connectors.uncalled import Uncalled

_STATUSES = "/api/v1/statuses"
#: Whatever its length, an address counts as so many characters.
_ADDRESS, _ADDRESS_WEIGHT = re.compile(r"https?://\S+"), 23
#: The server knows our keys for an hour; later it is looked whether the status is there.
_KEYS_LAST = timedelta(minutes=50)
_REMEMBERED, _LOOKED_BACK = 1_000, 40


class MastodonSettings(ChannelSettings):
    """One account on one server."""

    section: ClassVar = "mastodon"
    titles: ClassVar = {CHANNEL: "Mastodon", MENTIONS: "Mastodon mentions"}
    needed: ClassVar = ("name", "token")

    #: as others write the account: care@mastodon.example; none: no Mastodon
    name: str = ""
    #: access token of an application: Preferences, Development; scopes read and write
    token: SecretStr | None = None
    #: characters of a status, as the server allows
    text_max: int = Field(default=500, ge=200, le=100_000)
    #: whether what is said in public is heard and answered too
    has_mentions: bool = True
    #: seconds between two looks
    looks_every: float = Field(default=15.0, ge=5, le=3600)
    #: where the server is, where that is not what follows the @
    base_url: str = ""
    #: HTTP proxy on the way there
    proxy_url: SecretStr | None = None

    @field_validator("name")
    @classmethod
    def _is_name(cls, value: str) -> str:
        value = value.removeprefix("@").lower()
        if value and not re.fullmatch(r"[a-z0-9_.-]{1,100}@[a-z0-9.-]{1,200}(:[0-9]{1,5})?", value):
            raise ValueError("must be written as others write it: care@mastodon.example")
        return value

    @field_validator("base_url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if value and not SAFE_URL.match(value):
            raise ValueError("must start with https://, as a token goes there")
        return value.rstrip("/")

    @property
    def url(self) -> str:
        """Where the server is."""
        return self.base_url or f"https://{self.name.partition('@')[2]}"

    def connectors(self, facilities: Facilities) -> tuple[Connector, ...]:
        """Return the connector of what is private, which looks for all, and that of what is public."""
        office = Office(self, facilities.media, facilities.cursors)
        private = MastodonConnector(office)
        return (private, MastodonMentionsConnector(office)) if self.has_mentions else (private,)


class Office:
    """What the connectors of one account share. `sleep` waits between looks, `now` is the moment."""

    def __init__(
        self,
        account: MastodonSettings,
        media: MediaStore,
        cursors: Cursors,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], datetime] = this_moment,
    ) -> None:
        """Connect to nothing before the first call."""
        self.account = account
        self.now = now
        proxy_url = shown(account.proxy_url) or None
        self.api = MastodonApi(account.url, shown(account.token), proxy_url, now)
        self.uploads = Uploads(self.api, media, sleep)
        # A server keeps files wherever its operator likes, and hands out the addresses itself.
        self.downloads = Downloads(None, FILE_MAX_BYTES, proxy_url, frozenset({origin_of(account.url)}), sleep)
        parts = PollParts(api=self.api, cursors=cursors, now=now, sleep=sleep, looks_every=account.looks_every)
        self.poll = MastodonPoll(parts, Timeline(account=AccountId(account.name), has_mentions=account.has_mentions))

    async def close(self) -> None:
        """Close all connections."""
        await self.api.close()
        await self.downloads.close()


class _Speaker(Uncalled, ABC):
    """What is common to what is said in private and in public."""

    #: who reads what answers nothing
    visibility: ClassVar[str]

    def __init__(self, office: Office) -> None:
        """Use what the account has."""
        self._office = office
        self._unsure: OrderedDict[str, datetime] = OrderedDict()

    @property
    @abstractmethod
    def channel(self) -> ChannelName:
        """The channel's name."""

    @property
    def account(self) -> AccountId:
        """The account as others write it."""
        return AccountId(self._office.account.name)

    @property
    def capabilities(self) -> Capabilities:
        """What a status carries."""
        return Capabilities(
            text_max=self._office.account.text_max,
            attachments=FILE_KINDS,
            attachment_max_bytes=FILE_MAX_BYTES,
            is_send_idempotent=True,
            has_edits=True,
            has_reply_context=True,
            is_public=self.channel == MENTIONS,
        )

    def parse(self, request: WebhookRequest) -> list[InboundEvent]:
        """Return every event of a page as it was put together, those of the account's other channel as well."""
        return self._office.poll.timeline.read(request.body)

    def plan(self, message: OutboundMessage, address: ChannelAddress) -> tuple[SendOperation, ...] | Refusal:
        """Return the calls; the customer's name and the warning, which each status begins with, count as well."""
        context = message.reply_context
        taken = len(f"@{context[ACCT]} " if ACCT in context else "") + len(context.get(WARNING, ""))
        can = self.capabilities
        room = max(can.text_max - taken, can.text_max // 4)
        planned: tuple[SendOperation, ...] = ()
        for limit in (room, room * 2 // 3, room // 3):
            planned = plan(message, address, replace(can, text_max=limit))
            if all(weight(each.text) <= room for each in planned if isinstance(each, SendText)):
                break
        return planned

    async def send(self, operation: SendOperation, key: str) -> SendResult:
        """Make one status; a file is uploaded first, which nobody sees."""
        body = await self._status(operation)
        if not isinstance(body, dict):
            return body
        began = self._unsure.get(key)
        if began is not None and self._office.now() - began > _KEYS_LAST:
            found = await self._find(body)
            if found is not None:
                return found
        result = _sent(await self._office.api.send("POST", _STATUSES, body, f"{self.account}:{key}"))
        if isinstance(result, Ambiguous) and began is None:
            self._unsure[key] = self._office.now()
            while len(self._unsure) > _REMEMBERED:
                self._unsure.popitem(last=False)
        return result

    async def _status(self, operation: SendOperation) -> dict[str, object] | Failure:
        context = operation.reply_context
        acct = context.get(ACCT, "") or await self._acct(operation.address)
        if not isinstance(acct, str):
            return acct
        text = storable(operation.text) if isinstance(operation, SendText) else ""
        body: dict[str, object] = {
            "status": f"@{acct} {text}".strip(),
            "visibility": context.get(VISIBILITY) or self.visibility,
        }
        if answered := context.get(STATUS) or self._thread(operation.address):
            body["in_reply_to_id"] = answered
        if warning := context.get(WARNING):
            body["spoiler_text"] = warning
        if isinstance(operation, SendAttachment):
            uploaded = await self._office.uploads.upload(operation.attachment)
            if not isinstance(uploaded, str):
                return uploaded
            body["media_ids"] = [uploaded]
        return body

    async def _acct(self, address: ChannelAddress) -> str | Failure:
        """Return how a customer is called, of whom only the number is known."""
        answer = await self._office.api.get(f"/api/v1/accounts/{address.external_id.rpartition(':')[2]}")
        if not isinstance(answer, bytes):
            return uncertain_is_later(answer)
        try:
            return acct_of(Fields(load(answer)))
        except MalformedWebhookError:
            return Retry(reason="the server's answer cannot be read")

    def _thread(self, address: ChannelAddress) -> str:
        """Return the status that an address is a thread of; empty for a person."""
        return address.external_id.rpartition(":")[0]

    async def _find(self, body: dict[str, object]) -> SendResult | None:
        """Return the status that stands there already, if it does; its key is not known any more."""
        me = await self._office.api.get("/api/v1/accounts/verify_credentials")
        if not isinstance(me, bytes):
            return uncertain_is_later(me)
        try:
            path = f"/api/v1/accounts/{Fields(load(me)).text('id')}/statuses"
            own = await self._office.api.get(path, [("limit", str(_LOOKED_BACK))])
            if not isinstance(own, bytes):
                return uncertain_is_later(own)
            for each in Fields(load(b'{"own": ' + own + b"}")).objects("own"):
                if each.text("in_reply_to_id", "") == body.get("in_reply_to_id", ""):
                    source = await self._office.api.get(f"{_STATUSES}/{each.text('id')}/source")
                    if isinstance(source, bytes) and Fields(load(source)).text("text") == body["status"]:
                        return Sent(external_id=each.text("id"))
        except MalformedWebhookError:
            return Ambiguous(reason="the server's answer cannot be read")
        return None

    async def edit(self, operation: SendText, external_id: str, key: str) -> SendResult:  # noqa: ARG002
        """Show another text in the place of one; whom it calls and its warning stay."""
        source = await self._office.api.get(f"{_STATUSES}/{external_id}/source")
        if not isinstance(source, bytes):
            return source
        try:
            told = Fields(load(source))
            called = re.match(r"(@\S+\s+)?", told.text("text"))
            warning = told.text("spoiler_text", "")
        except MalformedWebhookError:
            return Retry(reason="the server's answer cannot be read")
        body = {"status": f"{called[0] if called else ''}{storable(operation.text)}", "spoiler_text": warning}
        answer = await self._office.api.send("PUT", f"{_STATUSES}/{external_id}", body)
        return Sent(external_id=external_id) if isinstance(answer, bytes) else answer

    async def unsend(self, address: ChannelAddress, external_id: str, key: str) -> SendResult:  # noqa: ARG002
        """Delete a status of ours; servers that have a copy are told, and most of them delete it too."""
        answer = await self._office.api.send("DELETE", f"{_STATUSES}/{external_id}")
        if isinstance(answer, bytes) or (isinstance(answer, Permanent) and answer.code == GONE):
            return Sent(external_id=external_id)
        return answer

    async def fetch(self, attachment: Attachment) -> bytes:
        """Return a file's bytes, from where our own server keeps it."""
        return await self._office.downloads.get(attachment.reference)

    async def close(self) -> None:
        """Close all connections."""
        await self._office.close()


class MastodonConnector(_Speaker):
    """Speaks with people so that only they read it, and looks for everything that is said to the account."""

    visibility = DIRECT

    @property
    def channel(self) -> ChannelName:
        """The channel's name."""
        return CHANNEL

    @property
    def is_polled(self) -> bool:
        """Always: Mastodon calls nobody."""
        return True

    async def poll(self, sink: Sink) -> None:
        """Fetch notifications until cancelled."""
        await self._office.poll.run(sink)

    async def check(self) -> str:
        """Return one line on the account and its server; raises `SettingsError` that says what to fix."""
        office = self._office
        try:
            me = Fields(load(_known(await office.api.get("/api/v1/accounts/verify_credentials"))))
            server = Fields(load(_known(await office.api.get("/api/v2/instance"))))
            limit = server.object("configuration").object("statuses").integer("max_characters")
            acct = me.text("acct")
            version = server.text("version", "unknown")
            policy = await office.api.get("/api/v2/notifications/policy")
            dropped = Fields(load(policy)).text("for_private_mentions", "") if isinstance(policy, bytes) else ""
        except MalformedWebhookError as error:
            raise SettingsError(f"mastodon: the server answers something else than expected: {error}") from None
        if acct.lower() != self.account.partition("@")[0]:
            raise SettingsError(f"mastodon: the token is not of {self.account}, but of {acct}")
        if limit < office.account.text_max:
            raise SettingsError(f"mastodon.text_max must be {limit} at most: the server takes no longer texts")
        if dropped == "drop":
            raise SettingsError(
                "mastodon: the account ignores private mentions: allow them in Preferences, Notifications, Manage "
                "notifications from"
            )
        return f"@{self.account} (Mastodon {version}, {limit} characters), looks every {office.account.looks_every:g} s"


class MastodonMentionsConnector(_Speaker):
    """Answers in public."""

    #: everybody, without a place on the server's own page
    visibility = "unlisted"

    @property
    def channel(self) -> ChannelName:
        """The channel's name."""
        return MENTIONS

    async def reply_privately(self, operation: SendText, key: str) -> SendResult:
        """Answer so that only the author of what is answered reads it."""
        context = {**operation.reply_context, VISIBILITY: DIRECT}
        result = await self.send(replace(operation, reply_context=context), f"{key}:private")
        author = operation.address.external_id.rpartition(":")[2]
        private = replace(operation.address, channel=CHANNEL, external_id=author)
        return replace(result, reached=private) if isinstance(result, Sent) else result


def _known(answer: bytes | Failure) -> bytes:
    if isinstance(answer, bytes):
        return answer
    raise SettingsError(f"mastodon: {answer.reason}")


def weight(text: str) -> int:
    """Return how many characters a text counts as, at most."""
    return len(text) + sum(max(0, _ADDRESS_WEIGHT - len(each)) for each in _ADDRESS.findall(text))


def _sent(answer: bytes | Failure) -> SendResult:
    if not isinstance(answer, bytes):
        return answer
    try:
        return Sent(external_id=Fields(load(answer)).text("id"))
    except MalformedWebhookError:
        return Ambiguous(reason="the server's answer names no status")
