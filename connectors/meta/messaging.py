"""What Messenger and Instagram have in common: the Send API and how their files and webhooks work.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/reference/send-api
"""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

import structlog

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.connectors import (
    Ambiguous,
    Capabilities,
    Permanent,
    Refusal,
    Retry,
    SendOperation,
    SendResult,
    SendText,
    Sent,
    WebhookAnswer,
    WebhookRequest,
)
from bot.domain.errors import MalformedWebhookError
from bot.domain.messages import Attachment, Choice, InboundEvent, InboundMessage, OutboundMessage
from bot.domain.planning import plan, quoting
from bot.domain.ports import MediaStore
from connectors import files
from connectors.fields import Fields, storable
from connectors.meta import account as meta
from connectors.meta import files as meta_files
from connectors.meta.account import KEY_MARK, MetaAccount
from connectors.meta.api import GraphApi
from connectors.meta.comments import BESIDE, FIELDS, PAGE, Comments
from connectors.meta.events import Mailbox
from connectors.meta.files import Uploads
from connectors.meta.public import CommentsConnector, PageCommentsConnector
from connectors.meta.register import Registration, Subscription
from connectors.titles import explain, shown_titles

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class MessagingAccount(MetaAccount):
    """A page, or an Instagram account."""

    #: whether Meta lets people of the app's answer for seven days ("Human Agent")
    has_human_agent: bool = False
    #: whether comments are answered too
    has_comments: bool = False

    @property
    def node(self) -> str:
        """What the Graph API sends messages as."""
        return self.id

    @property
    def node_fields(self) -> tuple[str, ...]:
        """Kinds of events to subscribe the node to; none: those of the webhook."""
        return ()

    @property
    def page_id(self) -> str | None:
        """The Facebook page that entries may name instead of the account."""
        return None

    @property
    def can_upload(self) -> bool:
        """Whether files can be sent."""
        return True


