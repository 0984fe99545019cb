"""SMS and MMS by Twilio (https://www.twilio.com/docs/messaging)."""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

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
    Sink,
    TextUnit,
    WebhookAnswer,
    WebhookRequest,
)
from bot.domain.errors import MalformedWebhookError, MediaError, SettingsError, WebhookRejectedError
from bot.domain.messages import Attachment, AttachmentKind, InboundEvent, OutboundMessage
from bot.domain.planning import plan
from connectors.bills import Bill
from connectors.downloads import Downloads, origin_of
from connectors.fields import Fields, storable
from connectors.insisting import insist
from connectors.moments import this_moment
from connectors.setup import ChannelSettings, Facilities, shown
from connectors.sms.api import Failure, TwilioApi
from connectors.sms.events import (
    CHANNEL,
    KEY_PARAMETER,
    Inbox,
    called_url,
    pack_key,
    read_form,
    signature,
    without_port,
)
from connectors.sms.missed import Missed
from connectors.sms.text import Segments, segments

API_URL, MESSAGING_URL = "https://api.twilio.com", "https://messaging.twilio.com"
_SIGNATURE_HEADER = "x-twilio-signature"
#: Where Twilio keeps what customers send; its own address redirects there.
_MEDIA_HOSTS = frozenset({"api.twilio.com", "*.twiliocdn.com", "s3-external-1.amazonaws.com"})
#: Networks carry less; what Twilio takes is 5 MB.
_FILE_MAX_BYTES = 5_000_000
#: What Twilio makes fit for every network; of other files it promises nothing.
#: https://www.twilio.com/docs/messaging/guides/accepted-mime-types
_PICTURES = frozenset({"image/jpeg", "image/png", "image/gif"})
#: Twilio reads the answer as TwiML: an empty one says nothing to the customer.
_NOTHING_TO_SAY = b'<?xml version="1.0" encoding="UTF-8"?><Response/>'


class SmsSettings(ChannelSettings):
    """One number at Twilio."""

    section: ClassVar = "sms"
    titles: ClassVar = {CHANNEL: "SMS"}
    needed: ClassVar = ("account_sid", "auth_token", "number")
    is_called: ClassVar = True

    #: of the Twilio account: AC and 32 characters; none: no SMS
    account_sid: str = ""
    #: of the account: what calls are made with, and what Twilio signs its own with
    auth_token: SecretStr | None = None
    #: what customers text to: +447700900123, or a short code
    number: str = ""
    #: the messaging service that answers go out by (MG and 32 characters); none: by the number
    messaging_service: str | None = None
    #: whether the number can send MMS: then pictures go as pictures
    has_mms: bool = False
    base_url: str = API_URL
    messaging_url: str = MESSAGING_URL
    #: HTTP proxy on the way there
    proxy_url: SecretStr | None = None

    @field_validator("account_sid", "messaging_service")
    @classmethod
    def _is_sid(cls, value: str | None) -> str | None:
        if value and not re.fullmatch(r"(AC|MG)[0-9a-fA-F]{32}", value):
            raise ValueError("it must be as Twilio's console shows it: AC… or MG… and 32 letters and digits")
        return value

    @field_validator("number")
    @classmethod
    def _is_number(cls, value: str) -> str:
        if value and not re.fullmatch(r"\+[1-9][0-9]{6,14}|[0-9]{3,8}", value):
            raise ValueError("sms.number must be written with its country, +447700900123, or be a short code")
        return value

    @property
    def account_url(self) -> str:
        """Where the API keeps what is the account's."""
        return f"{self.base_url.rstrip('/')}/2010-04-01/Accounts/{self.account_sid}"

    @property
    def service_url(self) -> str:
        """Where the API keeps the messaging service."""
        return f"{self.messaging_url.rstrip('/')}/v1/Services/{self.messaging_service}"

    @property
    def account(self) -> AccountId:
        """The number as it stands in addresses."""
        return AccountId(self.number.removeprefix("+"))

    def connectors(self, facilities: Facilities) -> tuple[Connector, ...]:
        """Return the number's connector."""
        return (SmsConnector(self, facilities),)


@dataclass(frozen=True, kw_only=True)
class SendSms(SendText):
    """One SMS, and what it is sent and billed as."""

    segments: Segments


