"""Webhook calls of LINE as inbound events; pure.

https://developers.line.biz/en/reference/messaging-api/#webhook-event-objects
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.errors import MalformedWebhookError
from bot.domain.messages import Attachment, AttachmentKind, InboundEvent, InboundMessage, Withdrawal
from connectors.batches import NotForUsError, UnknownKindError, digest_of, read_all
from connectors.fields import Fields, load
from connectors.places import map_link

CHANNEL = ChannelName("line")
#: Before the payload of a choice: tells our taps from those of menus that were made in LINE's own manager.
CHOICE_MARK = "tandem:"
#: How long after its event a reply token is used: LINE takes it for a minute, and some of that is over already
#: (https://developers.line.biz/en/reference/messaging-api/#send-reply-message).
TOKEN_LIVES_FOR = timedelta(seconds=50)

_CUSTOMER = re.compile(r"[A-Za-z0-9_-]{1,100}")
_PER_SECOND = 1000
#: type of a message → kind, and name of the file.
_FILES: dict[str, tuple[AttachmentKind, str]] = {
    "image": (AttachmentKind.IMAGE, "photo"),
    "video": (AttachmentKind.VIDEO, "video"),
    "audio": (AttachmentKind.AUDIO, "voice message"),
    "file": (AttachmentKind.FILE, "file"),
}
_KEYWORDS_MAX = 100
#: What LINE tells of besides, and nobody has to answer.
_IGNORED = frozenset(
    {
        *("follow", "unfollow", "join", "leave", "memberJoined", "memberLeft", "membership", "accountLink", "beacon"),
        *("videoPlayComplete", "module", "activated", "deactivated", "botSuspended", "botResumed", "delivery"),
    }
)


@dataclass(frozen=True, kw_only=True)
class Mailbox:
    """Whose messages a call may bring."""

    account: AccountId

    def read(self, body: bytes) -> list[InboundEvent]:
        """Return the events of a call, N in and N out; raises `MalformedWebhookError`.

        LINE tries an address with a call that holds none.
        """
        call = Fields(load(body))
        call.text("destination")
        return read_all(((event, self._read) for event in call.objects("events")), digest_of(body))

    def _read(self, event: Fields) -> list[InboundEvent]:
        readers: dict[str, Callable[[Fields], InboundEvent]] = {
            "message": self._message,
            "messageEdited": self._edit,
            "postback": self._tap,
            "unsend": self._unsent,
        }
        kind = event.text("type")
        if kind not in readers:
            raise NotForUsError(kind) if kind in _IGNORED else UnknownKindError(kind)
        if event.text("mode", "active") == "standby":
            raise NotForUsError("standby")
        if (place := event.object("source").text("type")) != "user":
            raise NotForUsError(f"{kind}.{place}")
        return [readers[kind](event)]

    def _customer(self, event: Fields) -> ChannelAddress:
        person = event.object("source").text("userId", "")
        if not person:
            # Somebody with an old LINE, who cannot be answered.
            raise NotForUsError("nameless")
        if not _CUSTOMER.fullmatch(person):
            raise MalformedWebhookError("a customer's id is no id")
        return ChannelAddress(channel=CHANNEL, account=self.account, external_id=person)

    def _message(self, event: Fields) -> InboundMessage:
        message = event.object("message")
        text, attachments = _content(message)
        return InboundMessage(
            address=self._customer(event),
            external_id=message.text("id"),
            text=text,
            attachments=attachments,
            quotes=message.aside("quotedMessageId"),
            quote_token=message.aside("quoteToken") or "",
            sent_at=event.moment("timestamp", _PER_SECOND),
            reply_context=_reply_context(event) | _given(read_token=message.text("markAsReadToken", "")),
        )

    def _edit(self, event: Fields) -> InboundMessage:
        message = event.object("message")
        text, attachments = _content(message)
        return InboundMessage(
            address=self._customer(event),
            external_id=event.text("webhookEventId"),
            text=text,
            attachments=attachments,
            edits=message.text("id"),
            sent_at=event.moment("timestamp", _PER_SECOND),
            reply_context=_reply_context(event),
        )

    def _tap(self, event: Fields) -> InboundMessage:
        postback = event.object("postback")
        data = postback.text("data")
        picked = postback.object("params") if "params" in postback else None
        text = " ".join([data, *(picked.text(name) for name in picked)]) if picked is not None else data
        is_ours = data.startswith(CHOICE_MARK)
        return InboundMessage(
            address=self._customer(event),
            external_id=event.text("webhookEventId"),
            text="" if is_ours else text,
            choice=data.removeprefix(CHOICE_MARK) if is_ours else None,
            sent_at=event.moment("timestamp", _PER_SECOND),
            reply_context=_reply_context(event),
        )

    def _unsent(self, event: Fields) -> Withdrawal:
        message_id = event.object("unsend").text("messageId")
        return Withdrawal(address=self._customer(event), external_id=f"unsend:{message_id}", of_external_id=message_id)


def _reply_context(event: Fields) -> dict[str, str]:
    """Return the token that answers the event for nothing, and until when, in seconds since 1970."""
    token = event.text("replyToken", "")
    until = event.moment("timestamp", _PER_SECOND) + TOKEN_LIVES_FOR
    return _given(reply_token=token, reply_until=f"{until.timestamp():.3f}" if token else "")


def _given(**values: str) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def _content(message: Fields) -> tuple[str, tuple[Attachment, ...]]:
    """Return the words and files of a message; raises `NotForUsError` when that is nothing we can show."""
    kind = message.text("type")
    if kind == "text":
        return message.text("text"), ()
    if kind == "sticker":
        return _sticker(message), ()
    if kind == "location":
        link = map_link(message.number("latitude"), message.number("longitude"))
        lines = [message.text("title", ""), message.text("address", ""), f"Location: {link}"]
        return "\n".join(filter(None, lines)), ()
    if kind not in _FILES:
        raise UnknownKindError(f"message.{kind}")
    what, name = _FILES[kind]
    provider = message.object("contentProvider") if "contentProvider" in message else None
    if provider is not None and provider.text("type", "line") == "external":
        # A mini app sent what somebody else keeps: people may look, Tandem fetches from LINE alone.
        return f"[{name}] {provider.text('originalContentUrl', '')}".strip(), ()
    file = Attachment(
        kind=what,
        reference=message.text("id"),
        name=message.text("fileName", "") or name,
        size=message.size("fileSize"),
    )
    return "", (file,)


def _sticker(message: Fields) -> str:
    """Return a sticker's own words, or those that LINE describes it by."""
    words = message.text("text", "") or ", ".join(message.texts("keywords", _KEYWORDS_MAX)[:3])
    return f"[sticker: {words}]" if words else "[sticker]"
