"""Twilio's webhook calls: what proves them, and what they bring as events; pure.

https://www.twilio.com/docs/messaging/guides/webhook-request
https://www.twilio.com/docs/usage/security#validating-requests
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.errors import MalformedWebhookError
from bot.domain.messages import (
    Attachment,
    AttachmentKind,
    InboundEvent,
    InboundMessage,
    Receipt,
    ReceiptKind,
    Unsupported,
)
from connectors.fields import storable
from connectors.sms.errors import why_undelivered

CHANNEL = ChannelName("sms")
#: Carries the key of our call in the address that reports come to.
KEY_PARAMETER = "key"

_ID = re.compile(r"[A-Za-z0-9]{2,64}")
_NUMBER = re.compile(r"\+?[0-9]{3,15}")
_STATUS = re.compile(r"[a-z_-]{1,40}")
_FIELDS_MAX = 500
_FILES_MAX = 10
#: Twilio's word → how far a message has come.
_STATUSES = {
    "accepted": ReceiptKind.SENT,
    "scheduled": ReceiptKind.SENT,
    "queued": ReceiptKind.SENT,
    "sending": ReceiptKind.SENT,
    "sent": ReceiptKind.SENT,
    "delivered": ReceiptKind.DELIVERED,
    "partially_delivered": ReceiptKind.DELIVERED,
    "read": ReceiptKind.READ,
    "undelivered": ReceiptKind.FAILED,
    "failed": ReceiptKind.FAILED,
    "canceled": ReceiptKind.FAILED,
}
_NAMES = {AttachmentKind.IMAGE: "photo", AttachmentKind.AUDIO: "sound", AttachmentKind.VIDEO: "video"}
_CARDS = frozenset({"text/vcard", "text/x-vcard", "text/directory"})


def read_form(body: bytes) -> list[tuple[str, str]]:
    """Return the members of a form, in order; raises `MalformedWebhookError` for more than any call has."""
    try:
        text = body.decode("utf-8", "replace")
        return parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=_FIELDS_MAX)
    except ValueError:
        raise MalformedWebhookError("the form has too many members") from None


def signature(url: str, members: list[tuple[str, str]], auth_token: str) -> str:
    """Return what Twilio puts into `X-Twilio-Signature` of a call to `url` with this form."""
    said = url + "".join(f"{name}{value}" for name, value in sorted(set(members)))
    digest = hmac.digest(auth_token.encode(), said.encode("utf-8", "surrogatepass"), "sha1")
    return base64.b64encode(digest).decode()


def called_url(webhook_url: str, query: Mapping[str, str]) -> str:
    """Return the address that a call with this query went to, as it was told to Twilio."""
    given = {KEY_PARAMETER: query[KEY_PARAMETER]} if KEY_PARAMETER in query else {}
    return f"{webhook_url}?{urlencode(given)}" if given else webhook_url


def without_port(url: str) -> str:
    """Return an address as Twilio signs it where it leaves the port out."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.hostname or ""))


def pack_key(key: str) -> str:
    """Return a key of ours in letters that no address has to escape."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def unpack_key(packed: str) -> str:
    """Return the key that was packed; empty for anything else."""
    try:
        return storable(base64.b64decode(packed + "=" * (-len(packed) % 4), altchars=b"-_", validate=True).decode())
    except ValueError:
        return ""


@dataclass(frozen=True, kw_only=True)
class Inbox:
    """Whose messages a call may bring."""

    account: AccountId
    #: as Twilio writes it: with a plus, unless it is a short code
    number: str
    #: the messaging service that the number is in
    service: str | None = None

    def read(self, body: bytes, query: Mapping[str, str]) -> list[InboundEvent]:
        """Return the event of a call; raises `MalformedWebhookError` for what is no call of Twilio's."""
        form = {name: storable(value) for name, value in reversed(read_form(body))}
        sid = form.get("MessageSid") or form.get("SmsSid") or form.get("SmsMessageSid", "")
        if not _ID.fullmatch(sid):
            raise MalformedWebhookError("MessageSid is missing, or no id")
        if "MessageStatus" in form:
            return [self._report(form, sid, unpack_key(query.get(KEY_PARAMETER, "")))]
        return [self.message(form, sid)]

    def message(self, form: dict[str, str], sid: str) -> InboundEvent:
        """Return what was texted."""
        reason = self._not_ours(form, "From", "To")
        if reason is None and (handled := form.get("OptOutType", "")):
            # STOP, START or HELP: Twilio has answered, and keeps who has unsubscribed.
            reason = f"opt_out.{handled[:20].lower()}"
        text, attachments = form.get("Body", ""), _attachments(form)
        if reason is None and not (text.strip() or attachments):
            reason = "message.empty"
        if reason is not None:
            return Unsupported(external_id=f"{sid}:{reason}", kind=reason)
        return InboundMessage(address=self._address(form["From"]), external_id=sid, text=text, attachments=attachments)

    def _report(self, form: dict[str, str], sid: str, key: str) -> InboundEvent:
        status = form["MessageStatus"].lower()
        reason, kind = self._not_ours(form, "To", "From"), _STATUSES.get(status)
        if reason is not None or kind is None:
            word = status if _STATUS.fullmatch(status) else "unknown"
            return Unsupported(external_id=f"{sid}:{word}", kind=reason or f"status.{word}", is_unread=reason is None)
        has_failed = kind is ReceiptKind.FAILED
        return Receipt(
            address=self._address(form["To"]),
            external_id=f"{status}:{sid}",
            of_external_id=sid,
            of_key=key,
            kind=kind,
            detail=why_undelivered(form.get("ErrorCode", "")) if has_failed else "",
        )

    def _not_ours(self, form: dict[str, str], customer: str, ours: str) -> str | None:
        """Return why a call is not for this account, or not to be answered; none when it is."""
        theirs = form.get(customer, "")
        if ":" in theirs:
            return "other_channel"
        if not _NUMBER.fullmatch(theirs):
            # Some networks let senders show a name: nothing can be sent to it.
            return "no_number"
        is_of_service = self.service is not None and form.get("MessagingServiceSid") == self.service
        return None if is_of_service or form.get(ours, "") == self.number else "other_number"

    def _address(self, number: str) -> ChannelAddress:
        return ChannelAddress(channel=CHANNEL, account=self.account, external_id=number)


def _attachments(form: dict[str, str]) -> tuple[Attachment, ...]:
    """Return the files of an MMS."""
    found = []
    for index in range(_FILES_MAX):
        if url := form.get(f"MediaUrl{index}", ""):
            media_type = form.get(f"MediaContentType{index}", "").lower()[:100]
            top = media_type.partition("/")[0]
            kind = AttachmentKind(top) if top in {"image", "audio", "video"} else AttachmentKind.FILE
            name = _NAMES.get(kind) or ("contact.vcf" if media_type in _CARDS else "file")
            found.append(Attachment(kind=kind, reference=url, name=name, media_type=media_type))
    return tuple(found)
