"""Webhook calls of Messenger and Instagram as inbound events; pure.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.errors import MalformedWebhookError
from bot.domain.invitations import is_invitation
from bot.domain.messages import (
    Attachment,
    AttachmentKind,
    Echo,
    InboundEvent,
    InboundMessage,
    Reaction,
    Receipt,
    ReceiptKind,
    Withdrawal,
)
from connectors.batches import NotForUsError, Read, UnknownKindError, refuse
from connectors.fields import Fields, storable
from connectors.meta.account import Batch, Content, address, choice, key_in
from connectors.meta.comments import FIELDS, Comments
from connectors.places import map_link

#: type of an attachment → kind, and name of a file that does not say. Instagram sends posts and stories as such.
_FILES: dict[str, tuple[AttachmentKind, str]] = {
    "image": (AttachmentKind.IMAGE, "photo"),
    "video": (AttachmentKind.VIDEO, "video"),
    "audio": (AttachmentKind.AUDIO, "voice message"),
    "file": (AttachmentKind.FILE, "file"),
    "story_mention": (AttachmentKind.FILE, "story that mentions us"),
    "reel": (AttachmentKind.VIDEO, "reel"),
    "ig_reel": (AttachmentKind.VIDEO, "reel"),
    "ig_post": (AttachmentKind.FILE, "post"),
    "share": (AttachmentKind.FILE, "post"),
    "ig_story": (AttachmentKind.FILE, "story"),
}
#: Members that every item has and that say nothing about what it is.
_ENVELOPE = frozenset({"sender", "recipient", "timestamp"})
#: Messenger's thumb, in its three sizes.
_THUMBS = frozenset({369239263222822, 369239343222814, 369239383222810})
_PER_SECOND = 1000


@dataclass(frozen=True, kw_only=True)
class Mailbox:
    """Whose messages a call may bring."""

    channel: ChannelName
    account: AccountId
    #: what Meta calls the channel: "page", "instagram"
    object_name: str
    #: the entry may name the page as well, where Instagram is linked to one
    page_id: str | None = None
    #: our app: what it sent is ours
    app_id: str | None = None
    #: reads what is said in public; none: that is not for us
    comments: Comments | None = None

    def read(self, body: bytes) -> list[InboundEvent]:
        """Return the events of a call, N in and N out; raises `MalformedWebhookError`."""
        batch = Batch.read(body)
        return batch.events(lambda entry: self._items(batch.object_name, entry))

    def _items(self, object_name: str, entry: Fields) -> Iterator[tuple[Fields, Read]]:
        is_ours = object_name == self.object_name and entry.text("id") in {self.account, self.page_id}
        for item in entry.objects("messaging"):
            yield item, self._read if is_ours else refuse("other_account")
        for item in entry.objects("standby"):
            yield item, refuse("standby")
        for change in entry.objects("changes"):
            yield change, self._reads_change(entry, _word(change)) if is_ours else refuse("other_account")

    def _reads_change(self, entry: Fields, field: str) -> Read:
        comments = self.comments
        if comments is None or field not in FIELDS[self.object_name]:
            return refuse(f"changes.{field}")
        return lambda change: comments.read(field, change.object("value"), entry.size("time") or 0)

    def _read(self, item: Fields) -> list[InboundEvent]:
        readers: dict[str, Callable[[Fields, Fields], list[InboundEvent]]] = {
            "message": self._message,
            "message_edit": self._edit,
            "postback": self._postback,
            "reaction": self._reaction,
            "referral": self._referral,
            "delivery": self._delivery,
            "read": self._seen,
        }
        kind = next((name for name in item if name not in _ENVELOPE), "empty")
        kind = next((name for name in readers if name in item), kind)
        if kind not in readers:
            raise UnknownKindError(kind)
        return readers[kind](item, item.object(kind))

    def _customer(self, item: Fields, side: str = "sender") -> ChannelAddress:
        person = item.object(side).text("id")
        if person in {self.account, self.page_id}:
            raise NotForUsError("from_ourselves")
        return address(self.channel, self.account, person)

    def _message(self, item: Fields, message: Fields) -> list[InboundEvent]:
        mid = message.text("mid")
        if message.flag("is_echo"):
            return [self._echo(item, message, mid)]
        customer = self._customer(item)
        if message.flag("is_deleted"):
            # What a customer of Instagram unsends, apps have to delete (the platform's terms, on users' requests).
            gone = f"deleted:{mid}"
            is_erasure = self.object_name == "instagram"
            return [Withdrawal(address=customer, external_id=gone, of_external_id=mid, is_erasure=is_erasure)]
        content = _content(message)
        return [
            InboundMessage(
                address=customer,
                external_id=mid,
                text=content.text,
                attachments=content.attachments,
                choice=content.choice,
                quotes=message.aside("reply_to", "mid"),
                referral=_ref(message),
                sent_at=item.moment("timestamp", _PER_SECOND),
            )
        ]

    def _echo(self, item: Fields, message: Fields, mid: str) -> InboundEvent:
        """Return what was sent for the brand: a report on our own message, or a person's answer from elsewhere."""
        customer = self._customer(item, "recipient")
        key, app = key_in(message.text("metadata", "")), _id(message, "app_id")
        if key or (app and app == self.app_id):
            report = f"echo:{mid}"
            return Receipt(address=customer, external_id=report, of_external_id=mid, of_key=key, kind=ReceiptKind.SENT)
        content = _content(message)
        return Echo(
            address=customer,
            external_id=mid,
            text=content.text,
            attachments=content.attachments,
            sent_at=item.moment("timestamp", _PER_SECOND),
        )

    def _edit(self, item: Fields, edit: Fields) -> list[InboundEvent]:
        mid, text = edit.text("mid"), edit.text("text", "")
        if not text:
            raise NotForUsError("message_edit.empty")
        return [
            InboundMessage(
                address=self._customer(item),
                # Documented as a number, shown as a string.
                external_id=f"edit:{mid}:{_id(edit, 'num_edit') or item.integer('timestamp')}",
                text=text,
                edits=mid,
                sent_at=item.moment("timestamp", _PER_SECOND),
            )
        ]

    def _postback(self, item: Fields, postback: Fields) -> list[InboundEvent]:
        customer, payload = self._customer(item), postback.text("payload", "")
        title = postback.text("title", "")
        if not (payload or title):
            raise NotForUsError("postback.empty")
        # Old ones have no id of their own.
        mid = postback.text("mid", "") or f"postback:{customer.external_id}:{item.integer('timestamp')}:{payload}"
        return [
            InboundMessage(
                address=customer,
                external_id=mid,
                text=title or payload,
                choice=choice(payload),
                referral=_ref(postback),
                sent_at=item.moment("timestamp", _PER_SECOND),
            )
        ]

    def _referral(self, item: Fields, referral: Fields) -> list[InboundEvent]:
        """Return a message without words, as which somebody comes by a link with an invitation; others write first."""
        ref = referral.text("ref", "")
        if not is_invitation(ref):
            raise NotForUsError("referral")
        customer = self._customer(item)
        return [
            InboundMessage(
                address=customer,
                external_id=f"referral:{customer.external_id}:{item.integer('timestamp')}",
                referral=ref,
                sent_at=item.moment("timestamp", _PER_SECOND),
            )
        ]

    def _reaction(self, item: Fields, reaction: Fields) -> list[InboundEvent]:
        customer, mid = self._customer(item), reaction.text("mid")
        is_gone = reaction.text("action", "react") == "unreact"
        return [
            Reaction(
                address=customer,
                external_id=f"reaction:{mid}:{customer.external_id}:{item.integer('timestamp')}",
                of_external_id=mid,
                emoji="" if is_gone else reaction.text("emoji", "") or reaction.text("reaction", ""),
            )
        ]

    def _delivery(self, item: Fields, delivery: Fields) -> list[InboundEvent]:
        mids = delivery.texts("mids", 10_000)
        if not mids:
            return [self._watermark(item, delivery, ReceiptKind.DELIVERED)]
        customer, kind = self._customer(item), ReceiptKind.DELIVERED
        return [Receipt(address=customer, external_id=f"delivered:{m}", of_external_id=m, kind=kind) for m in mids]

    def _seen(self, item: Fields, read: Fields) -> list[InboundEvent]:
        mid = read.text("mid", "")
        if not mid:
            return [self._watermark(item, read, ReceiptKind.READ)]
        return [
            Receipt(address=self._customer(item), external_id=f"read:{mid}", of_external_id=mid, kind=ReceiptKind.READ)
        ]

    def _watermark(self, item: Fields, report: Fields, kind: ReceiptKind) -> Receipt:
        customer, mark = self._customer(item), report.integer("watermark")
        return Receipt(
            address=customer,
            external_id=f"{kind}:{customer.external_id}:{mark}",
            of_external_id="",
            kind=kind,
            up_to=report.moment("watermark", _PER_SECOND),
        )


