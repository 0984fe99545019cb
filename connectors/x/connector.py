"""X: direct messages, and what people say to us in public (https://docs.x.com/x-api)."""

from __future__ import annotations

import asyncio
import base64
import hmac
import re
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import ClassVar
from urllib.parse import quote, urlsplit

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.connectors import (
    Ambiguous,
    Capabilities,
    Permanent,
    Refusal,
    SendAttachment,
    SendOperation,
    SendResult,
    SendText,
    Sent,
    Sink,
    TextUnit,
    WebhookAnswer,
    WebhookRequest,
)
from bot.domain.errors import MalformedWebhookError, SettingsError, WebhookRejectedError
from bot.domain.messages import Attachment, AttachmentKind, InboundEvent, OutboundMessage
from bot.domain.planning import plan
from bot.domain.ports import Cursors, MediaStore
from connectors.bills import Bill
from connectors.downloads import Downloads, origin_of
from connectors.fields import Fields, storable
from connectors.moments import this_moment
from connectors.x.api import Failure, XApi
from connectors.x.errors import DUPLICATE, NOT_SUMMONED
from connectors.x.events import CHANNEL, IN_REPLY_TO, MENTIONS, MESSAGE_EVENTS, PUBLIC_EVENTS, SUMMONED, Timeline
from connectors.x.limits import Allowances
from connectors.x.media import FILE_KINDS, FILE_MAX_BYTES, HOSTS, Uploads, fits
from connectors.x.oauth import Credentials
from connectors.x.register import Registration, Wanted, known
from connectors.x.text import LIMITS, POST_MAX, has_address, weight

API_URL = "https://api.x.com"
_SIGNATURE = "x-twitter-webhooks-signature"
_SIGNATURE_OAUTH2 = "x-twitter-webhooks-signature-oauth2"
#: No webhook call can look like this: whatever X asks us to sign must not sign one.
_CHALLENGE = re.compile(r"[A-Za-z0-9+/=_-]{1,128}")
#: Posts whose fate is not known are remembered so far.
_REMEMBERED = 1_000


@dataclass(frozen=True, kw_only=True)
class XAccount:
    """One account on X, and the app that speaks for it."""

    credentials: Credentials
    #: the app's OAuth 2.0 secret, if it has one: X signs with it then
    client_secret: str = field(default="", repr=False)
    #: of OAuth 2.0, needed once if X wants it for subscribing
    user_token: str = field(default="", repr=False)
    #: whether what is said in public is heard and answered
    has_mentions: bool = True
    webhook_url: str = ""
    base_url: str = API_URL
    #: HTTP proxy on the way to X
    proxy_url: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse what X would refuse."""
        if not re.fullmatch(r"[0-9]{1,20}-[A-Za-z0-9]+", self.credentials.token):
            raise SettingsError(
                "x.access_token must look like 1234567890-AbC…: it is that of an account, by OAuth 1.0a"
            )

    @property
    def id(self) -> AccountId:
        """X's number of the account: its access tokens begin with it."""
        return AccountId(self.credentials.token.partition("-")[0])


class Office:
    """What the connectors of one account share: its calls, limits, files and what it has sent."""

    def __init__(
        self,
        account: XAccount,
        media: MediaStore,
        cursors: Cursors,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], datetime] = this_moment,
    ) -> None:
        """Connect to nothing before the first call; `sleep` waits between attempts."""
        self.account = account
        self.sleep = sleep
        self.now = now
        self.cursors = cursors
        allowances = Allowances(f"{CHANNEL}/{account.id}", cursors)
        self.api = XApi(account.base_url, account.credentials, account.proxy_url, allowances, now)
        self.uploads = Uploads(self.api, media, sleep)
        origins = frozenset({origin_of(account.base_url)} - {API_URL})
        self.downloads = Downloads(HOSTS, FILE_MAX_BYTES, account.proxy_url, origins, sleep)
        self.bill = Bill(CHANNEL, account.id, cursors, now)

    async def close(self) -> None:
        """Close all connections."""
        await self.api.close()
        await self.downloads.close()


