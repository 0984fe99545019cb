"""LINE, by its Messaging API: an official account and the people who write to it.

An answer within a minute of the customer's message is a *reply*: it costs nothing, takes the message's token, and LINE
cannot be asked to show a repeat of it once. Everything else is a *push*: it counts towards the month's messages, and a
repeat with its retry key is shown once (https://developers.line.biz/en/docs/messaging-api/retrying-api-request/).
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import re
import time
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from http import HTTPStatus
from typing import ClassVar
from urllib.parse import quote

import structlog
from pydantic import SecretStr, field_validator

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
    TextUnit,
    WebhookRequest,
)
from bot.domain.errors import MalformedWebhookError, MediaError, SettingsError, WebhookRejectedError
from bot.domain.file_links import preview
from bot.domain.messages import Attachment, AttachmentKind, Choice, InboundEvent, InboundMessage, OutboundMessage
from bot.domain.planning import plan, quoting
from connectors.downloads import attempt
from connectors.fields import Fields, storable
from connectors.http import Answer
from connectors.insisting import insist
from connectors.line.api import TOKEN_IS_VOID, Failure, LineApi, read_answer
from connectors.line.events import CHANNEL, CHOICE_MARK, Mailbox
from connectors.setup import ChannelSettings, Facilities, shown
from connectors.titles import explain, shown_titles

log = structlog.get_logger()

_SIGNATURE_HEADER = "x-line-signature"
#: https://developers.line.biz/en/reference/messaging-api/#items-object
_CHOICES_MAX, _LABEL_MAX = 13, 20
#: https://developers.line.biz/en/reference/messaging-api/#image-message
_PICTURE_MAX_BYTES, _PREVIEW_MAX_BYTES = 10_000_000, 1_000_000
#: https://developers.line.biz/en/reference/messaging-api/#icon-nickname-switch
_NAME_MAX = 20
#: Seconds that "typing" is shown, unless a message comes first.
_TYPES_FOR = 20
#: Tokens that were used are remembered for longer than they live.
_REMEMBERED = 10_000
#: Names our retry keys, which have to be UUIDs, after the keys of calls.
_KEYS = uuid.UUID("5f0f54a5-8d0c-4d6b-9d5e-7c1b9a6f0e2d")
_FILE = re.compile(r"[0-9A-Za-z_-]{1,100}")


class LineSettings(ChannelSettings):
    """One official account: a channel of the Messaging API."""

    section: ClassVar = "line"
    titles: ClassVar = {CHANNEL: "LINE"}
    needed: ClassVar = ("token", "channel_secret", "channel_id")
    is_called: ClassVar = True

    #: long-lived channel access token; none: no LINE
    token: SecretStr | None = None
    #: what LINE signs webhook calls with
    channel_secret: SecretStr | None = None
    #: number of the channel
    channel_id: str = ""
    #: what people look the account up by (@216ruabc): makes links that invite to it; none: no such links
    basic_id: str | None = None
    #: whether to answer for nothing where LINE allows it; without it every message is counted, and can be repeated
    uses_reply_tokens: bool = True
    base_url: str = "https://api.line.me"
    #: where customers' files are
    data_url: str = "https://api-data.line.me"
    #: HTTP proxy on the way there
    proxy_url: SecretStr | None = None

    @field_validator("channel_id")
    @classmethod
    def _is_number(cls, value: str) -> str:
        if value and not re.fullmatch(r"[0-9]{1,40}", value):
            raise ValueError("line.channel_id must be the number of the channel, as LINE Developers Console shows it")
        return value

    @field_validator("basic_id")
    @classmethod
    def _is_basic_id(cls, value: str | None) -> str | None:
        if value and not re.fullmatch(r"@[a-z0-9._-]{1,40}", value):
            raise ValueError("line.basic_id must look like @216ruabc, as LINE Official Account Manager shows it")
        return value

    @field_validator("token", "channel_secret")
    @classmethod
    def _is_plain(cls, value: SecretStr | None) -> SecretStr | None:
        text = shown(value)
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError("a LINE token or secret has characters that it cannot have")
        return value

    def connectors(self, facilities: Facilities) -> tuple[Connector, ...]:
        """Return the account's connector."""
        return (LineConnector(self, facilities.webhook_url(CHANNEL, self.channel_id) or ""),)


