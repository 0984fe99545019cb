"""Reading the messages and notifications of a Bluesky account for ever, and what people write under its name."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from bot.domain.channels import ChannelAddress
from bot.domain.connectors import Ambiguous, Permanent, Sink
from bot.domain.errors import MalformedWebhookError
from bot.domain.messages import Echo, InboundEvent, InboundMessage, Receipt, ReceiptKind, Withdrawal
from bot.domain.ports import Cursors
from connectors.bluesky.api import BlueskyApi, Failure
from connectors.bluesky.events import CHANNEL, Timeline
from connectors.fields import Fields, load
from connectors.looking import Known, look_for_ever

#: Notifications of a page, and pages that are read back after a time away.
_PAGE, _PAGES_MAX = 50, 20
_REASONS = ("mention", "reply", "quote", "like")
#: A notification that appears late is still found when it is no older than this.
_OVERLAP = timedelta(hours=1)
#: Posts that are looked up at once, and for how long it is looked whether they are still there.
_POSTS_MAX, _AGAIN_FOR = 25, timedelta(days=1)
#: A post that is missing so often is gone.
_MISSES = 2
#: Conversations whose members are known, and messages of ours whose fate is not.
_CONVOS_MAX, _UNSURE_MAX = 2_000, 1_000
#: Before everything that was ever logged. Not documented what a call without a cursor brings, so none is made twice.
_FIRST = "2222222222222"
_LIST, _LOG = "app.bsky.notification.listNotifications", "chat.bsky.convo.getLog"

#: One object of a list, as the server wrote it.
Item = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class PollParts:
    """What reading needs."""

    api: BlueskyApi
    cursors: Cursors
    now: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[None]]
    #: seconds between two looks
    looks_every: float
    has_mentions: bool


@dataclass(kw_only=True)
class _Seen:
    """A customer's post that may still be deleted."""

    address: ChannelAddress
    at: datetime
    miss_count: int = 0