class _Speaker(ABC):
    """What messages and posts have in common: the webhook, files in both directions."""

    #: what X calls files that go here: "dm", "tweet"
    surface: ClassVar[str]

    def __init__(self, office: Office) -> None:
        self._office = office
        self._account = office.account
        self._timeline = Timeline(account=office.account.id)

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
        """X's number of the account."""
        return self._account.id

    def challenge(self, request: WebhookRequest) -> WebhookAnswer | None:
        """Answer X's challenge-response check; raises `WebhookRejectedError` for what is no challenge of X's."""
        if request.method != "GET":
            return None
        token = request.query.get("crc_token", "")
        if not _CHALLENGE.fullmatch(token):
            raise WebhookRejectedError("what is to be signed is no challenge of X's")
        secret = self._account.client_secret or self._account.credentials.consumer_secret
        body = f'{{"response_token": "{signature(token.encode(), secret)}"}}'
        return WebhookAnswer(status=200, body=body.encode(), content_type="application/json")

    def verify(self, request: WebhookRequest) -> None:
        """Return if the body is signed with one of the app's secrets."""
        proofs = [(_SIGNATURE, self._account.credentials.consumer_secret)]
        if self._account.client_secret:
            proofs.append((_SIGNATURE_OAUTH2, self._account.client_secret))
        for header, secret in proofs:
            shown = request.headers.get(header, "").encode("utf-8", "surrogatepass")
            if hmac.compare_digest(shown, signature(request.body, secret).encode()):
                return
        raise WebhookRejectedError("the signature is missing or wrong: is consumer_secret that of the app that calls?")

    def parse(self, request: WebhookRequest) -> list[InboundEvent]:
        """Return every event of a call, those of the account's other channel as well."""
        return self._timeline.read(request.body)

    def plan(self, message: OutboundMessage, address: ChannelAddress) -> tuple[SendOperation, ...] | Refusal:
        """Return the calls; files that X does not show are named in the text."""
        files = tuple(each if fits(each) else replace(each, kind=AttachmentKind.FILE) for each in message.attachments)
        return self._plan(replace(message, attachments=files), address)

    def _plan(self, message: OutboundMessage, address: ChannelAddress) -> tuple[SendOperation, ...] | Refusal:
        return plan(message, address, self.capabilities)

    async def _file(self, operation: SendAttachment) -> str | SendResult:
        return await self._office.uploads.upload(operation.attachment, self.surface)

    async def fetch(self, attachment: Attachment) -> bytes:
        """Return a file's bytes; those of direct messages are handed out to the account only."""
        host = urlsplit(attachment.reference).hostname or ""
        is_private = host in {"ton.twitter.com", "ton.x.com", "video.twimg.com"} or not host.endswith(".twimg.com")
        proof = self._office.api.proof("GET", attachment.reference) if is_private else {}
        return await self._office.downloads.get(attachment.reference, proof)

    async def close(self) -> None:
        """Close all connections."""
        await self._office.close()


class XConnector(_Speaker):
    """Speaks by direct message for one account, and keeps its webhook."""

    surface = "dm"

    def __init__(self, office: Office) -> None:
        """Use what the account has."""
        super().__init__(office)
        account = office.account
        wanted = Wanted(
            account=account.id,
            webhook_url=account.webhook_url,
            events=MESSAGE_EVENTS + (PUBLIC_EVENTS if account.has_mentions else ()),
            user_token=account.user_token,
        )
        self._registration = Registration(wanted, office.api, office.cursors, office.now)

    @property
    def channel(self) -> ChannelName:
        """The channel's name."""
        return CHANNEL

    @property
    def capabilities(self) -> Capabilities:
        """What a direct message carries: text, or one file. Nothing can be tapped."""
        return Capabilities(
            text_max=10_000,
            # Not documented as what; this fits whatever is counted.
            text_unit=TextUnit.UTF16,
            attachments=FILE_KINDS,
            attachment_max_bytes=FILE_MAX_BYTES,
            # Fifteen answers in a quarter of an hour: none should be spent on half a question.
            debounce=timedelta(seconds=2),
        )

    async def send(self, operation: SendOperation, key: str) -> SendResult:  # noqa: ARG002 - X takes no key
        """Make one call; a file is uploaded first, which nobody sees."""
        if isinstance(operation, SendText):
            body: dict[str, object] = {"text": storable(operation.text)}
        else:
            uploaded = await self._file(operation)
            if not isinstance(uploaded, str):
                return uploaded
            body = {"attachments": [{"media_id": uploaded}]}
        path = f"2/dm_conversations/with/{operation.address.external_id}/messages"
        result = _sent(await self._office.api.post(path, body, what="message"), "dm_event_id")
        if isinstance(result, Sent):
            await self._office.bill.add("message")
        return result

    async def catch_up(self, sink: Sink) -> None:  # noqa: ARG002 - what X has to say it says to the webhook
        """See for ever that X still calls us, and make it bring again what it could not."""
        await self._registration.keep(self._office.sleep)

    async def register(self) -> None:
        """Make X call us."""
        await self._registration.register(self._office.sleep)

    async def check(self) -> str:
        """Return one line on the account, webhook, what X still takes and what was sent, or raise `SettingsError`."""
        office = self._office
        try:
            me = known(await office.api.get("2/users/me"))
            name = me.object("data").text("username", "unknown") if me is not None else "unknown"
            about = [f"@{name} ({self.account})", await self._registration.check()]
        except MalformedWebhookError as error:
            raise SettingsError(f"X answers something else than expected: {error}") from None
        left = [await office.api.allowances.line(what, office.now()) for what in ("message", "post")]
        about += [each for each in left if each]
        counts = await office.bill.counts()
        if counts:
            spent = ", ".join(f"{count} {what}s" for what, count in sorted(counts.items()))
            about.append(f"this month {spent} to pay for")
        return "; ".join(about)