class LineConnector:
    """Speaks for one official account. `sleep` waits between attempts of its own, `clock` is in seconds since 1970."""

    def __init__(
        self,
        account: LineSettings,
        webhook_url: str,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._account = account
        self._webhook_url = webhook_url
        self._sleep = sleep
        self._clock = clock
        self._secret = shown(account.channel_secret).encode()
        self._api = LineApi(shown(account.token), account.base_url, account.data_url, shown(account.proxy_url) or None)
        self._mailbox = Mailbox(account=self.account)
        self._used: OrderedDict[str, None] = OrderedDict()

    @property
    def channel(self) -> ChannelName:
        """The channel's name."""
        return CHANNEL

    @property
    def account(self) -> AccountId:
        """The channel's number."""
        return AccountId(self._account.channel_id)

    def invitation_url(self, referral: str) -> str | None:
        """Return the link that opens the chat with `referral` written already, to be sent as the first message.

        https://developers.line.biz/en/docs/messaging-api/using-line-url-scheme/#sending-text-messages
        """
        basic_id = self._account.basic_id
        return f"https://line.me/R/oaMessage/{quote(basic_id, safe='')}/?{quote(referral)}" if basic_id else None

    @property
    def capabilities(self) -> Capabilities:
        """What LINE carries: it fetches pictures from an address, and has no messages for files.

        Sound and film would need what we do not know: how long they are, and a picture of them.
        """
        return Capabilities(
            text_max=5000,
            text_unit=TextUnit.UTF16,
            choices_max=_CHOICES_MAX,
            choice_title_max=_LABEL_MAX,
            attachments=frozenset({AttachmentKind.IMAGE}),
            attachment_types=frozenset({"image/jpeg", "image/png"}),
            attachment_max_bytes=_PICTURE_MAX_BYTES,
            fetches_files=True,
            is_send_idempotent=not self._account.uses_reply_tokens,
            has_edits=True,
            has_quotes=True,
            has_reply_context=self._account.uses_reply_tokens,
        )

    def verify(self, request: WebhookRequest) -> None:
        """Return if the body is signed with the channel's secret."""
        given = request.headers.get(_SIGNATURE_HEADER, "").encode("utf-8", "surrogatepass")
        if not hmac.compare_digest(given, signature(request.body, self._secret)):
            raise WebhookRejectedError("the signature is missing or wrong: is channel_secret that of this channel?")

    def parse(self, request: WebhookRequest) -> list[InboundEvent]:
        """Return every event of the call."""
        return self._mailbox.read(request.body)

    def plan(self, message: OutboundMessage, address: ChannelAddress) -> tuple[SendOperation, ...] | Refusal:
        """Return the calls; titles that are too long for a quick reply are written out, with their numbers to tap."""
        asked = quoting(message, lambda quote: quote.token)
        return plan(explain(asked, self.capabilities), address, self.capabilities)

    async def send(self, operation: SendOperation, key: str) -> SendResult:
        """Make one call: a reply where the customer's last message still has a token, a push where not."""
        message = shown_as(operation)
        if message is None:
            return Permanent(reason="LINE shows only pictures that it can fetch: is service.public_url set?")
        token = self._token_in(operation)
        replied = await self._reply(token, message) if token else None
        return replied or await self._push(operation.address.external_id, message, key)

    def _token_in(self, operation: SendOperation) -> str:
        """Return the token to answer with; empty where it is too old, or was used."""
        context = operation.reply_context
        token = context.get("reply_token", "") if self._account.uses_reply_tokens else ""
        try:
            is_fresh = self._clock() < float(context.get("reply_until", "0"))
        except ValueError:
            is_fresh = False
        return token if is_fresh and token not in self._used else ""

    async def _reply(self, token: str, message: dict[str, object]) -> SendResult | None:
        """Return what came of a reply; none where the token was void, which is certain not to have shown anything.

        Nobody else uses the token of a message but the answers to it, and these go out one after another; so a token
        that LINE calls void was used by an earlier one, maybe in another process, or is too old.
        """
        self._used[token] = None
        while len(self._used) > _REMEMBERED:
            self._used.popitem(last=False)
        answer = await self._api.ask("POST", "/v2/bot/message/reply", {"replyToken": token, "messages": [message]})
        if isinstance(answer, Fields):
            return _sent(answer) or Ambiguous(reason="LINE's answer names no message")
        if isinstance(answer, Permanent) and answer.code == TOKEN_IS_VOID:
            return None
        if isinstance(answer, Retry):
            self._used.pop(token, None)
        return answer

    async def _push(self, customer: str, message: dict[str, object], key: str) -> SendResult:
        retry_key = str(uuid.uuid5(_KEYS, f"{self.account}:{key}"))
        body = {"to": customer, "messages": [message]}
        answer = await self._api.call("POST", "/v2/bot/message/push", body, {"X-Line-Retry-Key": retry_key})
        if not isinstance(answer, Answer):
            return _repeatable(answer)
        if answer.status == HTTPStatus.CONFLICT:
            # It was shown at the first call. https://developers.line.biz/en/reference/messaging-api/#retry-api-request
            known = read_answer(replace(answer, status=HTTPStatus.OK))
            first = answer.headers.get("x-line-accepted-request-id", retry_key)
            return (_sent(known) if isinstance(known, Fields) else None) or Sent(external_id=first)
        read = read_answer(answer)
        if isinstance(read, Fields):
            return _sent(read) or Ambiguous(reason="LINE's answer names no message", is_repeatable=True)
        return _repeatable(read)

    async def show_typing(self, address: ChannelAddress) -> None:
        """Show LINE's loading animation, which ends with the next message."""
        await self._sign("/v2/bot/chat/loading/start", {"chatId": address.external_id, "loadingSeconds": _TYPES_FOR})

    async def mark_read(self, message: InboundMessage) -> None:
        """Show the customer that their message was read, where the account has its chat switched on."""
        if token := message.reply_context.get("read_token"):
            await self._sign("/v2/bot/chat/markAsRead", {"markAsReadToken": token})

    async def _sign(self, path: str, body: dict[str, object]) -> None:
        answer = await self._api.ask("POST", path, body)
        if not isinstance(answer, Fields):
            log.debug("line_sign_failed", account=self.account, path=path, reason=answer.reason)

    async def name_of(self, address: ChannelAddress) -> str | None:
        """Return what the customer is called; LINE tells of those who are friends of the account."""
        answer = await self._api.ask("GET", f"/v2/bot/profile/{address.external_id}")
        if not isinstance(answer, Fields):
            log.debug("line_name_unknown", account=self.account, reason=answer.reason)
            return None
        try:
            return answer.text("displayName", "") or None
        except MalformedWebhookError:
            return None

    async def fetch(self, attachment: Attachment) -> bytes:
        """Return the file's bytes; LINE keeps it for a while that it does not tell."""
        if not _FILE.fullmatch(attachment.reference):
            raise MediaError("this is no file of LINE's")
        return await attempt(lambda: self._api.content(attachment.reference), self._sleep)

    async def register(self) -> None:
        """Make LINE call us, waiting out outages; raises `SettingsError` when it refuses."""
        await insist(CHANNEL, self._set_webhook, self._sleep)

    async def _set_webhook(self) -> Failure | None:
        answer = await self._api.ask("PUT", "/v2/bot/channel/webhook/endpoint", {"endpoint": self._webhook_url})
        return None if isinstance(answer, Fields) else answer

    async def check(self) -> str:
        """Return one line on the account, its webhook and this month's messages; LINE calls the webhook for it."""
        try:
            me = self._known(await self._api.ask("GET", "/v2/bot/info"))
            name = f"{me.text('displayName', 'unnamed')} ({me.text('basicId', '')}, {self.account})"
            await self._check_webhook()
            quota = self._known(await self._api.ask("GET", "/v2/bot/message/quota"))
            used = self._known(await self._api.ask("GET", "/v2/bot/message/quota/consumption")).size("totalUsage") or 0
            limit = quota.size("value")
            of = f"{used} of {limit}" if limit is not None else str(used)
        except MalformedWebhookError as error:
            raise SettingsError(f"LINE answers something else than expected: {error}") from None
        return f"{name}, webhook {self._webhook_url} works, {of} messages of this month sent"

    async def _check_webhook(self) -> None:
        answer = await self._api.ask("GET", "/v2/bot/channel/webhook/endpoint")
        if isinstance(answer, Permanent) and answer.code == str(HTTPStatus.NOT_FOUND.value):
            raise SettingsError("LINE has no webhook for this channel: start Tandem, which sets it")
        endpoint = self._known(answer)
        url = endpoint.text("endpoint", "")
        if url != self._webhook_url:
            raise SettingsError(
                f"LINE calls {url or 'nobody'} instead of {self._webhook_url}; stop whatever runs there, then start "
                "Tandem, which takes the webhook over"
            )
        if not endpoint.flag("active"):
            raise SettingsError("the webhook is off: switch on 'Use webhook' in LINE Developers Console, Messaging API")
        tried = self._known(await self._api.ask("POST", "/v2/bot/channel/webhook/test", {}))
        if not tried.flag("success"):
            why = f"{tried.text('reason', 'unknown')} {tried.text('detail', '')}".strip()
            raise SettingsError(f"LINE cannot call {url}: {why}; is Tandem running, and does your proxy pass it on?")

    def _known(self, answer: Fields | Failure) -> Fields:
        if isinstance(answer, Fields):
            return answer
        if isinstance(answer, Permanent):
            raise SettingsError(f"{answer.reason}: check token, channel_id and the channel's settings")
        raise SettingsError(f"LINE does not answer at {self._account.base_url}: {answer.reason}; check the network")

    async def close(self) -> None:
        """Close all connections."""
        await self._api.close()


def signature(body: bytes, secret: bytes) -> bytes:
    """Return what LINE puts into `X-Line-Signature` of a call with this body."""
    return base64.b64encode(hmac.digest(secret, body, "sha256"))


def shown_as(operation: SendOperation) -> dict[str, object] | None:
    """Return the message object that shows an operation; none for a file that LINE cannot fetch."""
    if isinstance(operation, SendText):
        content: dict[str, object] = {"type": "text", "text": storable(operation.text)}
        if operation.choices:
            content["quickReply"] = {"items": quick_replies(operation.choices)}
        if operation.quotes:
            content["quoteToken"] = operation.quotes
    else:
        attachment = operation.attachment
        url = attachment.link or attachment.reference
        if not (attachment.link or url.startswith("https://")):
            return None
        is_small = not attachment.link or (attachment.size or 0) <= _PREVIEW_MAX_BYTES
        content = {"type": "image", "originalContentUrl": url, "previewImageUrl": url if is_small else preview(url)}
    name = storable(operation.author_name or "")[:_NAME_MAX].strip()
    # LINE refuses names that could be its own.
    return content | ({"sender": {"name": name}} if name and "line" not in name.lower() else {})


def quick_replies(choices: tuple[Choice, ...]) -> list[dict[str, object]]:
    """Return what customers tap; the whole title is then shown as their words."""
    return [
        {
            "type": "action",
            "action": {
                "type": "postback",
                "label": label,
                "data": CHOICE_MARK + each.payload,
                "displayText": storable(each.title)[:300] or label,
            },
        }
        for label, each in zip(shown_titles(choices, _LABEL_MAX), choices, strict=True)
    ]


def _sent(answer: Fields) -> Sent | None:
    try:
        return Sent(external_id=answer.objects("sentMessages")[0].text("id"))
    except (MalformedWebhookError, IndexError):
        return None


def _repeatable(failure: Failure) -> Failure:
    return replace(failure, is_repeatable=True) if isinstance(failure, Ambiguous) else failure
