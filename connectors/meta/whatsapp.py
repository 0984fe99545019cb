"""WhatsApp, by Meta's Cloud API: a phone number of the brand's and the people who write to it."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar

import structlog

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.connectors import (
    Ambiguous,
    Capabilities,
    Permanent,
    Refusal,
    Retry,
    SendAttachment,
    SendOperation,
    SendResult,
    SendText,
    Sent,
    TextUnit,
    WebhookAnswer,
    WebhookRequest,
)
from bot.domain.errors import MalformedWebhookError, MediaError, SettingsError
from bot.domain.messages import Attachment, AttachmentKind, InboundEvent, InboundMessage, OutboundMessage
from bot.domain.planning import plan
from bot.domain.ports import MediaStore
from connectors import files
from connectors.downloads import NotNowError, attempt
from connectors.fields import Fields
from connectors.meta import account as meta
from connectors.meta import files as meta_files
from connectors.meta import whatsapp_payloads
from connectors.meta.account import KEY_MARK, MetaAccount
from connectors.meta.api import GraphApi
from connectors.meta.files import Uploads
from connectors.meta.register import Registration, Subscription
from connectors.meta.whatsapp_events import CHANNEL, OBJECT, Line
from connectors.meta.whatsapp_payloads import BLANK_MAX, ROWS_MAX, Template

log = structlog.get_logger()

#: WhatsApp's own limits on files by kind are below this, but for documents.
_FILE_MAX_BYTES = 16_000_000
#: Customers whose last message is remembered: "typing" is shown below a message.
_REMEMBERED = 10_000


@dataclass(frozen=True, kw_only=True)
class WhatsAppAccount(MetaAccount):
    """One phone number; `id` is its number in Meta's dashboard, not the one that people dial."""

    section: ClassVar[str] = "whatsapp"

    #: number of the WhatsApp Business account that the phone number belongs to
    business_account_id: str
    #: as it is dialled, with its country; none: no link leads to it
    dialled: str | None = None
    #: what is sent after the reply window; none: nothing is
    template: Template | None = None

    def __post_init__(self) -> None:
        """Refuse what Meta would refuse."""
        super().__post_init__()
        if not re.fullmatch(r"[0-9]{1,40}", self.business_account_id):
            raise SettingsError("whatsapp.business_account_id must be the number of the WhatsApp Business account")
        if self.dialled is not None and not re.fullmatch(r"\+?[0-9 .-]{7,30}", self.dialled):
            raise SettingsError("whatsapp.dialled is the phone number with its country: +44 20 7946 0000")
        if self.template is not None and not re.fullmatch(r"[a-z0-9_]{1,512}", self.template.name):
            raise SettingsError("whatsapp.template must be the name of an approved template: a-z, 0-9 and _")


