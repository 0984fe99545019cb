"""Reading the notifications of a Mastodon account for ever, what people write under its name, and what is changed."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.domain.channels import ChannelAddress
from bot.domain.connectors import Ambiguous, Permanent, Sink
from bot.domain.errors import MalformedWebhookError
from bot.domain.messages import InboundMessage, Unsupported, Withdrawal
from bot.domain.ports import Cursors
from connectors.fields import Fields, load
from connectors.looking import look_for_ever
from connectors.mastodon.api import GONE, Failure, MastodonApi
from connectors.mastodon.events import DIRECT, Timeline

#: Of a page, and pages that are read at one look; the next look goes on.
_PAGE, _PAGES_MAX = 40, 25
#: What no customer tells us by.
_LEFT_OUT = ("follow", "follow_request", "reblog", "poll", "status", "admin.sign_up", "admin.report")
#: Threads whose beginning is known, and notifications that were read.
_KNOWN_MAX = 5_000
#: Statuses that are looked at again, as many as the server gives at once, for this long.
_AGAIN_MAX, _AGAIN_FOR = 20, timedelta(days=1)
#: A status that is missing so often is gone.
_MISSES = 2
_NOTIFICATIONS = "/api/v1/notifications"

#: One object of a list, as the server wrote it.
Item = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class PollParts:
    """What reading needs."""

    api: MastodonApi
    cursors: Cursors
    now: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[None]]
    #: seconds between two looks
    looks_every: float


@dataclass(kw_only=True)
class _Seen:
    """A customer's status that may still be changed."""

    address: ChannelAddress
    at: datetime
    #: of the change that we know; empty: it was not changed
    edited_at: str
    miss_count: int = 0


@dataclass(kw_only=True)
class _Trail:
    """How far a list was read. Each look begins where the last but one ended: ids may become visible out of order."""

    #: where the next look begins
    begin: str
    #: the newest that was read
    end: str


