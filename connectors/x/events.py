"""Webhook calls of X's Activity API as inbound events; pure.

Direct messages come in the form of the older Account Activity API, posts in that of API v2. What `dm.read` looks like
is not documented: it is read as the older API had it.

https://docs.x.com/x-api/activity/event-payloads
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.errors import MalformedWebhookError
from bot.domain.messages import Attachment, AttachmentKind, Echo, InboundEvent, InboundMessage, Receipt, ReceiptKind
from connectors.batches import NotForUsError, Read, UnknownKindError, digest_of, of_each, read_all, refuse
from connectors.fields import Fields, load

CHANNEL, MENTIONS = ChannelName("x"), ChannelName("x-mentions")
#: Members of `reply_context`: what an answer answers, and whether its author has named or quoted us.
IN_REPLY_TO, SUMMONED = "in_reply_to", "summoned"
#: What we ask X to tell us of, with messages alone and with what is said in public as well.
MESSAGE_EVENTS = ("dm.received", "dm.sent", "dm.read")
PUBLIC_EVENTS = ("post.mention.create", "post.reply.create", "post.quote.create", "post.create")
#: Those that not every app may ask for: without them quotes, and what people of the brand say elsewhere, are not heard.
OPTIONAL_EVENTS = frozenset({"dm.read", "post.reply.create", "post.quote.create", "post.create"})

_ID = re.compile(r"[0-9]{1,20}")
_LANGUAGE = re.compile(r"[a-z]{2}(-[A-Za-z]{2,4})?")
#: What stands for no language, in X's words.
_NO_LANGUAGES = frozenset({"und", "art", "in", "qam", "qct", "qht", "qme", "qst", "zxx"})
_KINDS = {
    "photo": (AttachmentKind.IMAGE, "photo"),
    "video": (AttachmentKind.VIDEO, "video"),
    "animated_gif": (AttachmentKind.VIDEO, "animation"),
}
_ESCAPES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """Whose messages and posts a call may bring."""

    #: X's number of our account
    account: AccountId

    def read(self, body: bytes) -> list[InboundEvent]:
        """Return the events of a call, N in and N out; raises `MalformedWebhookError`."""
        call = load(body)
        envelope = Fields(call)
        if "data" not in envelope:
            raise MalformedWebhookError("$.data is missing")
        is_batch = isinstance(call, dict) and isinstance(call.get("data"), list)
        activities = envelope.objects("data") if is_batch else [envelope.object("data")]
        return read_all(of_each(activities, self._items), digest_of(body))

    def _items(self, activity: Fields) -> Iterator[tuple[Fields, Read]]:
        kind = activity.text("event_type", "") or "unknown"
        if kind in {"dm.received", "dm.sent", "dm.read"}:
            yield from self._messages(activity, kind)
        elif kind in PUBLIC_EVENTS:
            yield activity, self._post
        else:
            # chat.*: encrypted from end to end, so that nobody but the customer's phone could read it.
            yield activity, refuse(kind, is_known=kind.startswith("chat."))

    def _messages(self, activity: Fields, kind: str) -> Iterator[tuple[Fields, Read]]:
        payload = activity.object("payload")
        reads = payload.objects("direct_message_mark_read_events")
        items = reads if kind == "dm.read" else payload.objects("direct_message_events")
        users = payload.object("users") if "users" in payload else Fields({})
        reader: Callable[[Fields, Fields], list[InboundEvent]] = self._seen if kind == "dm.read" else self._message
        for item in items:
            yield item, lambda each: reader(each, users)
        if not items:
            yield activity, refuse(f"{kind}.empty", is_known=False)

    # -------------------------------------------------------------------------------------------------- direct messages

    def _address(self, customer: str) -> ChannelAddress:
        return ChannelAddress(channel=CHANNEL, account=self.account, external_id=_id(customer))

    def _message(self, item: Fields, users: Fields) -> list[InboundEvent]:
        if (kind := item.text("type", "message_create")) != "message_create":
            raise UnknownKindError(f"dm.{kind}")
        message_id, made = _id(item.text("id")), item.object("message_create")
        sender, recipient = made.text("sender_id"), made.object("target").text("recipient_id")
        if self.account not in {sender, recipient}:
            raise NotForUsError("dm.other_account")
        data = made.object("message_data")
        text, attachments = _said(data), _attached(data)
        if not (text.strip() or attachments):
            raise NotForUsError("dm.nothing_to_read")
        sent_at = _moment(item.text("created_timestamp", ""))
        if sender == self.account:
            if recipient == self.account:
                raise NotForUsError("dm.to_ourselves")
            address = self._address(recipient)
            return [Echo(address=address, external_id=message_id, text=text, attachments=attachments, sent_at=sent_at)]
        return [
            InboundMessage(
                address=self._address(sender),
                external_id=message_id,
                text=text,
                attachments=attachments,
                display_name=_name_in(users, sender),
                sent_at=sent_at,
            )
        ]

    def _seen(self, item: Fields, _users: Fields) -> list[InboundEvent]:
        reader, stamp = item.text("sender_id"), item.text("created_timestamp")
        if reader == self.account:
            raise NotForUsError("dm.read.by_us")
        receipt = Receipt(
            address=self._address(reader),
            external_id=f"read:{reader}:{stamp[:20]}",
            of_external_id="",
            kind=ReceiptKind.READ,
            up_to=_moment(stamp),
        )
        return [receipt]

    # ------------------------------------------------------------------------------------------------------------ posts

    def _post(self, activity: Fields) -> list[InboundEvent]:
        post = activity.object("payload")
        if any(each.text("type", "") == "retweeted" for each in post.objects("referenced_tweets")):
            raise NotForUsError("post.repost")
        post_id, author = _id(post.text("id")), _id(post.text("author_id"))
        thread = _id(post.text("conversation_id", "") or post_id)
        if author == self.account:
            return [self._own_post(activity, post, thread)]
        if activity.text("event_type") == "post.create":
            raise NotForUsError("post.create.of_others")
        kind, mention = activity.text("event_type"), self._mention(post)
        is_answer = post.text("in_reply_to_user_id", "") == self.account
        is_quote = kind == "post.quote.create"
        first = next(iter(post.texts("edit_history_tweet_ids", 100)), post_id)
        return [
            InboundMessage(
                address=self._public_address(thread, author),
                external_id=post_id,
                text=_without_our_name(_said(post), mention),
                attachments=_media_of(activity, post),
                edits=None if first == post_id else _id(first),
                display_name=_author_name(activity, author),
                language=_language(post),
                sent_at=_iso(post),
                reply_context={IN_REPLY_TO: post_id} | ({SUMMONED: "yes"} if mention or is_quote or is_answer else {}),
                is_to_us=is_answer or is_quote or _is_said(post, mention),
            )
        ]

    def _own_post(self, activity: Fields, post: Fields, thread: str) -> InboundEvent:
        """Return what was said in public for the brand, if it answers somebody."""
        answered = post.text("in_reply_to_user_id", "")
        if not answered or answered == self.account:
            raise NotForUsError("post.own")
        return Echo(
            address=self._public_address(thread, _id(answered)),
            external_id=_id(post.text("id")),
            text=_without_names(_said(post)),
            attachments=_media_of(activity, post),
            sent_at=_iso(post),
        )

    def _public_address(self, thread: str, author: str) -> ChannelAddress:
        return ChannelAddress(channel=MENTIONS, account=self.account, external_id=f"{thread}:{author}")

    def _mention(self, post: Fields) -> Fields | None:
        """Return where a post names us."""
        entities = post.object("entities") if "entities" in post else Fields({})
        return next((each for each in entities.objects("mentions") if each.text("id", "") == self.account), None)


def _id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise MalformedWebhookError("an id is no id")
    return text


def _moment(milliseconds: str) -> datetime | None:
    """Return the moment that a count of milliseconds since 1970, as text, names; none when there is none."""
    return Fields({"at": int(milliseconds)}).moment("at", 1000) if _ID.fullmatch(milliseconds) else None


def _iso(post: Fields) -> datetime | None:
    try:
        moment = datetime.fromisoformat(post.text("created_at", ""))
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo is not None else None


def _language(post: Fields) -> str | None:
    language = post.text("lang", "")
    return language if _LANGUAGE.fullmatch(language) and language not in _NO_LANGUAGES else None


def _said(place: Fields) -> str:
    """Return a text as it was written: X shortens addresses, escapes some signs, and adds one for each file."""
    note = place.object("note_tweet") if "note_tweet" in place else place
    text = note.text("text", "") or place.text("text", "")
    entities = note.object("entities") if "entities" in note else Fields({})
    for item in entities.objects("urls"):
        short, long = item.text("url", ""), item.text("expanded_url", "")
        is_file = "media_key" in item or re.search(r"/(messages/media|(photo|video)/[0-9])", long) is not None
        if short and (long or is_file):
            text = text.replace(short, "" if is_file else long)
    for escaped, plain in _ESCAPES:
        text = text.replace(escaped, plain)
    return text.strip()


def _attached(data: Fields) -> tuple[Attachment, ...]:
    """Return the one file that a direct message may have."""
    if "attachment" not in data or "media" not in data.object("attachment"):
        return ()
    return _attachment(data.object("attachment").object("media"), "media_url_https", "video_info")


def _media_of(activity: Fields, post: Fields) -> tuple[Attachment, ...]:
    """Return the files of a post, as far as X sends them along."""
    keys = post.object("attachments").texts("media_keys", 100) if "attachments" in post else []
    includes = activity.object("includes") if "includes" in activity else Fields({})
    media = [each for each in includes.objects("media") if each.text("media_key", "") in keys]
    return tuple(found for each in media for found in _attachment(each, "url", None))


def _attachment(media: Fields, address: str, variants_in: str | None) -> tuple[Attachment, ...]:
    kind, name = _KINDS.get(media.text("type", ""), (AttachmentKind.FILE, "file"))
    place = media if variants_in is None else media.object(variants_in) if variants_in in media else Fields({})
    films = [each for each in place.objects("variants") if each.text("content_type", "") == "video/mp4"]
    best = max(films, key=lambda each: each.size("bitrate") or each.size("bit_rate") or 0, default=None)
    url = best.text("url", "") if best is not None else media.text(address, "")
    media_type = "video/mp4" if best is not None else ""
    return (Attachment(kind=kind, reference=url, name=name, media_type=media_type),) if url else ()


def _name_in(users: Fields, user_id: str) -> str | None:
    if user_id not in users:
        return None
    user = users.object(user_id)
    return _name(user.object("data") if "data" in user else user)


def _author_name(activity: Fields, author: str) -> str | None:
    includes = activity.object("includes") if "includes" in activity else Fields({})
    found = next((each for each in includes.objects("users") if each.text("id", "") == author), None)
    return _name(found) if found is not None else None


def _name(user: Fields) -> str | None:
    return user.text("name", "") or user.text("username", "") or user.text("screen_name", "") or None


def _is_said(post: Fields, mention: Fields | None) -> bool:
    """Whether a post names us itself, and not only because X puts the names of a thread before each answer in it."""
    if mention is None or "display_text_range" not in post or "in_reply_to_user_id" not in post:
        return mention is not None
    shown = post.integers("display_text_range", 2)
    return not shown or "start" not in mention or mention.integer("start") >= shown[0]


def _without_our_name(text: str, mention: Fields | None) -> str:
    """Return a text without our own name at its start, which is there to call us."""
    name = mention.text("username", "") if mention is not None else ""
    start = f"@{name.lower()} "
    return text[len(start) :].strip() or text if name and text.lower().startswith(start) else text


def _without_names(text: str) -> str:
    """Return a text without the names that X puts before an answer."""
    return re.sub(r"^(@\w{1,15}\s+)+", "", text)