class MessagingConnector(ABC):
    """Speaks for one account. `media` holds the files to send; `sleep` waits between attempts of its own."""

    #: what Meta calls the channel: "page", "instagram"
    object_name: ClassVar[str]
    #: kinds of events that we ask for
    webhook_fields: ClassVar[tuple[str, ...]]
    #: what a customer is called: all of it, in this order
    name_fields: ClassVar[tuple[str, ...]]
    #: what uploads are made for, where it has to be said
    platform: ClassVar[str | None] = None
    #: whether messages carry words that come back with their echo
    has_metadata: ClassVar[bool] = False

    def __init__(
        self,
        account: MessagingAccount,
        media: MediaStore,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._account = account
        self._media = media
        self._sleep = sleep
        self._api = GraphApi(account)
        self._downloads = meta_files.downloads(account, sleep)
        path = f"{account.page_id or account.node}/message_attachments"
        self._uploads = Uploads(api=self._api, path=path, member="filedata", id_member="attachment_id")
        public = FIELDS[self.object_name] if account.has_comments else ()
        subscription = Subscription(
            object_name=self.object_name,
            fields=(*self.webhook_fields, *public),
            node=account.node,
            # A page knows no fields of the Instagram account that is linked to it.
            node_fields=(*(account.node_fields or self.webhook_fields), *(() if account.page_id else public)),
        )
        self._registration = Registration(account, self._api, subscription)
        self._mailbox = Mailbox(
            channel=self.channel,
            account=account.id,
            object_name=self.object_name,
            page_id=account.page_id,
            app_id=account.app_id,
            comments=Comments(channel=BESIDE[self.object_name], account=account.id) if account.has_comments else None,
        )

    def beside(self) -> tuple[CommentsConnector, ...]:
        """Return the connector that answers the account's comments, where they are answered."""
        if not self._account.has_comments:
            return ()
        account, channel = self._account, BESIDE[self.object_name]
        made = PageCommentsConnector if channel == PAGE else CommentsConnector
        return (made(account, channel, account.node, self._mailbox.read, self._sleep),)

    @property
    @abstractmethod
    def channel(self) -> ChannelName:
        """The channel's name."""

    @property
    def account(self) -> AccountId:
        """Meta's number of the account."""
        return self._account.id

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What the channel can carry."""

    def challenge(self, request: WebhookRequest) -> WebhookAnswer | None:
        """Answer Meta's handshake."""
        return meta.challenge(request, self._account.verify_token)

    def verify(self, request: WebhookRequest) -> None:
        """Return if the body is signed with the app's secret."""
        meta.verify(request, self._account.app_secret)

    def parse(self, request: WebhookRequest) -> list[InboundEvent]:
        """Return every event of every entry."""
        return self._mailbox.read(request.body)

    def plan(self, message: OutboundMessage, address: ChannelAddress) -> tuple[SendOperation, ...] | Refusal:
        """Return the calls; titles that are too long for a quick reply are written out, with their numbers to tap."""
        # Old taps, and coming by a link, are no messages.
        asked = quoting(
            message, lambda quote: "" if quote.external_id.startswith(("postback:", "referral:")) else quote.external_id
        )
        return plan(explain(asked, self.capabilities), address, self.capabilities)

    async def send(self, operation: SendOperation, key: str) -> SendResult:
        """Make one call; a file is uploaded first, which nobody sees."""
        if isinstance(operation, SendText):
            content: dict[str, object] = {"text": storable(operation.text)}
            if operation.choices:
                content["quick_replies"] = quick_replies(operation.choices, self.capabilities.choice_title_max)
        else:
            uploaded = await self._attachment(operation.attachment)
            if not isinstance(uploaded, dict):
                return uploaded
            content = {"attachment": uploaded}
        if self.has_metadata:
            content["metadata"] = KEY_MARK + key
        answer = await self._api.post(f"{self._account.node}/messages", self._envelope(operation, content))
        return _sent(answer) if isinstance(answer, Fields) else answer

    def _envelope(self, operation: SendOperation, content: dict[str, object]) -> dict[str, object]:
        late = {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}
        kind = late if operation.is_late else {"messaging_type": "RESPONSE"}
        quoted = operation.quotes if isinstance(operation, SendText) else ""
        answered: dict[str, object] = {"reply_to": {"mid": quoted}} if quoted else {}
        return {"recipient": {"id": operation.address.external_id}, **kind, "message": content, **answered}

    async def _attachment(self, attachment: Attachment) -> dict[str, object] | Permanent | Retry:
        """Return how a file is named in a message: by what Meta calls it, or by an address Meta fetches it from."""
        kind = attachment.kind.value
        if meta_files.has_address(attachment):
            return {"type": kind, "payload": {"url": attachment.reference}}
        if attachment.link and not self._account.can_upload:
            return {"type": kind, "payload": {"url": attachment.link}}
        found = await files.load(self._media, attachment)
        if not isinstance(found, tuple):
            return found
        members = {"message": json.dumps({"attachment": {"type": kind, "payload": {"is_reusable": True}}})}
        if self.platform is not None:
            members["platform"] = self.platform
        uploaded = await self._uploads.upload(*found, members)
        return {"type": kind, "payload": {"attachment_id": uploaded}} if isinstance(uploaded, str) else uploaded

    async def show_typing(self, address: ChannelAddress) -> None:
        """Show "typing" for some twenty seconds."""
        await self._sender_action(address, "typing_on")

    async def mark_read(self, message: InboundMessage) -> None:
        """Show the customer that what they wrote was read."""
        await self._sender_action(message.address, "mark_seen")

    async def name_of(self, address: ChannelAddress) -> str | None:
        """Return what the customer is called; Meta tells those who have written to us."""
        answer = await self._api.get(address.external_id, {"fields": ",".join(self.name_fields)})
        if not isinstance(answer, Fields):
            log.debug("meta_name_unknown", channel=self.channel, reason=answer.reason)
            return None
        try:
            return " ".join(filter(None, (answer.text(name, "") for name in self.name_fields))) or None
        except MalformedWebhookError:
            return None

    async def _sender_action(self, address: ChannelAddress, action: str) -> None:
        body = {"recipient": {"id": address.external_id}, "sender_action": action}
        answer = await self._api.post(f"{self._account.node}/messages", body)
        if not isinstance(answer, Fields):
            log.debug("meta_sign_failed", channel=self.channel, action=action, reason=answer.reason)

    async def fetch(self, attachment: Attachment) -> bytes:
        """Return the file's bytes."""
        return await self._downloads.get(attachment.reference)

    async def register(self) -> None:
        """Make Meta call us."""
        await self._registration.register(self._sleep)

    async def check(self) -> str:
        """Return one line on the account, its token and its webhook."""
        return await self._registration.check()

    async def expires_at(self) -> datetime | None:
        """Return when the token ends."""
        return await self._registration.expires_at()

    async def close(self) -> None:
        """Close all connections."""
        await self._api.close()
        await self._downloads.close()


def quick_replies(choices: tuple[Choice, ...], title_max: int) -> list[dict[str, str]]:
    """Return what customers tap; where a title is too long, all carry the numbers that the text explains."""
    titles = shown_titles(choices, title_max)
    return [
        {"content_type": "text", "title": title, "payload": each.payload}
        for title, each in zip(titles, choices, strict=True)
    ]


def _sent(answer: Fields) -> Sent | Ambiguous:
    try:
        return Sent(external_id=answer.text("message_id"))
    except MalformedWebhookError:
        return Ambiguous(reason="Meta's answer names no message")
