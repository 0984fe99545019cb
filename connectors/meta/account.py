"""What Messenger, Instagram and WhatsApp share: an account, how Meta proves a webhook call, and the batches it sends.

https://developers.facebook.com/docs/graph-api/webhooks/getting-started
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.connectors import WebhookAnswer, WebhookRequest
from bot.domain.errors import MalformedWebhookError, SettingsError, WebhookRejectedError
from bot.domain.messages import Attachment, InboundEvent
from connectors.batches import Read, digest_of, of_each, read_all
from connectors.fields import Fields, load

#: The version of the Graph API whose limits and errors are written down here.
API_VERSION = "v25.0"
GRAPH_URL = "https://graph.facebook.com"
#: Before the key in what Meta gives back with echoes and reports: tells our calls from those of other apps.
KEY_MARK = "tandem:"

_SIGNATURE_HEADER = "x-hub-signature-256"
_ID = re.compile(r"[0-9]{1,40}")
_CUSTOMER = re.compile(r"[A-Za-z0-9._:@+=-]{1,200}")
_PAYLOAD = re.compile(r"[!-~]{1,24}")


@dataclass(frozen=True, kw_only=True)
class MetaAccount:
    """One page, Instagram account or phone number."""

    #: what settings call the channel
    section: ClassVar[str] = "meta"

    #: Meta's number of the account
    id: AccountId
    #: access token: whoever has it speaks for the brand
    token: str = field(repr=False)
    #: what Meta signs webhook calls with
    app_secret: str = field(repr=False)
    #: what Meta shows us when the webhook is set up; any words of ours
    verify_token: str = field(repr=False)
    #: the whole public address of this account's webhook route
    webhook_url: str
    #: number of the app: lets Tandem set up the webhook, and tell its own messages from those of other apps
    app_id: str | None = None
    base_url: str = GRAPH_URL
    #: HTTP proxy on the way to Meta
    proxy_url: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse what Meta would refuse."""
        if not _ID.fullmatch(self.id):
            raise SettingsError(f"the id of the {self.section} account must be a number, as Meta's dashboard shows it")
        if self.app_id is not None and not _ID.fullmatch(self.app_id):
            raise SettingsError(f"{self.section}.app_id must be the number of the Meta app")
        for name in ("token", "app_secret", "verify_token"):
            value: str = getattr(self, name)
            if not value or not value.isascii() or not value.isprintable() or " " in value:
                raise SettingsError(f"{self.section}.{name} is missing, or has characters that it cannot have")


def challenge(request: WebhookRequest, verify_token: str) -> WebhookAnswer | None:
    """Return the answer to Meta's handshake, none for what is not a GET.

    Raises `WebhookRejectedError` for a GET that does not know our verify token.
    """
    if request.method != "GET":
        return None
    shown = request.query.get("hub.verify_token", "").encode("utf-8", "surrogatepass")
    if request.query.get("hub.mode") != "subscribe" or not hmac.compare_digest(shown, verify_token.encode()):
        raise WebhookRejectedError("the verify token is missing or wrong")
    return WebhookAnswer(status=200, body=request.query.get("hub.challenge", "").encode("utf-8", "replace"))


def verify(request: WebhookRequest, app_secret: str) -> None:
    """Return if the body is signed with the app's secret; raise `WebhookRejectedError` if not."""
    shown = request.headers.get(_SIGNATURE_HEADER, "").encode("utf-8", "surrogatepass")
    if not hmac.compare_digest(shown, signature(request.body, app_secret).encode()):
        raise WebhookRejectedError("the signature is missing or wrong: is app_secret that of the app that calls?")


def signature(body: bytes, app_secret: str) -> str:
    """Return what Meta puts into `X-Hub-Signature-256` of a call with this body."""
    return "sha256=" + hmac.digest(app_secret.encode(), body, "sha256").hex()


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One webhook call."""

    #: "page", "instagram", "whatsapp_business_account"
    object_name: str
    entries: list[Fields]
    #: the same whenever the same call comes again
    digest: str

    @classmethod
    def read(cls, body: bytes) -> Batch:
        """Return the call's entries; raises `MalformedWebhookError`."""
        batch = Fields(load(body))
        return cls(object_name=batch.text("object"), entries=batch.objects("entry"), digest=digest_of(body))

    def events(self, items: Callable[[Fields], Iterable[tuple[Fields, Read]]]) -> list[InboundEvent]:
        """Return what each of the `items` of an entry is read as."""
        return read_all(of_each(self.entries, items), self.digest)


def address(channel: ChannelName, account: AccountId, customer: str) -> ChannelAddress:
    """Return a customer's address; raises `MalformedWebhookError` for an id that Meta does not give."""
    if not _CUSTOMER.fullmatch(customer):
        raise MalformedWebhookError("a customer's id is no id")
    return ChannelAddress(channel=channel, account=account, external_id=customer)


def choice(payload: str) -> str | None:
    """Return the payload of a tap if it can be one of ours; menus made elsewhere have payloads of their own."""
    return payload if _PAYLOAD.fullmatch(payload) else None


def key_in(given_back: str) -> str:
    """Return the key that our call carried; empty when the call was not ours."""
    return given_back.removeprefix(KEY_MARK) if given_back.startswith(KEY_MARK) else ""


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a message holds, as people and the bot read it."""

    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    #: payload of a choice that was tapped
    choice: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to read."""
        return not (self.text or self.attachments or self.choice)
