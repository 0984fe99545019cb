"""Reading the comments of a YouTube channel for ever, within the units that a day has."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.domain.connectors import Sink
from bot.domain.errors import MalformedWebhookError
from bot.domain.messages import InboundEvent
from bot.domain.ports import Cursors
from connectors.fields import Fields, load
from connectors.looking import Known, look_for_ever
from connectors.youtube.api import WRITE_UNITS, Failure, Units, YouTubeApi
from connectors.youtube.comments import Comments, Thread, changes_in, threads_in

#: Threads of a page, and pages that are read back after a time away.
_PAGE, _PAGES_MAX = 100, 20
#: Replies of a page of one thread.
_REPLIES = 100
#: The pause between two looks: as short as the units allow, within these.
_LOOKS_EVERY, _LOOKS_AT_LEAST = timedelta(seconds=30), timedelta(minutes=10)
#: Answers that the day's units are kept for.
_ANSWERS_KEPT = 40
#: Threads whose replies are counted.
_THREADS_MAX = 20_000
#: What appears late, because YouTube looked at it first, is still found when it is no older than this.
_OVERLAP = timedelta(hours=6)


@dataclass(frozen=True, kw_only=True)
class PollParts:
    """What reading needs."""

    api: YouTubeApi
    comments: Comments
    units: Units
    cursors: Cursors
    now: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[None]]


class CommentPoll:
    """Reads the threads of one channel, newest first, back to where it was."""

    def __init__(self, parts: PollParts) -> None:
        """Read nothing yet."""
        self._parts = parts
        self._name = f"youtube-comments/{parts.comments.account}"
        #: since when comments are read; those before connecting are nobody's business
        self._since: datetime | None = None
        #: up to when threads were begun that are read already
        self._until: datetime | None = None
        self._known = Known()
        self._reply_counts: dict[str, int] = {}

    async def run(self, sink: Sink) -> None:
        """Read for ever; a failure costs a growing pause, or the one that YouTube asks for."""
        await look_for_ever(
            self._name, lambda: self._look(sink), lambda: self.pause().total_seconds(), self._parts.sleep
        )

    def pause(self) -> timedelta:
        """Return how long to wait before the next look, so that units are left for answers until there are new ones."""
        spare = self._parts.units.left - _ANSWERS_KEPT * WRITE_UNITS
        if spare <= 0:
            return min(self._parts.units.until_new(), _LOOKS_AT_LEAST)
        # Half of what is spare: a look takes more than one unit when replies have to be fetched.
        every = self._parts.units.until_new() / max(1, spare // 2)
        return min(max(every, _LOOKS_EVERY), _LOOKS_AT_LEAST)

    async def _look(self, sink: Sink) -> Failure | None:
        if self._since is None:
            await self._begin()
        since = max(self._since or self._parts.now(), (self._until or self._parts.now()) - _OVERLAP)
        token, newest = "", self._until
        for _ in range(_PAGES_MAX):
            page = await self._page(token)
            if not isinstance(page, bytes):
                return page
            failure = await self._take(page, sink)
            if failure is not None:
                return failure
            starts = [thread.started_at for thread, _ in threads_in(page)]
            newest = max([*starts, newest] if newest else starts, default=newest)
            token = Fields(load(page)).text("nextPageToken", "")
            if not token or not starts or min(starts) < since:
                break
        self._until = newest or self._until
        await self._keep()
        return None

    async def _page(self, token: str) -> bytes | Failure:
        query = {
            "part": "snippet,replies",
            "allThreadsRelatedToChannelId": self._parts.comments.account,
            "order": "time",
            "maxResults": str(_PAGE),
            "textFormat": "plainText",
        }
        return await self._parts.api.get("commentThreads", query | ({"pageToken": token} if token else {}))

    async def _take(self, page: bytes, sink: Sink) -> Failure | None:
        """Make a page durable, with the replies that did not come along."""
        events, changes = self._parts.comments.read(page), changes_in(page)
        counts: dict[str, int] = {}
        for thread, raw in threads_in(page):
            if thread.reply_count > thread.fetched_count and self._reply_counts.get(thread.id) != thread.reply_count:
                found = await self._replies(thread, raw)
                if not isinstance(found, tuple):
                    return found
                events += found[0]
                changes |= found[1]
            counts[thread.id] = thread.reply_count
        marks = {name: changed.isoformat() for name, changed in changes.items()}
        new = self._known.new(events, marks, self._since or self._parts.now())
        if new:
            await sink(new)
        self._known.remember(marks)
        if len(self._reply_counts) > _THREADS_MAX:
            self._reply_counts.clear()
        self._reply_counts |= counts
        return None

    async def _replies(self, thread: Thread, raw: Fields) -> tuple[list[InboundEvent], dict[str, datetime]] | Failure:
        """Return all replies of a thread and when they were changed."""
        events: list[InboundEvent] = []
        changes: dict[str, datetime] = {}
        token = ""
        for _ in range(_PAGES_MAX):
            query = {"part": "snippet", "parentId": thread.id, "maxResults": str(_REPLIES), "textFormat": "plainText"}
            body = await self._parts.api.get("comments", query | ({"pageToken": token} if token else {}))
            if not isinstance(body, bytes):
                return body
            events += self._parts.comments.read_replies(raw, body)
            changes |= changes_in(body)
            token = Fields(load(body)).text("nextPageToken", "")
            if not token:
                break
        return events, changes

    async def _begin(self) -> None:
        kept = await self._parts.cursors.get(self._name)
        try:
            told = Fields(load((kept or "{}").encode()))
            self._parts.units.recall(told.text("units", ""))
            self._since = datetime.fromisoformat(told.text("since"))
            self._until = datetime.fromisoformat(told.text("until"))
        except (MalformedWebhookError, ValueError):
            self._since = self._until = self._parts.now().astimezone(UTC)
            await self._keep()

    async def _keep(self) -> None:
        if self._since is None or self._until is None:
            return
        since, until = self._since.isoformat(), self._until.isoformat()
        told = {"since": since, "until": until, "units": self._parts.units.keep()}
        await self._parts.cursors.set(self._name, json.dumps(told))
