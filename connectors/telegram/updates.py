"""Telegram's updates (https://core.telegram.org/bots/api#update) as inbound events; pure.

They are read member by member and not by `telegram.Update.de_json`, which gives a whole update up for one odd member
that nobody needs, and checks no types. The tests hold both against each other on every recorded payload.

A message is named by its chat and its number there, which stay unique for ever; `update_id` is not: after a quiet week
Telegram goes on from a random number.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.errors import MalformedWebhookError
from bot.domain.messages import Attachment, AttachmentKind, InboundEvent, InboundMessage, Reaction, Unsupported
from connectors.fields import Fields
from connectors.places import map_link

CHANNEL = ChannelName("telegram")
#: What we ask Telegram to tell us; everything else is `Unsupported` where it comes all the same.
ALLOWED_UPDATES = ("message", "edited_message", "callback_query", "message_reaction")

#: member of a message → kind, name and type of a file that does not say. An animation is repeated as a document.
_FILES: dict[str, tuple[AttachmentKind, str, str]] = {
    "animation": (AttachmentKind.VIDEO, "animation.mp4", "video/mp4"),
    "video": (AttachmentKind.VIDEO, "video.mp4", "video/mp4"),
    "video_note": (AttachmentKind.VIDEO, "video.mp4", "video/mp4"),
    "voice": (AttachmentKind.AUDIO, "voice.ogg", "audio/ogg"),
    "audio": (AttachmentKind.AUDIO, "audio", "audio/mpeg"),
    "document": (AttachmentKind.FILE, "file", "application/octet-stream"),
}
#: Members that every message may have and that say nothing about what it is.
_ENVELOPE = frozenset(
    {
        *("message_id", "from", "sender_chat", "chat", "date", "edit_date", "author_signature", "via_bot"),
        *("reply_to_message", "quote", "external_reply", "forward_origin", "has_protected_content"),
        *("entities", "caption_entities", "link_preview_options", "reply_markup"),
    }
)
_CALLBACK = "callback:"
#: Stands for a sign that is no emoji.
_PICTURE = "🖼"
#: What a deep link has the customer send, with what it carries.
_START = re.compile(r"/start(?:@\w+)? ([A-Za-z0-9_-]{1,64})")
_KIND_MAX = 64


def read_update(value: object, account: AccountId) -> InboundEvent:
    """Return the event of one update; raises `MalformedWebhookError` when it is not an update."""
    update = Fields(value)
    update_id = update.integer("update_id")
    kind = next((name for name in update if name != "update_id"), "empty")
    if kind not in ALLOWED_UPDATES:
        return unsupported(update_id, kind, unread=update)
    body = update.object(kind)
    if kind == "callback_query":
        return _read_tap(body, update_id, account)
    if kind == "message_reaction":
        return _read_reaction(body, update_id, account)
    return _read_message(body, kind, update, account)


def message_key(chat_id: str, message_id: int) -> str:
    """Return what names a message for ever, be it the customer's or ours."""
    return f"{chat_id}:{message_id}"


def message_of(key: str) -> tuple[str, int]:
    """Return chat and number of the message that `message_key` named."""
    chat_id, _, message_id = key.rpartition(":")
    return chat_id, int(message_id)


def callback_query_id(external_id: str) -> str | None:
    """Return the id of the tap that an event stands for; none when the event is not a tap."""
    return external_id.removeprefix(_CALLBACK) if external_id.startswith(_CALLBACK) else None


def _read_message(message: Fields, kind: str, update: Fields, account: AccountId) -> InboundEvent:
    chat, update_id = message.object("chat"), update.integer("update_id")
    if (chat_kind := _other_than_private(chat)) is not None:
        return unsupported(update_id, f"{kind}.{chat_kind}")
    sent_at, key = message.moment("date"), message_key(str(chat.integer("id")), message.integer("message_id"))
    text, attachments = _text(message), _attachments(message)
    content = next((name for name in message if name not in _ENVELOPE), "empty")
    # A live location is an edit every few seconds, and nothing to answer.
    if kind == "edited_message" and "location" in message:
        return unsupported(update_id, f"{kind}.{content}")
    if not (text or attachments):
        return unsupported(update_id, f"{kind}.{content}", unread=update)
    edited_at = message.moment("edit_date") if kind == "edited_message" else None
    started = _START.fullmatch(text)
    return InboundMessage(
        address=_address(chat, account),
        # Two edits can fall into one second: only the update tells them apart.
        external_id=key if edited_at is None else f"{key}:edit:{message.integer('edit_date')}:{update_id}",
        text="/start" if started else text,
        attachments=attachments,
        referral=started[1] if started else "",
        quotes=_quoted(message),
        edits=None if edited_at is None else key,
        display_name=_display_name(chat),
        language=_language(message),
        sent_at=edited_at or sent_at,
    )


