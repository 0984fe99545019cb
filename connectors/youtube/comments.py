"""Comments of YouTube as inbound events; pure.

https://developers.google.com/youtube/v3/docs/commentThreads and https://developers.google.com/youtube/v3/docs/comments
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.errors import MalformedWebhookError
from bot.domain.messages import Echo, InboundEvent, InboundMessage
from connectors.batches import NotForUsError, Read, digest_of, of_each, read_all
from connectors.fields import Fields, load

CHANNEL = ChannelName("youtube-comments")
_ID = re.compile(r"[A-Za-z0-9_.-]{1,200}")
#: Between the thread and the author in an address: neither can hold it.
_BORDER = ":"


@dataclass(frozen=True, kw_only=True)
class Thread:
    """A comment and the replies below it, as far as they were fetched."""

    id: str
    started_at: datetime
    #: how many replies there are
    reply_count: int
    #: how many of them came along
    fetched_count: int


@dataclass(frozen=True, kw_only=True)
class Comments:
    """Whose comments a page may bring."""

    #: id of the brand's channel (UC…)
    account: AccountId
    #: what others call the channel: `@copperleaf`; empty where it is not known
    handle: str = ""

    def read(self, body: bytes) -> list[InboundEvent]:
        """Return the comments and replies of a page of threads, oldest first; raises `MalformedWebhookError`."""
        page = Fields(load(body))
        return read_all(of_each(reversed(page.objects("items")), self._items), digest_of(body))

    def _items(self, thread: Fields) -> Iterator[tuple[Fields, Read]]:
        reader = self._reader(thread, _all(thread))
        return ((comment, reader) for comment in _all(thread))

    def read_replies(self, thread: Fields, body: bytes) -> list[InboundEvent]:
        """Return the replies of a page of one thread, oldest first; raises `MalformedWebhookError`."""
        replies = sorted(Fields(load(body)).objects("items"), key=_order)
        reader = self._reader(thread, [*_all(thread), *replies])
        return read_all(((reply, reader) for reply in replies), digest_of(body))

    def _reader(self, thread: Fields, talk: Iterable[Fields]) -> Read:
        """Return what reads a comment of a thread, of whose comments `talk` is known."""
        return partial(self._comment, thread, _callers(talk))

    def _comment(self, thread: Fields, callers: Mapping[str, str], comment: Fields) -> list[InboundEvent]:
        top, snippet = thread.object("snippet").object("topLevelComment"), comment.object("snippet")
        author = _author(snippet)
        is_reply = comment.text("id") != top.text("id")
        if author == self.account:
            if not is_reply:
                raise NotForUsError("own_comment")
            return [self._echo(thread, callers, comment)]
        starter = _author(top.object("snippet"))
        words = snippet.text("textOriginal", "") or snippet.text("textDisplay", "")
        named = bool(self.handle) and self.handle.lower() in words.lower()
        name = snippet.text("authorDisplayName", "")
        message = InboundMessage(
            address=self._address(thread, author),
            external_id=_id(comment),
            text=words,
            display_name=name or None,
            sent_at=_published(comment),
            reply_context={"call": name if is_reply and name.startswith("@") else ""},
            # Who comments on the brand's own video speaks to the brand, who replies to others does not.
            is_to_us=not is_reply or starter == self.account or named,
        )
        return [message]

    def _echo(self, thread: Fields, callers: Mapping[str, str], comment: Fields) -> Echo:
        """Return an answer under the brand's name, ours or a person's, as one to whom it calls, else to who began."""
        snippet = comment.object("snippet")
        words = snippet.text("textOriginal", "") or snippet.text("textDisplay", "")
        called = words.split(maxsplit=1)[0] if words.startswith("@") else ""
        starter = _author(thread.object("snippet").object("topLevelComment").object("snippet"))
        whom = callers.get(called) if called else starter
        if whom is None or whom == self.account:
            raise NotForUsError("own_comment")
        return Echo(
            address=self._address(thread, whom),
            external_id=_id(comment),
            text=words,
            sent_at=_published(comment),
        )

    def _address(self, thread: Fields, author: str) -> ChannelAddress:
        return ChannelAddress(channel=CHANNEL, account=self.account, external_id=f"{_id(thread)}{_BORDER}{author}")


def threads_in(body: bytes) -> list[tuple[Thread, Fields]]:
    """Return the threads of a page that can be read, newest first; raises `MalformedWebhookError`."""
    found = []
    for each in Fields(load(body)).objects("items"):
        with suppress(MalformedWebhookError):
            found.append((_thread(each), each))
    return found


def thread_of(address: ChannelAddress) -> str:
    """Return the thread that an address is in."""
    return address.external_id.partition(_BORDER)[0]


def changes_in(body: bytes) -> dict[str, datetime]:
    """Return when each comment of a page that can be read was last changed; raises `MalformedWebhookError`."""
    made = {}
    for item in Fields(load(body)).objects("items"):
        with suppress(MalformedWebhookError):
            for comment in _all(item) if "topLevelComment" in item.object("snippet") else (item,):
                made[_id(comment)] = _moment(comment, "updatedAt")
    return made


def _thread(thread: Fields) -> Thread:
    snippet = thread.object("snippet")
    replies = thread.object("replies").objects("comments") if "replies" in thread else []
    return Thread(
        id=_id(thread),
        started_at=_published(snippet.object("topLevelComment")),
        reply_count=snippet.size("totalReplyCount") or 0,
        fetched_count=len(replies),
    )


def _all(thread: Fields) -> Iterator[Fields]:
    yield thread.object("snippet").object("topLevelComment")
    if "replies" in thread:
        yield from sorted(thread.object("replies").objects("comments"), key=_order)


def _callers(talk: Iterable[Fields]) -> dict[str, str]:
    """Return who is called by which name in a thread; of who has left there is nothing to call."""
    called: dict[str, str] = {}
    for comment in talk:
        with suppress(MalformedWebhookError):
            snippet = comment.object("snippet")
            called[snippet.text("authorDisplayName", "")] = _author(snippet)
    return called


def _author(snippet: Fields) -> str:
    author = snippet.object("authorChannelId").text("value")
    if not _ID.fullmatch(author):
        raise MalformedWebhookError("an author's id is no id")
    return author


def _id(item: Fields) -> str:
    found = item.text("id")
    if not _ID.fullmatch(found):
        raise MalformedWebhookError("an id is no id")
    return found


def _order(comment: Fields) -> datetime:
    """Return when a comment was written, to sort by; what cannot be read comes first, to be refused by itself."""
    try:
        return _published(comment)
    except MalformedWebhookError:
        return datetime.min.replace(tzinfo=UTC)


def _published(comment: Fields) -> datetime:
    return _moment(comment, "publishedAt")


def _moment(comment: Fields, member: str) -> datetime:
    written = comment.object("snippet").text(member)
    try:
        at = datetime.fromisoformat(written)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise MalformedWebhookError(f"{member} is no moment") from None