def _content(message: Fields) -> Content:
    """Return what a message holds; raises `NotForUsError` when that is nothing we can show."""
    if message.flag("is_unsupported"):
        raise NotForUsError("message.unsupported")
    attachments: list[Attachment] = []
    lines = [message.text("text", "")]
    for item in message.objects("attachments"):
        kind = item.text("type", "")
        payload = item.object("payload") if "payload" in item else item
        if _is_thumb(payload):
            lines.append("👍")
        elif kind in _FILES and "url" in payload:
            # Instagram names a post twice while its form changes.
            if (attachment := _attachment(kind, payload)).reference not in {each.reference for each in attachments}:
                attachments.append(attachment)
        else:
            lines.append(_line(kind, item, payload, lines[0]))
    attachments += _story(message)
    tapped = message.object("quick_reply").text("payload", "") if "quick_reply" in message else ""
    text = "\n".join(filter(None, lines))
    content = Content(text=text, attachments=tuple(attachments), choice=choice(tapped) if tapped else None)
    if content.is_empty:
        types = [item.text("type", "") for item in message.objects("attachments")]
        raise UnknownKindError(f"message.{types[0] if types else 'empty'}")
    return content


def _attachment(kind: str, payload: Fields) -> Attachment:
    what, name = _FILES[kind]
    return Attachment(kind=what, reference=payload.text("url"), name=payload.text("title", "") or name)


