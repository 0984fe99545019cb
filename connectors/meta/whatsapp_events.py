"""Webhook calls of WhatsApp as inbound events; pure.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages

A customer is named by what every customer has: the business-scoped user id (`GB.1349…`). The phone number, which those
with a user name do not show, stands in for it where an older call has nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.errors import MalformedWebhookError
from bot.domain.messages import (
    Attachment,
    AttachmentKind,
    Echo,
    InboundEvent,
    InboundMessage,
    Reaction,
    Receipt,
    ReceiptKind,
    Renaming,
    Withdrawal,
)
from connectors.batches import NotForUsError, Read, UnknownKindError, of_each, refuse
from connectors.fields import Fields
from connectors.meta.account import Batch, Content, address, choice, key_in
from connectors.meta.errors import GraphError
from connectors.places import map_link

CHANNEL = ChannelName("whatsapp")
OBJECT = "whatsapp_business_account"

#: type of a message → kind of its file, and a name for one that has none.
_FILES: dict[str, tuple[AttachmentKind, str]] = {
    "image": (AttachmentKind.IMAGE, "photo"),
    "sticker": (AttachmentKind.IMAGE, "sticker"),
    "audio": (AttachmentKind.AUDIO, "voice message"),
    "video": (AttachmentKind.VIDEO, "video"),
    "document": (AttachmentKind.FILE, "file"),
}
#: What WhatsApp reports on a message → what we make of it.
_REPORTS = {
    "sent": ReceiptKind.SENT,
    "delivered": ReceiptKind.DELIVERED,
    "read": ReceiptKind.READ,
    "played": ReceiptKind.READ,
    "failed": ReceiptKind.FAILED,
}
_TIMESTAMP_MAX = 12


@dataclass(frozen=True, kw_only=True)
class Line:
    """One phone number of ours."""

    account: AccountId

    def read(self, body: bytes) -> list[InboundEvent]:
        """Return the events of a call, N in and N out; raises `MalformedWebhookError`."""
        batch = Batch.read(body)
        is_ours = batch.object_name == OBJECT
        return batch.events(
            lambda entry: of_each(entry.objects("changes"), lambda change: self._items(change, is_ours=is_ours))
        )

    def _items(self, change: Fields, *, is_ours: bool) -> Iterator[tuple[Fields, Read]]:
        field = change.text("field", "unknown")
        if not is_ours or field not in {"messages", "smb_message_echoes"}:
            yield change, refuse(f"changes.{field}")
        else:
            yield from self._of_value(change.object("value"))

    def _of_value(self, value: Fields) -> Iterator[tuple[Fields, Read]]:
        is_ours = value.object("metadata").text("phone_number_id", "") == self.account
        reader = _Reader(account=self.account, names=_names(value))
        reads: dict[str, Read] = {
            "messages": reader.message,
            "message_echoes": reader.echo,
            "statuses": reader.status,
            "errors": refuse("errors"),
        }
        for name, read in reads.items():
            for item in value.objects(name):
                yield item, read if is_ours else refuse("other_account")


@dataclass(frozen=True, kw_only=True)
class _Reader:
    """Reads the items of one change."""

    account: AccountId
    #: what customers call themselves, by each of their ids
    names: dict[str, str]

    def message(self, message: Fields) -> list[InboundEvent]:
        """Return what a customer did."""
        kind = message.text("type", "unknown")
        if "group_id" in message:
            raise NotForUsError("group")
        if kind == "system":
            return self._renaming(message, message.object("system"))
        customer, message_id = self._customer(message, "from_user_id", "from"), message.text("id")
        if kind == "revoke":
            gone = message.object("revoke").text("original_message_id")
            return [Withdrawal(address=customer, external_id=message_id, of_external_id=gone)]
        if kind == "reaction":
            sign = message.object("reaction")
            of_message, emoji = sign.text("message_id"), sign.text("emoji", "")
            return [Reaction(address=customer, external_id=message_id, of_external_id=of_message, emoji=emoji)]
        edits = None
        content_of, sent_at = message, _moment(message)
        if kind == "edit":
            edit = message.object("edit")
            edits, content_of = edit.text("original_message_id"), edit.object("message")
        content = _content(content_of)
        return [
            InboundMessage(
                address=customer,
                external_id=message_id,
                text=content.text,
                attachments=content.attachments,
                choice=content.choice,
                edits=edits,
                # A tap names what it was below; that is nothing that they chose to answer.
                quotes=message.aside("context", "id") if content.choice is None else None,
                display_name=self.names.get(customer.external_id),
                also=tuple(each for each in (message.text("from", ""),) if each and each != customer.external_id),
                sent_at=sent_at,
            )
        ]

    def _renaming(self, message: Fields, system: Fields) -> list[InboundEvent]:
        """Return by what id a customer is known from now on, who moved to another number, say."""
        kind = system.text("type", "")
        news = {"user_changed_user_id": "user_id", "user_changed_number": "wa_id", "customer_changed_number": "wa_id"}
        new_id = system.text(news[kind], "") if kind in news else ""
        if not new_id:
            raise NotForUsError(f"system.{kind}")
        former = system.text("previous_user_id", "") or self._customer(message, "from_user_id", "from").external_id
        renamed = address(CHANNEL, self.account, new_id)
        return [Renaming(address=renamed, external_id=message.text("id"), former=former)]

    def echo(self, message: Fields) -> list[InboundEvent]:
        """Return what a person of the brand wrote in the WhatsApp Business app."""
        kind = message.text("type", "unknown")
        if kind in {"edit", "revoke"}:
            raise NotForUsError(f"echo.{kind}")
        content = _content(message)
        return [
            Echo(
                address=self._customer(message, "to_user_id", "to"),
                external_id=message.text("id"),
                text=content.text,
                attachments=content.attachments,
                sent_at=_moment(message),
            )
        ]

    def status(self, status: Fields) -> list[InboundEvent]:
        """Return a report on a message of ours."""
        name = status.text("status")
        kind = _REPORTS.get(name)
        if kind is None or status.text("recipient_type", "") == "group":
            raise NotForUsError(f"status.{name}") if kind else UnknownKindError(f"status.{name}")
        message_id = status.text("id")
        return [
            Receipt(
                address=self._customer(status, "recipient_user_id", "recipient_id"),
                external_id=f"{name}:{message_id}",
                of_external_id=message_id,
                kind=kind,
                detail=_failure(status) if kind is ReceiptKind.FAILED else "",
                of_key=key_in(status.text("biz_opaque_callback_data", "")),
            )
        ]

    def _customer(self, item: Fields, user_id: str, number: str) -> ChannelAddress:
        return address(CHANNEL, self.account, item.text(user_id, "") or item.text(number, ""))


def _names(value: Fields) -> dict[str, str]:
    """Return what customers call themselves; a call without names is no worse a call."""
    names: dict[str, str] = {}
    for contact in value.objects("contacts"):
        try:
            profile = contact.object("profile")
            name = profile.text("name", "") or profile.text("username", "")
            ids = [contact.text("wa_id", ""), contact.text("user_id", "")]
        except MalformedWebhookError:
            continue
        names |= {each: name for each in ids if each and name}
    return names


def _content(message: Fields) -> Content:
    """Return what a message holds; raises `NotForUsError` when that is nothing to answer."""
    kind = message.text("type", "unknown")
    if kind in _FILES:
        file = message.object(kind)
        return Content(text=file.text("caption", ""), attachments=(_attachment(kind, file),))
    if kind == "contacts":
        return Content(text="\n".join(_contact(each) for each in message.objects(kind)))
    read = _READERS.get(kind)
    if read is None:
        raise UnknownKindError(f"message.{kind}")
    content = read(message.object(kind))
    if content.is_empty:
        raise UnknownKindError(f"message.{kind}.empty")
    return content


def _attachment(kind: str, file: Fields) -> Attachment:
    what, name = _FILES[kind]
    return Attachment(
        kind=what,
        reference=file.text("id"),
        name=file.text("filename", "") or name,
        media_type=file.text("mime_type", "").partition(";")[0],
    )


def _text(text: Fields) -> Content:
    return Content(text=text.text("body", ""))


def _button(button: Fields) -> Content:
    """A tap below a template."""
    return Content(text=button.text("text", ""), choice=choice(button.text("payload", "")))


def _interactive(interactive: Fields) -> Content:
    kind = interactive.text("type", "unknown")
    if kind not in {"button_reply", "list_reply"}:
        raise UnknownKindError(f"message.interactive.{kind}")
    reply = interactive.object(kind)
    # Of a row whose title was too long, the description is the whole.
    return Content(text=reply.text("description", "") or reply.text("title", ""), choice=choice(reply.text("id", "")))


def _location(location: Fields) -> Content:
    link = map_link(location.number("latitude"), location.number("longitude"))
    place = ", ".join(filter(None, (location.text("name", ""), location.text("address", ""))))
    return Content(text=f"Location: {place} {link}" if place else f"Location: {link}")


def _contact(contact: Fields) -> str:
    name = contact.object("name").text("formatted_name", "") if "name" in contact else ""
    phones = [phone.text("phone", "") for phone in contact.objects("phones")]
    return f"Contact: {', '.join(filter(None, (name, *phones)))}"


def _order(order: Fields) -> Content:
    items = [
        f"{item.integer('quantity')} × {item.text('product_retailer_id')}" for item in order.objects("product_items")
    ]
    return Content(text="\n".join(filter(None, (order.text("text", ""), "Order: " + ", ".join(items)))))


#: type of a message → what it says. `contacts` is a list, and read apart.
_READERS: dict[str, Callable[[Fields], Content]] = {
    "text": _text,
    "button": _button,
    "interactive": _interactive,
    "location": _location,
    "order": _order,
}


def _moment(message: Fields) -> datetime:
    """Return when a message was written: seconds since 1970, as a string."""
    seconds = message.text("timestamp")
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) <= _TIMESTAMP_MAX):
        raise MalformedWebhookError("a timestamp must be digits")
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (OverflowError, OSError, ValueError):
        raise MalformedWebhookError("a timestamp must be a moment") from None


def _failure(status: Fields) -> str:
    """Return why a message did not arrive, in plain words."""
    errors = status.objects("errors")
    if not errors:
        return "WhatsApp does not say why"
    data = errors[0].object("error_data") if "error_data" in errors[0] else None
    details = data.text("details", "") if data is not None else ""
    message = details or errors[0].text("title", "")
    return GraphError(code=errors[0].integer("code"), message=message).reason()
