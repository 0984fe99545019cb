"""What Bluesky tells an account, as inbound events; pure.

A body is a page as `connectors.bluesky.poll` puts it together: {"notifications": […], "posts": [our posts that are
liked], "own": [records of ours]}, newest first, or {"logs": […], "convos": {id: convoView}}, oldest first.
https://docs.bsky.app/docs/api/app-bsky-notification-list-notifications,
https://docs.bsky.app/docs/api/chat-bsky-convo-get-log
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
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
    Withdrawal,
)
from connectors.batches import NotForUsError, Read, digest_of, read_all
from connectors.bluesky.text import expanded, is_stamped
from connectors.fields import Fields, load

CHANNEL = ChannelName("bluesky")
MENTIONS = ChannelName("bluesky-mentions")
#: What an answer in public has to carry: the post that it answers and the one that the thread began with, each by
#: place and content, and when the former was seen; of a message: its conversation.
PARENT, PARENT_CID, ROOT, ROOT_CID, SEEN, CONVO = "parent", "parent_cid", "root", "root_cid", "seen", "convo"
#: Where pictures of posts are, made anew by Bluesky.
CDN_URL = "https://cdn.bsky.app"
_LIKE = "❤️"
_DID = re.compile(r"did:[a-z]+:[A-Za-z0-9._:%-]{1,200}")
_POST = re.compile(
    r"at://(?P<did>did:[a-z]+:[A-Za-z0-9._:%-]{1,200})/app\.bsky\.feed\.post/(?P<key>[A-Za-z0-9._:~-]{1,64})"
)
_CID = re.compile(r"[A-Za-z0-9]{1,128}")
_LOG = "chat.bsky.convo.defs#log"


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """Whose notifications and messages a page brings."""

    account: AccountId
    #: lasting name of the account; empty: not known yet
    did: str = ""
    cdn_url: str = CDN_URL

    def read(self, body: bytes) -> list[InboundEvent]:
        """Return what a page means, oldest first; raises `MalformedWebhookError`."""
        page = Fields(load(body))
        if not any(name in page for name in ("notifications", "own", "logs")):
            raise MalformedWebhookError("the body is no page of Bluesky's")
        posts = {each.text("uri"): each for each in page.objects("posts")}
        convos = page.object("convos") if "convos" in page else Fields({})

        def notification(item: Fields) -> list[InboundEvent]:
            return [self._notification(item, posts)]

        def log(item: Fields) -> list[InboundEvent]:
            return [self._log(item, convos)]

        def own(item: Fields) -> list[InboundEvent]:
            return [self._own(item)]

        items: list[tuple[Fields, Read]] = [(each, notification) for each in reversed(page.objects("notifications"))]
        items += [(each, own) for each in reversed(page.objects("own"))]
        items += [(each, log) for each in page.objects("logs")]
        return read_all(items, digest_of(body))

    # ------------------------------------------------------------------------------------------------ in public

    def _notification(self, item: Fields, posts: dict[str, Fields]) -> InboundEvent:
        reason = item.text("reason")
        match reason:
            case "mention" | "reply" | "quote":
                return self._post(item, reason)
            case "like":
                return self._liked(item, posts)
        raise NotForUsError(reason)

    def _post(self, item: Fields, reason: str) -> InboundMessage:
        uri, author, record = item.text("uri"), item.object("author"), item.object("record")
        if _POST.fullmatch(uri) is None:
            raise NotForUsError("no_post")
        context = {PARENT: uri, PARENT_CID: item.text("cid"), ROOT: uri, ROOT_CID: item.text("cid")}
        answered = ""
        if "reply" in record:
            root, parent = record.object("reply").object("root"), record.object("reply").object("parent")
            context |= {ROOT: root.text("uri"), ROOT_CID: root.text("cid")}
            answered = parent.text("uri")
        seen, words = _moment(item, "indexedAt"), _words(record)
        called = re.match(rf"@{re.escape(self.account)}(?![\w-])\s*", words, re.IGNORECASE)
        return InboundMessage(
            address=self._address(context[ROOT], author.text("did")),
            external_id=uri,
            text=words[called.end() :] if called else words,
            attachments=tuple(self._pictures(record, author.text("did"))),
            display_name=author.text("displayName", "") or author.text("handle", "") or None,
            sent_at=seen,
            reply_context=context | {SEEN: seen.isoformat()},
            # Whoever answers others below a post of ours speaks to them, even if Bluesky tells us of it.
            is_to_us=reason != "reply" or self._is_ours(answered),
        )

    def _liked(self, item: Fields, posts: dict[str, Fields]) -> Reaction:
        """Return a sign for an answer of ours; who likes what else the brand writes is not our business."""
        liked = item.text("reasonSubject", "")
        record = posts[liked].object("record") if liked in posts else Fields({})
        if "reply" not in record or not self._is_ours(liked):
            raise NotForUsError("like")
        root = record.object("reply").object("root").text("uri")
        return Reaction(
            address=self._address(root, item.object("author").text("did")),
            external_id=item.text("uri"),
            of_external_id=liked,
            emoji=_LIKE,
        )

    def _own(self, item: Fields) -> Echo:
        """Return an answer that a person wrote under our name."""
        uri, record = item.text("uri"), item.object("value")
        place = _POST.fullmatch(uri)
        if place is None or "reply" not in record or is_stamped(record.text("createdAt"), place["key"]):
            raise NotForUsError("own_post")
        reply = record.object("reply")
        answered = _POST.fullmatch(reply.object("parent").text("uri"))
        if answered is None or answered["did"] == self.did:
            raise NotForUsError("own_post")
        return Echo(
            address=self._address(reply.object("root").text("uri"), answered["did"]),
            external_id=uri,
            text=_words(record),
            attachments=tuple(self._pictures(record, self.did)),
            sent_at=_moment(record, "createdAt"),
        )

    def _is_ours(self, uri: str) -> bool:
        place = _POST.fullmatch(uri)
        return place is not None and place["did"] == self.did

    def _address(self, root: str, who: str) -> ChannelAddress:
        """Return the address of somebody in a thread, named after its first post: its author and key."""
        place = _POST.fullmatch(root)
        if place is None or not _DID.fullmatch(who):
            raise MalformedWebhookError("a thread begins with a post, and posts have authors")
        thread = f"{place['did']}/{place['key']}"
        return ChannelAddress(channel=MENTIONS, account=self.account, external_id=f"{thread}:{who}")

    def _pictures(self, record: Fields, author: str) -> Iterator[Attachment]:
        for image, alt in _images(record):
            yield Attachment(
                kind=AttachmentKind.IMAGE,
                reference=f"{self.cdn_url}/img/feed_fullsize/plain/{author}/{image}@jpeg",
                name=alt.partition("\n")[0][:100],
                media_type="image/jpeg",
            )

    # ----------------------------------------------------------------------------------------------- in private

    def _log(self, item: Fields, convos: Fields) -> InboundEvent:
        kind = item.text("$type").removeprefix(_LOG)
        if kind not in {"CreateMessage", "DeleteMessage", "AddReaction", "RemoveReaction"}:
            raise NotForUsError(kind)
        convo = item.text("convoId")
        members = self._members(convos.object(convo) if convo in convos else Fields({}))
        message = item.object("message")
        sender = message.object("sender").text("did", "")
        if kind in {"AddReaction", "RemoveReaction"}:
            return self._reaction(item, members, is_there=kind == "AddReaction")
        if kind == "DeleteMessage":
            if sender not in members:
                raise NotForUsError("own_deletion")
            name = message.text("id")
            return Withdrawal(address=self._private(sender), external_id=f"{name}@gone", of_external_id=name)
        return self._message(message, convo, members)

    def _message(self, message: Fields, convo: str, members: dict[str, Fields]) -> InboundEvent:
        sender = message.object("sender").text("did")
        if "text" not in message:
            raise NotForUsError("deleted")
        text, sent_at = _words(message), _moment(message, "sentAt")
        if sender not in members:
            (to,) = members
            return Echo(address=self._private(to), external_id=message.text("id"), text=text, sent_at=sent_at)
        profile = members[sender]
        return InboundMessage(
            address=self._private(sender),
            external_id=message.text("id"),
            text=text,
            quotes=message.aside("replyTo", "id"),
            display_name=profile.text("displayName", "") or profile.text("handle", "") or None,
            sent_at=sent_at,
            reply_context={CONVO: convo},
        )

    def _reaction(self, item: Fields, members: dict[str, Fields], *, is_there: bool) -> Reaction:
        reaction, name = item.object("reaction"), item.object("message").text("id")
        who = reaction.object("sender").text("did")
        if who not in members:
            raise NotForUsError("own_reaction")
        return Reaction(
            address=self._private(who),
            external_id=f"{item.text('rev')}:{name}",
            of_external_id=name,
            emoji=reaction.text("value") if is_there else "",
        )

    def _members(self, convo: Fields) -> dict[str, Fields]:
        """Return with whom we talk; raises `NotForUsError` for groups, where others read along."""
        kind = convo.object("kind").text("$type", "") if "kind" in convo else ""
        others = {each.text("did"): each for each in convo.objects("members") if each.text("did") != self.did}
        if len(others) != 1 or kind.endswith("#groupConvo"):
            raise NotForUsError("group")
        return others

    def _private(self, who: str) -> ChannelAddress:
        if not _DID.fullmatch(who):
            raise MalformedWebhookError("did is no name")
        return ChannelAddress(channel=CHANNEL, account=self.account, external_id=who)


def post_of(uri: str) -> tuple[str, str]:
    """Return author and key of a post; raises `MalformedWebhookError`."""
    place = _POST.fullmatch(uri)
    if place is None:
        raise MalformedWebhookError("this is no post")
    return place["did"], place["key"]


def _words(record: Fields) -> str:
    """Return what a post or message says, and where what it shows can be seen; a text without the rest, if need be.

    Anybody may write records: those who write nonsense beside a text have said the text all the same.
    """
    text = record.text("text", "")
    with suppress(MalformedWebhookError):
        text = expanded(text, record.objects("facets"))
    with suppress(MalformedWebhookError):
        text = "\n".join([text, *_links_in(record, text)])
    return text.strip()


def _links_in(record: Fields, text: str) -> list[str]:
    """Return where a page or a quoted post can be seen that is shown below a text; of a film, that there is one."""
    embed = record.object("embed") if "embed" in record else Fields({})
    shown, links = _shown(embed), []
    if "external" in shown and (url := shown.object("external").text("uri", "")) not in text:
        links.append(url)
    if "video" in shown:
        links.append("[video]")
    quoted = embed.object("record") if "record" in embed else Fields({})
    quoted = quoted.object("record") if "record" in quoted else quoted
    place = _POST.fullmatch(quoted.text("uri", ""))
    if place is not None:
        links.append(f"https://bsky.app/profile/{place['did']}/post/{place['key']}")
    return links


def _images(record: Fields) -> list[tuple[str, str]]:
    """Return the names of a post's pictures and what they show; none that cannot be read."""
    found: list[tuple[str, str]] = []
    with suppress(MalformedWebhookError):
        for each in _shown(record.object("embed")).objects("images"):
            cid = each.object("image").object("ref").text("$link")
            if _CID.fullmatch(cid):
                found.append((cid, each.text("alt", "")))
    return found


def _shown(embed: Fields) -> Fields:
    """Return what stands below a text, whether a post is quoted beside it or not."""
    return embed.object("media") if "media" in embed else embed


def _moment(holder: Fields, name: str) -> datetime:
    try:
        at = datetime.fromisoformat(holder.text(name))
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise MalformedWebhookError(f"{name} is no moment") from None