class SmsConnector:
    """Speaks for one number; `sleep` waits between attempts of its own."""

    def __init__(
        self,
        settings: SmsSettings,
        facilities: Facilities,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], datetime] = this_moment,
    ) -> None:
        self._settings = settings
        self._webhook_url = facilities.webhook_url(CHANNEL, settings.account) or ""
        self._sleep = sleep
        self._token = shown(settings.auth_token)
        proxy_url = shown(settings.proxy_url) or None
        self._api = TwilioApi(settings.account_sid, self._token, proxy_url)
        origins = frozenset({origin_of(settings.base_url)} - {API_URL})
        self._downloads = Downloads(_MEDIA_HOSTS, _FILE_MAX_BYTES, proxy_url, origins, sleep)
        self._inbox = Inbox(account=settings.account, number=settings.number, service=settings.messaging_service)
        self._bill = Bill(CHANNEL, settings.account, facilities.cursors, now)
        self._missed = Missed(
            api=self._api,
            inbox=self._inbox,
            cursors=facilities.cursors,
            account_url=settings.account_url,
            base_url=settings.base_url.rstrip("/"),
            now=now,
        )

    @property
    def channel(self) -> ChannelName:
        """The channel's name."""
        return CHANNEL

    @property
    def account(self) -> AccountId:
        """The number, without its plus."""
        return self._settings.account

    @property
    def capabilities(self) -> Capabilities:
        """What Twilio sends: texts, and pictures that it fetches from us where the number has MMS."""
        has_mms = self._settings.has_mms
        return Capabilities(
            text_max=1600,
            text_unit=TextUnit.UTF16,
            attachments=frozenset({AttachmentKind.IMAGE} if has_mms else ()),
            attachment_types=_PICTURES if has_mms else frozenset(),
            attachment_max_bytes=_FILE_MAX_BYTES if has_mms else 0,
            fetches_files=has_mms,
            debounce=timedelta(seconds=2),
        )

    @property
    def received(self) -> WebhookAnswer:
        """What Twilio reads as having nothing to say now."""
        return WebhookAnswer(status=200, body=_NOTHING_TO_SAY, content_type="text/xml; charset=utf-8")

    def verify(self, request: WebhookRequest) -> None:
        """Return if the call is signed with the account's token, over our public address and all that it says."""
        shown_signature = request.headers.get(_SIGNATURE_HEADER, "").encode("utf-8", "surrogatepass")
        try:
            members = read_form(request.body)
        except MalformedWebhookError:
            raise WebhookRejectedError("the form has too many members") from None
        url = called_url(self._webhook_url, request.query)
        made = [signature(each, members, self._token).encode() for each in (url, without_port(url))]
        if not any([hmac.compare_digest(shown_signature, each) for each in made]):  # noqa: C419 - both are compared
            raise WebhookRejectedError(
                "the signature is missing or wrong: is auth_token the account's, and service.public_url its address?"
            )

    def parse(self, request: WebhookRequest) -> list[InboundEvent]:
        """Return the one event of a call: a message, or how far one of ours has come."""
        return self._inbox.read(request.body, request.query)

    def plan(self, message: OutboundMessage, address: ChannelAddress) -> tuple[SendOperation, ...] | Refusal:
        """Return the calls, each with the segments that it is sent as."""
        planned = plan(message, address, self.capabilities)
        return tuple(
            SendSms(**vars(each), segments=segments(each.text)) if isinstance(each, SendText) else each
            for each in planned
        )

    async def send(self, operation: SendOperation, key: str) -> SendResult:
        """Make one call; reports on it bring the key back."""
        settings = self._settings
        if isinstance(operation, SendText):
            # Typographic quotes and dashes would more than double what a text costs.
            content = {"Body": storable(operation.text), "SmartEncoded": "true"}
            what, count = "segment", segments(operation.text).count
        elif url := operation.attachment.link or operation.attachment.reference:
            content, what, count = {"MediaUrl": url}, "mms", 1
        else:
            return Permanent(reason="Twilio sends only files that it can fetch: is service.public_url set?")
        sender = {"MessagingServiceSid": settings.messaging_service} if settings.messaging_service else {}
        form = {
            "To": operation.address.external_id,
            **content,
            "StatusCallback": f"{self._webhook_url}?{KEY_PARAMETER}={pack_key(key)}",
        } | (sender or {"From": settings.number})
        answer = await self._api.post(f"{settings.account_url}/Messages.json", form)
        result = _sent(answer) if isinstance(answer, Fields) else answer
        if isinstance(result, Sent):
            await self._bill.add(what, count)
        return result

    async def fetch(self, attachment: Attachment) -> bytes:
        """Return the bytes of what a customer sent, which only the account can see."""
        if not attachment.reference.startswith(f"{self._settings.account_url}/"):
            raise MediaError("the file is not of this account")
        return await self._downloads.get(attachment.reference, self._api.headers)

    async def catch_up(self, sink: Sink) -> None:
        """Look for ever for texts that came while nobody answered Twilio's call."""
        await self._missed.look(sink, self._sleep)

    async def register(self) -> None:
        """Make Twilio call us; raises `SettingsError` when it refuses."""
        await insist(CHANNEL, self._register, self._sleep)

    async def _register(self) -> Failure | None:
        settings, url = self._settings, self._webhook_url
        # A call that fails is made a second time, to the fallback, and then never again.
        if settings.messaging_service:
            form = {"InboundRequestUrl": url, "InboundMethod": "POST", "FallbackUrl": url, "FallbackMethod": "POST"}
            form["UseInboundWebhookOnNumber"] = "false"
            answer = await self._api.post(settings.service_url, form)
            return None if isinstance(answer, Fields) else answer
        number = await self._number()
        if not isinstance(number, Fields):
            return number
        form = {"SmsUrl": url, "SmsMethod": "POST", "SmsFallbackUrl": url, "SmsFallbackMethod": "POST"}
        answer = await self._api.post(f"{self._numbers_url}/{number.text('sid', '')}.json", form)
        return None if isinstance(answer, Fields) else answer

    @property
    def _numbers_url(self) -> str:
        is_long = self._settings.number.startswith("+")
        return f"{self._settings.account_url}/{'IncomingPhoneNumbers' if is_long else 'SMS/ShortCodes'}"

    async def _number(self) -> Fields | Failure:
        """Return what Twilio has about our number."""
        is_long, number = self._settings.number.startswith("+"), self._settings.number
        query = {"PhoneNumber": number} if is_long else {"ShortCode": number}
        answer = await self._api.get(f"{self._numbers_url}.json", query)
        if not isinstance(answer, Fields):
            return answer
        try:
            found = answer.objects("incoming_phone_numbers" if is_long else "short_codes")
            mine = [each for each in found if each.text("phone_number" if is_long else "short_code", "") == number]
        except MalformedWebhookError:
            return Ambiguous(reason="Twilio's answer cannot be read")
        return mine[0] if mine else Permanent(reason=f"{number} is not of this account", is_account=True)

    async def check(self) -> str:
        """Return one line on the account, its webhook and its balance; raises `SettingsError`."""
        settings = self._settings
        try:
            account = _known(await self._api.get(f"{settings.account_url}.json"))
            if (status := account.text("status", "")) != "active":
                raise SettingsError(f"Twilio calls the account {status or 'unknown'}: see Twilio's console")
            await self._check_webhook()
            about = [
                f"{account.text('friendly_name', '') or 'unnamed'}, {settings.number}, webhook {self._webhook_url}"
            ]
            if account.text("type", "") == "Trial":
                about.append("a trial account, which writes to verified numbers only")
            about += [*await self._balance(), *await self._spent(), "nobody proves who texts (docs/connect-sms.md)"]
        except MalformedWebhookError as error:
            raise SettingsError(f"Twilio answers something else than expected: {error}") from None
        return ", ".join(about)

    async def _check_webhook(self) -> None:
        settings = self._settings
        if settings.messaging_service:
            url = _known(await self._api.get(settings.service_url)).text("inbound_request_url", "")
        else:
            url = _known(await self._number()).text("sms_url", "")
        if not url:
            raise SettingsError("Twilio has no webhook for the number: start Tandem, which sets it")
        if url != self._webhook_url:
            raise SettingsError(
                f"Twilio calls {url} instead of {self._webhook_url}; stop whatever runs there, then start Tandem, "
                "which takes the number over"
            )

    async def _balance(self) -> list[str]:
        """Return what is left on the account, if Twilio tells: accounts below others have none."""
        answer = await self._api.get(f"{self._settings.account_url}/Balance.json")
        if not isinstance(answer, Fields) or "balance" not in answer:
            return []
        return [f"{answer.text('balance')} {answer.text('currency', '')} left".replace("  ", " ")]

    async def _spent(self) -> list[str]:
        counts = await self._bill.counts()
        named = {"segment": "segments", "mms": "MMS"}
        return [f"{many} sent this month: {counts[one]}" for one, many in named.items() if counts.get(one)]

    async def close(self) -> None:
        """Close all connections."""
        await self._api.close()
        await self._downloads.close()


def _sent(answer: Fields) -> SendResult:
    try:
        return Sent(external_id=answer.text("sid"))
    except MalformedWebhookError:
        return Ambiguous(reason="Twilio's answer names no message")


def _known(answer: Fields | Failure) -> Fields:
    if isinstance(answer, Fields):
        return answer
    if isinstance(answer, Retry | Ambiguous):
        raise SettingsError(f"Twilio does not answer: {answer.reason}; check the network")
    raise SettingsError(answer.reason)