class MastodonPoll:
    """Reads one account. `timeline` knows the app's name once the server was asked."""

    def __init__(self, parts: PollParts, timeline: Timeline) -> None:
        """Read nothing yet."""
        self._parts = parts
        self.timeline = timeline
        self._cursor = f"mastodon/{timeline.account}"
        self._user_id = ""
        self._trails: dict[str, _Trail] = {}
        self._read: OrderedDict[str, str] = OrderedDict()
        self._roots: OrderedDict[str, str] = OrderedDict()
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._can_look_again = True

    async def run(self, sink: Sink) -> None:
        """Read for ever; a failure costs a growing pause, or the one that the server asks for."""
        await look_for_ever(self._cursor, lambda: self._look(sink), lambda: self._parts.looks_every, self._parts.sleep)

    async def _look(self, sink: Sink) -> Failure | None:
        failure = await self._begin() if not self._trails else None
        if failure is not None:
            return failure
        query = [("include_filtered", "true"), *(("exclude_types[]", each) for each in _LEFT_OUT)]
        own = f"/api/v1/accounts/{self._user_id}/statuses"
        return (
            await self._follow("notifications", _NOTIFICATIONS, query, sink)
            or await self._follow("own", own, [("exclude_reblogs", "true")], sink)
            or await self._look_again(sink)
        )

    async def _begin(self) -> Failure | None:
        """Know who we are and where to go on: what was there before connecting is nobody's business."""
        failure = await self._identify()
        if failure is not None:
            return failure
        kept = await self._parts.cursors.get(self._cursor)
        try:
            told = Fields(load((kept or "{}").encode()))
            starts = {name: told.text(name) for name in ("notifications", "own")}
        except MalformedWebhookError:
            paths = {"notifications": _NOTIFICATIONS, "own": f"/api/v1/accounts/{self._user_id}/statuses"}
            starts = {}
            for name, path in paths.items():
                page = await self._page(path, [("limit", "1")])
                if not isinstance(page, list):
                    return page
                starts[name] = Fields(page[0]).text("id") if page else "0"
        self._trails = {name: _Trail(begin=start, end=start) for name, start in starts.items()}
        await self._keep()
        return None

    async def _identify(self) -> Failure | None:
        me = await self._parts.api.get("/api/v1/accounts/verify_credentials")
        if not isinstance(me, bytes):
            return me
        app = await self._parts.api.get("/api/v1/apps/verify_credentials")
        try:
            self._user_id = Fields(load(me)).text("id")
            name = Fields(load(app)).text("name", "") if isinstance(app, bytes) else ""
        except MalformedWebhookError:
            return Ambiguous(reason="the server's answer cannot be read")
        self.timeline = replace(self.timeline, app=name)
        return None

    async def _follow(self, name: str, path: str, query: list[tuple[str, str]], sink: Sink) -> Failure | None:
        """Make durable what a list has that is new."""
        trail = self._trails[name]
        at, begin = trail.begin, trail.end
        for _ in range(_PAGES_MAX):
            page = await self._page(path, [*query, ("min_id", at), ("limit", str(_PAGE))])
            if not isinstance(page, list):
                return page
            taken = await self._take(name, page, sink)
            if not isinstance(taken, int):
                return taken
            at = Fields(page[0]).text("id") if page else at
            # Servers give fewer at once if they like.
            if not taken and len(page) < _PAGE:
                break
        self._trails[name] = _Trail(begin=begin, end=at)
        await self._keep()
        return None

    async def _take(self, name: str, page: list[Item], sink: Sink) -> int | Failure:
        """Make what is new on a page durable; return how much it is."""
        new = [each for each in page if f"{name}:{Fields(each).text('id')}" not in self._read]
        for status in filter(None, map(_status_of, new)):
            failure = await self._find_root(status)
            if failure is not None:
                return failure
        await self._give(name, new, sink)
        for each in new:
            _remember(self._read, f"{name}:{Fields(each).text('id')}", "")
        return len(new)

    async def _give(self, name: str, items: list[Item], sink: Sink) -> None:
        """Make items durable, and look at customers' statuses among them again from now on."""
        statuses = {each.text("id", ""): each for each in filter(None, map(_status_of, items))}
        body = {name: items, "roots": {each: self._roots.get(each) for each in statuses}}
        events = self.timeline.read(json.dumps(body).encode())
        if name != "notifications":
            # Most of what is written under our name answers nobody, and is no news.
            events = [each for each in events if not isinstance(each, Unsupported)]
        if events:
            await sink(events)
        for event in events:
            if isinstance(event, InboundMessage) and not event.edits and event.sent_at is not None:
                edited_at = statuses[event.external_id].text("edited_at", "")
                self._seen[event.external_id] = _Seen(address=event.address, at=event.sent_at, edited_at=edited_at)

    async def _find_root(self, status: Fields) -> Failure | None:
        """Know the status that a public thread began with: its conversations are named after it."""
        name, parent = status.text("id"), status.text("in_reply_to_id", "")
        if not parent or name in self._roots or status.text("visibility", "") == DIRECT:
            return None
        root = self._roots.get(parent, "")
        if not root:
            answer = await self._parts.api.get(f"/api/v1/statuses/{name}/context")
            if not isinstance(answer, bytes) and not (isinstance(answer, Permanent) and answer.code == GONE):
                return answer
            before = Fields(load(answer)).objects("ancestors") if isinstance(answer, bytes) else []
            root = before[0].text("id") if before else parent
        _remember(self._roots, name, root)
        return None

    async def _look_again(self, sink: Sink) -> Failure | None:
        """Tell of changes and deletions, which the server tells nobody of who was only named."""
        oldest = self._parts.now() - _AGAIN_FOR
        for name in [name for name, seen in self._seen.items() if seen.at < oldest]:
            del self._seen[name]
        while len(self._seen) > _AGAIN_MAX:
            self._seen.popitem(last=False)
        if not self._seen or not self._can_look_again:
            return None
        page = await self._page("/api/v1/statuses", [("id[]", name) for name in self._seen])
        if isinstance(page, Permanent) and not page.is_account:
            # Servers before 4.3 do not give several at once.
            self._can_look_again = False
            return None
        if not isinstance(page, list):
            return page
        there = {each.text("id"): each.text("edited_at", "") for each in map(Fields, page)}
        changed = {name: at for name, at in there.items() if name in self._seen and at not in {"", self._edited(name)}}
        await self._give("again", [each for each in page if each.get("id") in changed], sink)
        for name, edited_at in changed.items():
            self._seen[name].edited_at = edited_at
        gone = list(self._missing(there))
        if gone:
            await sink([*gone])
        for each in gone:
            del self._seen[each.of_external_id]
        return None

    def _edited(self, name: str) -> str:
        return self._seen[name].edited_at

    def _missing(self, there: Iterable[str]) -> Iterator[Withdrawal]:
        for name, seen in self._seen.items():
            seen.miss_count = 0 if name in there else seen.miss_count + 1
            if seen.miss_count >= _MISSES:
                yield Withdrawal(address=seen.address, external_id=f"{name}@gone", of_external_id=name)

    async def _page(self, path: str, query: list[tuple[str, str]]) -> list[Item] | Failure:
        """Return the objects of a list."""
        answer = await self._parts.api.get(path, query)
        if not isinstance(answer, bytes):
            return answer
        try:
            page = load(answer)
        except MalformedWebhookError:
            page = None
        if not isinstance(page, list) or not all(isinstance(each, dict) for each in page):
            return Ambiguous(reason="the server's answer cannot be read")
        return page

    async def _keep(self) -> None:
        await self._parts.cursors.set(
            self._cursor, json.dumps({name: trail.begin for name, trail in self._trails.items()})
        )


def _status_of(item: Item) -> Fields | None:
    """Return the status of a notification, or the item that is one; none where it cannot be read."""
    try:
        fields = Fields(item)
        status = fields if "visibility" in fields else fields.object("status") if "status" in fields else None
        return status if status is not None and status.text("id") and status.text("visibility") else None
    except MalformedWebhookError:
        return None


def _remember(kept: OrderedDict[str, str], name: str, value: str) -> None:
    kept[name] = value
    while len(kept) > _KNOWN_MAX:
        kept.popitem(last=False)