class XMentionsConnector(_Speaker):
    """Answers in public for one account."""

    surface = "tweet"

    def __init__(self, office: Office) -> None:
        """Use what the account has."""
        super().__init__(office)
        self._unsure: OrderedDict[str, None] = OrderedDict()

    @property
    def channel(self) -> ChannelName:
        """The channel's name."""
        return MENTIONS

    @property
    def capabilities(self) -> Capabilities:
        """What a post carries."""
        return Capabilities(
            text_max=POST_MAX,
            text_unit=TextUnit.UTF16,
            attachments=FILE_KINDS,
            attachment_max_bytes=FILE_MAX_BYTES,
            has_edits=True,
            is_public=True,
            debounce=timedelta(),
            has_reply_context=True,
        )

    def _plan(self, message: OutboundMessage, address: ChannelAddress) -> tuple[SendOperation, ...] | Refusal:
        """Return posts of which none weighs more than X takes, however few letters that are."""
        planned: tuple[SendOperation, ...] = ()
        for limit in LIMITS:
            planned = plan(message, address, replace(self.capabilities, text_max=limit))
            if all(weight(each.text) <= POST_MAX for each in planned if isinstance(each, SendText)):
                break
        return planned

    async def send(self, operation: SendOperation, key: str) -> SendResult:
        """Make one call; X answers nobody who has not named or quoted us, so it is not asked to."""
        answered = operation.reply_context.get(IN_REPLY_TO, "")
        if not answered or not operation.reply_context.get(SUMMONED):
            return Permanent(reason=NOT_SUMMONED)
        body: dict[str, object] = {"reply": {"in_reply_to_tweet_id": answered}}
        if isinstance(operation, SendText):
            body["text"] = storable(operation.text)
        else:
            uploaded = await self._file(operation)
            if not isinstance(uploaded, str):
                return uploaded
            body["media"] = {"media_ids": [uploaded]}
        result = self._settled(_sent(await self._office.api.post("2/tweets", body, what="post"), "id"), key)
        if isinstance(result, Sent):
            is_dear = isinstance(operation, SendText) and has_address(operation.text)
            await self._office.bill.add("post with a link" if is_dear else "post")
        return result

    def _settled(self, result: SendResult, key: str) -> SendResult:
        """Return what a call came to: X shows no text twice, so a refusal as a double proves the first to be there."""
        if isinstance(result, Ambiguous):
            self._unsure[key] = None
            while len(self._unsure) > _REMEMBERED:
                self._unsure.popitem(last=False)
        elif key in self._unsure:
            del self._unsure[key]
            if isinstance(result, Permanent) and result.reason.startswith(DUPLICATE):
                return Sent(external_id="")
        return result

    async def unsend(self, address: ChannelAddress, external_id: str, key: str) -> SendResult:  # noqa: ARG002
        """Delete a post (https://docs.x.com/x-api/posts/delete-post)."""
        answer = await self._office.api.delete(f"2/tweets/{quote(external_id, safe='')}")
        if isinstance(answer, Fields) or (isinstance(answer, Permanent) and answer.code == "404"):
            return Sent(external_id=external_id)
        return answer


def signature(said: bytes, secret: str) -> str:
    """Return what X signs a body with, and wants its challenge signed with."""
    return "sha256=" + base64.b64encode(hmac.digest(secret.encode(), said, "sha256")).decode()


def _sent(answer: Fields | Failure, member: str) -> SendResult:
    if not isinstance(answer, Fields):
        return answer
    try:
        return Sent(external_id=answer.object("data").text(member))
    except MalformedWebhookError:
        return Ambiguous(reason="X's answer names no message")