def _quoted(message: Fields) -> str | None:
    """Return the message that this one answers; what it says of another chat is not ours to know."""
    try:
        answered = message.object("reply_to_message") if "reply_to_message" in message else None
        if answered is None:
            return None
        return message_key(str(answered.object("chat").integer("id")), answered.integer("message_id"))
    except MalformedWebhookError:
        return None


def _read_tap(query: Fields, update_id: int, account: AccountId) -> InboundEvent:
    query_id, data = query.text("id"), query.text("data", "")
    if not data or "message" not in query:
        return unsupported(update_id, "callback_query.game" if "game_short_name" in query else "callback_query.inline")
    chat = query.object("message").object("chat")
    if (chat_kind := _other_than_private(chat)) is not None:
        return unsupported(update_id, f"callback_query.{chat_kind}")
    return InboundMessage(
        address=_address(chat, account),
        external_id=f"{_CALLBACK}{query_id}",
        choice=data,
        display_name=_display_name(chat),
        language=_language(query),
    )


def _read_reaction(reaction: Fields, update_id: int, account: AccountId) -> InboundEvent:
    chat = reaction.object("chat")
    if (chat_kind := _other_than_private(chat)) is not None:
        return unsupported(update_id, f"message_reaction.{chat_kind}")
    key, at = message_key(str(chat.integer("id")), reaction.integer("message_id")), reaction.integer("date")
    # Those that are no emoji are pictures, which only Telegram can show.
    signs = [each.text("emoji", "") or _PICTURE for each in reaction.objects("new_reaction")]
    return Reaction(
        address=_address(chat, account),
        external_id=f"{key}:reaction:{at}:{update_id}",
        of_external_id=key,
        emoji="".join(signs),
    )


def _other_than_private(chat: Fields) -> str | None:
    """Return "group", "channel" and the like; none for a chat with one person."""
    kind = chat.text("type")
    return None if kind == "private" else kind


def _address(chat: Fields, account: AccountId) -> ChannelAddress:
    return ChannelAddress(channel=CHANNEL, account=account, external_id=str(chat.integer("id")))


def _display_name(chat: Fields) -> str | None:
    return f"{chat.text('first_name', '')} {chat.text('last_name', '')}".strip() or chat.text("username", "") or None


def _language(event: Fields) -> str | None:
    """Return the language of the customer's app; where it cannot be read, a message is no less a message."""
    try:
        return (event.object("from").text("language_code", "") or None) if "from" in event else None
    except MalformedWebhookError:
        return None


def _text(message: Fields) -> str:
    """Return what the customer wrote, or a line that stands for what they sent instead; empty for neither."""
    if written := message.text("text", "") or message.text("caption", ""):
        return written
    kind = next((kind for kind in _READABLE if kind in message), None)
    return _READABLE[kind](message.object(kind)) if kind else ""


def _sticker(sticker: Fields) -> str:
    return sticker.text("emoji", "") or "[sticker]"


def _dice(dice: Fields) -> str:
    return f"{dice.text('emoji')} {dice.integer('value')}"


def _venue(venue: Fields) -> str:
    return f"Location: {venue.text('title')}, {venue.text('address')} {_map_link(venue.object('location'))}"


def _location(location: Fields) -> str:
    return f"Location: {_map_link(location)}"


def _contact(contact: Fields) -> str:
    name = f"{contact.text('first_name')} {contact.text('last_name', '')}".strip()
    return f"Contact: {name}, {contact.text('phone_number')}"


#: member of a message → its readable line. A venue comes with its location.
_READABLE: dict[str, Callable[[Fields], str]] = {
    "sticker": _sticker,
    "dice": _dice,
    "venue": _venue,
    "location": _location,
    "contact": _contact,
}


def _map_link(location: Fields) -> str:
    return map_link(location.number("latitude"), location.number("longitude"))


def _attachments(message: Fields) -> tuple[Attachment, ...]:
    if photos := message.objects("photo"):
        largest = max(photos, key=lambda size: size.integer("width") * size.integer("height"))
        return (_attachment(largest, AttachmentKind.IMAGE, "photo.jpg", "image/jpeg"),)
    name = next((name for name in _FILES if name in message), None)
    return (_attachment(message.object(name), *_FILES[name]),) if name else ()


def _attachment(file: Fields, kind: AttachmentKind, name: str, media_type: str) -> Attachment:
    media_type = file.text("mime_type", "") or media_type
    if kind is AttachmentKind.FILE and media_type.startswith("image/"):
        kind = AttachmentKind.IMAGE
    return Attachment(
        kind=kind,
        reference=file.text("file_id"),
        name=file.text("file_name", "") or name,
        media_type=media_type,
        size=file.size("file_size"),
    )


def unsupported(update_id: int, kind: str, *, unread: Fields | None = None) -> Unsupported:
    """Return what is made of an update that is not for us; `unread` is one of which nobody knows what it says."""
    kind = kind[:_KIND_MAX]
    raw = unread.dump() if unread is not None else ""
    return Unsupported(external_id=f"update:{update_id}:{kind}", kind=kind, is_unread=unread is not None, raw=raw)