def _story(message: Fields) -> list[Attachment]:
    """Return the story of ours that a customer answers, for people to see what it is about."""
    story = message.object("reply_to") if "reply_to" in message else None
    if story is None or "story" not in story or not (url := story.object("story").text("url", "")):
        return []
    return [Attachment(kind=AttachmentKind.FILE, reference=url, name="our story")]


def _ref(fields: Fields) -> str:
    """Return what the link said by which somebody came."""
    return fields.object("referral").text("ref", "") if "referral" in fields else ""


def _is_thumb(payload: Fields) -> bool:
    return "sticker_id" in payload and payload.integer("sticker_id") in _THUMBS


def _line(kind: str, item: Fields, payload: Fields, said: str) -> str:
    """Return a line that stands for what is no file: a place, a shared page that was not named already."""
    if kind == "location":
        place = payload.object("coordinates")
        return f"Location: {map_link(place.number('lat'), place.number('long'))}"
    title, url = item.text("title", "") or payload.text("title", ""), payload.text("url", "") or item.text("url", "")
    return " ".join(filter(None, (title, "" if url in said else url)))


def _id(fields: Fields, name: str) -> str:
    """Return a number that Meta gives as a number or as a string; empty when it is absent."""
    if name not in fields:
        return ""
    try:
        return str(fields.integer(name))
    except MalformedWebhookError:
        return fields.text(name)


def _word(change: Fields) -> str:
    return storable(change.text("field", "unknown"))