class BlueskyPoll:
    """Reads one account. `timeline` knows its lasting name once the server was asked."""

    def __init__(self, parts: PollParts, timeline: Timeline) -> None:
        """Read nothing yet."""
        self._parts = parts
        self.timeline = timeline
        self._cursor = f"bluesky/{timeline.account}"
        #: since when things are read; those before connecting are nobody's business
        self._since: datetime | None = None
        #: up to when notifications were read
        self._until: datetime | None = None
        self._log = ""
        self._known = Known()
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._convos: OrderedDict[str, Item] = OrderedDict()
        self._unsure: OrderedDict[tuple[str, str], str] = OrderedDict()

    async def run(self, sink: Sink) -> None:
        """Read for ever; a failure costs a growing pause, or the one that Bluesky asks for."""
        await look_for_ever(self._cursor, lambda: self._look(sink), lambda: self._parts.looks_every, self._parts.sleep)

    def doubt(self, customer: str, text: str, key: str) -> None:
        """Keep in mind that a message may have arrived: when it is in the log, it has."""
        self._unsure[customer, text.strip()] = key
        while len(self._unsure) > _UNSURE_MAX:
            self._unsure.popitem(last=False)

    async def _look(self, sink: Sink) -> Failure | None:
        if self._since is None:
            failure = await self._begin()
            if failure is not None:
                return failure
        if self._parts.has_mentions:
            failure = await self._look_in_public(sink) or await self._look_again(sink)
            if failure is not None:
                return failure
        return await self._look_in_private(sink)

    async def _begin(self) -> Failure | None:
        did = await self._parts.api.did()
        if not isinstance(did, str):
            return did
        self.timeline = replace(self.timeline, did=did)
        kept = await self._parts.cursors.get(self._cursor)
        try:
            told = Fields(load((kept or "{}").encode()))
            self._log, self._until = told.text("log"), datetime.fromisoformat(told.text("until"))
            self._since = datetime.fromisoformat(told.text("since"))
        except (MalformedWebhookError, ValueError):
            page = await self._page(_LOG, [])
            if not isinstance(page, dict):
                return page
            self._since = self._until = self._parts.now()
            self._log = str(page.get("cursor") or _FIRST)
            await self._keep()
        return None

    # ------------------------------------------------------------------------------------------------ in public

    async def _look_in_public(self, sink: Sink) -> Failure | None:
        items = await self._notifications()
        if not isinstance(items, list):
            return items
        query = [("repo", self.timeline.did), ("collection", "app.bsky.feed.post"), ("limit", str(_PAGE))]
        own = await self._page("com.atproto.repo.listRecords", query)
        if not isinstance(own, dict):
            return own
        likes = {str(each.get("reasonSubject")) for each in items if each.get("reason") == "like"}
        posts = await self._posts(sorted(each for each in likes if each.startswith(f"at://{self.timeline.did}/")))
        if not isinstance(posts, list):
            return posts
        events = self._read({"notifications": items, "own": _list(own, "records"), "posts": posts})
        marks = {each.external_id: "" for each in events}
        new = self._known.new(events, marks, self._since or self._parts.now())
        if new:
            await sink(new)
        self._known.remember(marks)
        for event in new:
            if isinstance(event, InboundMessage):
                self._seen[event.external_id] = _Seen(address=event.address, at=self._parts.now())
        self._until = max([self._until or self._parts.now(), *map(_at, items)])
        await self._keep()
        return None

    async def _notifications(self) -> list[Item] | Failure:
        """Return what is new and a little more, newest first."""
        since, items = self._since or self._parts.now(), list[Item]()
        wanted = max(since, (self._until or since) - _OVERLAP)
        query, cursor = [("limit", str(_PAGE)), *(("reasons", each) for each in _REASONS)], ""
        for _ in range(_PAGES_MAX):
            page = await self._page(_LIST, [*query, *([("cursor", cursor)] if cursor else [])])
            if not isinstance(page, dict):
                return page
            found = _list(page, "notifications")
            items += [each for each in found if _at(each) >= since]
            cursor = str(page.get("cursor") or "")
            if not cursor or not found or _at(found[-1]) < wanted:
                break
        return items

    async def _posts(self, uris: list[str]) -> list[Item] | Failure:
        """Return the posts that are there."""
        posts: list[Item] = []
        for start in range(0, len(uris), _POSTS_MAX):
            query = [("uris", uri) for uri in uris[start : start + _POSTS_MAX]]
            page = await self._page("app.bsky.feed.getPosts", query)
            if not isinstance(page, dict):
                return page
            posts += _list(page, "posts")
        return posts

    async def _look_again(self, sink: Sink) -> Failure | None:
        """Tell of deletions, of which Bluesky tells nobody."""
        oldest = self._parts.now() - _AGAIN_FOR
        for name in [name for name, seen in self._seen.items() if seen.at < oldest]:
            del self._seen[name]
        while len(self._seen) > _POSTS_MAX:
            self._seen.popitem(last=False)
        posts = await self._posts(list(self._seen))
        if not isinstance(posts, list):
            return posts
        there, gone = {each.get("uri") for each in posts}, list[Withdrawal]()
        for name, seen in self._seen.items():
            seen.miss_count = 0 if name in there else seen.miss_count + 1
            if seen.miss_count >= _MISSES:
                gone.append(Withdrawal(address=seen.address, external_id=f"{name}@gone", of_external_id=name))
        if gone:
            await sink([*gone])
        for each in gone:
            del self._seen[each.of_external_id]
        return None

    # ----------------------------------------------------------------------------------------------- in private

    async def _look_in_private(self, sink: Sink) -> Failure | None:
        for _ in range(_PAGES_MAX):
            page = await self._page(_LOG, [("cursor", self._log)])
            if not isinstance(page, dict):
                return page
            logs = [each for each in _list(page, "logs") if str(each.get("rev", "")) > self._log]
            named = {str(each.get("convoId")) for each in logs}
            failure = await self._meet(named)
            if failure is not None:
                return failure
            events = self._read({"logs": logs, "convos": {each: self._convos[each] for each in named}})
            new = [self._settled(each) for each in events if self._is_new(each)]
            if new:
                await sink(new)
            self._settle(events)
            await self._accept()
            at = max([self._log, str(page.get("cursor") or ""), *(str(each.get("rev", "")) for each in logs)])
            if at == self._log:
                break
            self._log = at
            await self._keep()
        return None

    def _is_new(self, event: InboundEvent) -> bool:
        written = getattr(event, "sent_at", None)
        return written is None or self._since is None or written >= self._since

    def _settled(self, event: InboundEvent) -> InboundEvent:
        """Return what shows that a message of ours has arrived, in the place of its echo."""
        if not isinstance(event, Echo) or event.address.channel != CHANNEL:
            return event
        key = self._unsure.get((event.address.external_id, event.text))
        if key is None:
            return event
        return Receipt(
            address=event.address,
            external_id=f"{event.external_id}:sent",
            of_external_id=event.external_id,
            kind=ReceiptKind.SENT,
            of_key=key,
        )

    def _settle(self, events: Iterable[InboundEvent]) -> None:
        """Doubt no longer what is told of, now that it is durable."""
        for event in events:
            if isinstance(event, Echo):
                self._unsure.pop((event.address.external_id, event.text), None)

    async def _meet(self, convos: Iterable[str]) -> Failure | None:
        """Know who talks in conversations: in a group others read along."""
        for convo in sorted(set(convos) - set(self._convos)):
            page = await self._page("chat.bsky.convo.getConvo", [("convoId", convo)])
            if isinstance(page, Permanent) and not page.is_account:
                # We are not in it any more.
                self._convos[convo] = {}
            elif isinstance(page, dict):
                found = page.get("convo")
                self._convos[convo] = found if isinstance(found, dict) else {}
            else:
                return page
        return None

    async def _accept(self) -> None:
        """Take up conversations with people whom the account does not follow; Bluesky keeps them apart until then."""
        for convo, told in self._convos.items():
            if told.get("status") == "request":
                await self._parts.api.post("chat.bsky.convo.acceptConvo", {"convoId": convo})
                self._convos[convo] = {**told, "status": "accepted"}
        while len(self._convos) > _CONVOS_MAX:
            self._convos.popitem(last=False)

    # ----------------------------------------------------------------------------------------------------- both

    def _read(self, page: dict[str, object]) -> list[InboundEvent]:
        return self.timeline.read(json.dumps(page).encode())

    async def _page(self, name: str, query: list[tuple[str, str]]) -> Item | Failure:
        answer = await self._parts.api.get(name, query)
        if not isinstance(answer, bytes):
            return answer
        try:
            page = load(answer)
        except MalformedWebhookError:
            page = None
        return page if isinstance(page, dict) else Ambiguous(reason="Bluesky's answer cannot be read")

    async def _keep(self) -> None:
        if self._since is not None and self._until is not None:
            told = {"since": self._since.isoformat(), "until": self._until.isoformat(), "log": self._log}
            await self._parts.cursors.set(self._cursor, json.dumps(told))


def _list(page: Item, name: str) -> list[Item]:
    """Return the objects of a list, as they were written."""
    found = page.get(name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _at(item: Item) -> datetime:
    """Return when Bluesky saw something; long ago where it does not say."""
    try:
        return datetime.fromisoformat(str(item.get("indexedAt"))).astimezone(UTC)
    except (ValueError, OverflowError):
        return datetime.min.replace(tzinfo=UTC)