class WhatsAppConnector:
    """Speaks for one phone number. `media` holds the files to send; `sleep` waits between attempts of its own."""

    def __init__(
        self,
        account: WhatsAppAccount,
        media: MediaStore,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._account = account
        self._media = media
        self._sleep = sleep
        self._api = GraphApi(account)
        self._downloads = meta_files.downloads(account, sleep)
        self._uploads = Uploads(api=self._api, path=f"{account.id}/media", member="file", id_member="id")
        self._line = Line(account=account.id)
        self._last_of: OrderedDict[str, str] = OrderedDict()
        subscription = Subscription(
            object_name=OBJECT,
            fields=("messages", "smb_message_echoes"),
            node=account.business_account_id,
            shown_node=account.id,
            shown_fields=("verified_name", "display_phone_number"),
        )
        self._registration = Registration(account, self._api, subscription)

    @property
    def channel(self) -> ChannelName:
        """The channel's name."""
        return CHANNEL

    @property
    def account(self) -> AccountId:
        """Meta's number of the phone number."""
        return self._account.id

    def invitation_url(self, referral: str) -> str | None:
        """Return the link that opens a chat with `referral` written already, to be sent as the first message."""
        digits = re.sub("[^0-9]", "", self._account.dialled or "")
        return f"https://wa.me/{digits}?text={referral}" if digits else None

    @property
    def capabilities(self) -> Capabilities:
        """What WhatsApp carries; after a day only a template, which people may send whenever they like."""
        return Capabilities(
            text_max=4096,
            debounce=timedelta(seconds=1.5),
            has_renamings=True,
            text_unit=TextUnit.UTF16,
            choices_max=ROWS_MAX,
            choice_title_max=whatsapp_payloads.ROW_DESCRIPTION_MAX,
            choices_text_max=1024,
            attachments=frozenset(AttachmentKind),
            attachment_max_bytes=_FILE_MAX_BYTES,
            has_edits=True,
            has_quotes=True,
            reply_window=timedelta(hours=24),
            people_window=timedelta.max if self._account.template else None,
        )

    def challenge(self, request: WebhookRequest) -> WebhookAnswer | None:
        """Answer Meta's handshake."""
        return meta.challenge(request, self._account.verify_token)

    def verify(self, request: WebhookRequest) -> None:
        """Return if the body is signed with the app's secret."""
        meta.verify(request, self._account.app_secret)

    def parse(self, request: WebhookRequest) -> list[InboundEvent]:
        """Return every event of every entry."""
        return self._line.read(request.body)

    def plan(self, message: OutboundMessage, address: ChannelAddress) -> tuple[SendOperation, ...] | Refusal:
        """Return the calls; what leaves after the reply window has to fit into one template."""
        can = self.capabilities
        if message.is_late:
            # A template has one blank, no choices, no files and no quote: those stand in the text.
            can = replace(can, attachments=frozenset(), attachment_max_bytes=0, choices_max=0, text_max=BLANK_MAX)
            can = replace(can, has_quotes=False)
        operations = plan(message, address, can)
        if message.is_late and len(operations) > 1:
            return Refusal(
                reason=f"the reply window is shut, and the template takes {BLANK_MAX} characters only: write less"
            )
        return operations

    async def send(self, operation: SendOperation, key: str) -> SendResult:
        """Make one call; a file is uploaded first, which nobody sees."""
        if isinstance(operation, SendAttachment):
            content = await self._file(operation.attachment)
            if not isinstance(content, dict):
                return content
        elif operation.is_late:
            if self._account.template is None:
                return Permanent(reason="the reply window is shut, and no template is set")
            content = whatsapp_payloads.template(self._account.template, operation.text)
        elif operation.choices:
            content = whatsapp_payloads.interactive(operation.text, operation.choices)
        else:
            content = whatsapp_payloads.text(operation.text)
        body = whatsapp_payloads.recipient(operation.address.external_id) | content
        if isinstance(operation, SendText) and operation.quotes:
            body["context"] = {"message_id": operation.quotes}
        answer = await self._api.post(f"{self.account}/messages", body | {"biz_opaque_callback_data": KEY_MARK + key})
        return _sent(answer) if isinstance(answer, Fields) else answer

    async def _file(self, attachment: Attachment) -> dict[str, object] | Permanent | Retry:
        if meta_files.has_address(attachment):
            return whatsapp_payloads.file(attachment, {"link": attachment.reference})
        found = await files.load(self._media, attachment)
        if not isinstance(found, tuple):
            return found
        kept, content = found
        members = {"messaging_product": "whatsapp", "type": kept.media_type or "application/octet-stream"}
        uploaded = await self._uploads.upload(kept, content, members)
        return whatsapp_payloads.file(kept, {"id": uploaded}) if isinstance(uploaded, str) else uploaded

    async def mark_read(self, message: InboundMessage) -> None:
        """Show the customer that their message was read."""
        self._last_of[message.address.external_id] = message.external_id
        self._last_of.move_to_end(message.address.external_id)
        while len(self._last_of) > _REMEMBERED:
            self._last_of.popitem(last=False)
        await self._read(message.external_id, {})

    async def show_typing(self, address: ChannelAddress) -> None:
        """Show "typing" for some twenty seconds, below the last message that this process has seen."""
        message_id = self._last_of.get(address.external_id)
        if message_id is not None:
            await self._read(message_id, {"typing_indicator": {"type": "text"}})

    async def _read(self, message_id: str, more: dict[str, object]) -> None:
        body = {"messaging_product": "whatsapp", "status": "read", "message_id": message_id, **more}
        answer = await self._api.post(f"{self.account}/messages", body)
        if not isinstance(answer, Fields):
            log.debug("meta_sign_failed", channel=self.channel, action="read", reason=answer.reason)

    async def fetch(self, attachment: Attachment) -> bytes:
        """Return the file's bytes: Meta tells for some minutes where they are."""
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,200}", attachment.reference):
            raise MediaError("this is no file of WhatsApp's")
        return await attempt(lambda: self._fetch(attachment.reference), self._sleep)

    async def _fetch(self, media_id: str) -> bytes:
        answer = await self._api.get(media_id, {"phone_number_id": self.account})
        if isinstance(answer, Permanent):
            raise MediaError(answer.reason)
        if not isinstance(answer, Fields):
            raise NotNowError(answer.reason)
        try:
            url = answer.text("url")
        except MalformedWebhookError:
            raise NotNowError("WhatsApp does not say where the file is") from None
        return await self._downloads.once(url, self._api.proof())

    async def register(self) -> None:
        """Make Meta call us."""
        await self._registration.register(self._sleep)

    async def check(self) -> str:
        """Return one line on the number, its token and its webhook."""
        return await self._registration.check()

    async def expires_at(self) -> datetime | None:
        """Return when the token ends."""
        return await self._registration.expires_at()

    async def close(self) -> None:
        """Close all connections."""
        await self._api.close()
        await self._downloads.close()


def _sent(answer: Fields) -> Sent | Ambiguous:
    try:
        messages = answer.objects("messages")
        return Sent(external_id=messages[0].text("id"))
    except (MalformedWebhookError, IndexError):
        return Ambiguous(reason="WhatsApp's answer names no message")
