"""Finding what people did while Slack told us nothing: after an outage Slack does not repeat its events.

The channel's own history says in which threads somebody wrote, so that those are read first. Slack lets an app read
fifty threads a minute, and has no call that reads several.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Protocol

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.desk.slack.channels import Channels
from bot.desk.slack.comparing import Comparing, Thread, Told
from bot.desk.slack.envelope import Json, seconds
from bot.desk.slack.errors import GONE_ERRORS, classify_post, code_of
from bot.desk.slack.whereabouts import next_cursor
from bot.domain.connectors import Retry

_log = structlog.get_logger(__name__)

#: Without any sign of an outage history is looked at this often, in seconds.
LOOK_EVERY = 600.0
#: Read again before the mark: Slack's time stamps and what it shows may be this far apart.
OVERLAP = timedelta(minutes=5)
#: After an absence this long the threads in which nothing new was written are read as well, for what was edited,
#: deleted or sent by an envelope: of those history tells nothing.
THOROUGH_AFTER = timedelta(minutes=15)
#: Seconds between two of those: half of what Slack allows is left to others.
_THOROUGH_PAUSE = 2.4
#: What was written this short a time ago may still be told of by an event.
USUAL_DELAY = timedelta(minutes=1)
_PAGE = 200


class Ledger(Told, Protocol):
    """What is durable about reading."""

    async def open_cards(self) -> list[str]:
        """Return the desk references of the open tickets."""
        ...

    async def read_to(self, channel: str) -> datetime | None:
        """Return up to when a channel has been read; none: never."""
        ...

    async def mark_read(self, channel: str, moment: datetime) -> None:
        """Remember up to when a channel has been read."""
        ...


@dataclass(frozen=True, kw_only=True)
class BackfillParts:
    """What looking into history takes."""

    client: AsyncWebClient
    channels: Channels
    ledger: Ledger
    #: makes an event durable; returns whether it is new
    keep: Callable[[Json], Awaitable[bool]]
    #: told after each look how much was found that is older than `USUAL_DELAY`, and that no event told of
    missed: Callable[[int], Awaitable[None]]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(frozen=True, kw_only=True)
class _Look:
    """What reading the changed threads of a channel came to."""

    channel: str
    #: seconds since 1970: what is older was read before
    since: float
    count: int
    #: of those, how many no event will tell of any more
    old_count: int
    #: threads to read after those
    unread: frozenset[str]


class Backfill:
    """Reads the threads of open tickets."""

    def __init__(self, parts: BackfillParts) -> None:
        """Read nothing yet."""
        self._parts = parts
        self._comparing = Comparing(parts.ledger, parts.keep)
        self._wanted = asyncio.Event()
        self._wanted.set()

    def ask(self) -> None:
        """Look as soon as possible: we were away, or Slack was."""
        self._wanted.set()

    async def run(self) -> None:
        """Look at the start, when asked to, and every now and then, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(LOOK_EVERY):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            self._wanted.clear()
            try:
                await self.look()
            except Exception:  # noqa: BLE001 - it is tried again
                # Whoever notices that Slack, or the database, is back asks again.
                _log.exception("backfill_failed")

    async def look(self) -> int:
        """Read what is new in the threads of open tickets; return how much no event had told of."""
        team = str((await self._call(self._parts.client.auth_test)).get("team_id"))
        cards: dict[str, set[str]] = {}
        for reference in await self._parts.ledger.open_cards():
            channel, _, ts = reference.rpartition(":")
            if channel in self._parts.channels:
                cards.setdefault(channel, set()).add(ts)
        looks = [await self._read_channel(team, channel, cards[channel]) for channel in cards]
        await self._parts.missed(sum(look.old_count for look in looks))
        count = sum(look.count for look in looks) + sum([await self._read_rest(team, look) for look in looks])
        if count:
            _log.warning("backfill_found", count=count)
        return count

    async def _read_channel(self, team: str, channel: str, cards: set[str]) -> _Look:
        began = self._parts.now()
        mark = await self._parts.ledger.read_to(channel)
        since = (mark - OVERLAP).timestamp() if mark else 0.0
        changed = await self._changed(channel, cards, since)
        count, written = 0, list[float]()
        # What was changed last is what somebody waits for.
        for ts in sorted(changed, key=changed.__getitem__, reverse=True):
            new_count, at = await self._read(team, channel, ts, since)
            count, written = count + new_count, written + at
        old_count = sum(began.timestamp() - at > USUAL_DELAY.total_seconds() for at in written)
        await self._parts.ledger.mark_read(channel, began)
        is_thorough = mark is not None and began - mark > THOROUGH_AFTER
        unread = frozenset(cards - set(changed)) if is_thorough else frozenset[str]()
        return _Look(channel=channel, since=since, count=count, old_count=old_count, unread=unread)

    async def _read_rest(self, team: str, look: _Look) -> int:
        """Read the threads in which nothing new was written, the newest first; return how much was new."""
        count = 0
        for ts in sorted(look.unread, key=float, reverse=True):
            await self._parts.sleep(_THOROUGH_PAUSE)
            count += (await self._read(team, look.channel, ts, look.since))[0]
        return count

    async def _changed(self, channel: str, cards: set[str], since: float) -> dict[str, float]:
        """Return the threads of these cards in which people wrote since then, and when the last one did."""
        changed: dict[str, float] = {}
        oldest = str(min(float(ts) for ts in cards) - 1)
        pages = self._pages(
            lambda cursor: self._parts.client.conversations_history(
                channel=channel, oldest=oldest, limit=_PAGE, cursor=cursor
            )
        )
        async for root in pages:
            ts, latest = str(root.get("ts")), seconds(root.get("latest_reply"))
            if ts in cards and latest > since and _has_people(root):
                changed[ts] = latest
        return changed

    async def _read(self, team: str, channel: str, ts: str, since: float) -> tuple[int, list[float]]:
        """Make durable what is new in a thread; see `Comparing.compare`."""
        pages = self._pages(
            lambda cursor: self._parts.client.conversations_replies(channel=channel, ts=ts, limit=_PAGE, cursor=cursor)
        )
        try:
            entries = [entry async for entry in pages]
        except SlackApiError as error:
            if code_of(error) not in GONE_ERRORS:
                raise
            # Somebody deleted the card: whoever posts to the ticket next makes a new one.
            entries = []
        thread = Thread(team=team, channel=channel, ts=ts, since=since, read_at=self._parts.now().timestamp())
        return await self._comparing.compare(thread, entries)

    async def _pages(
        self, call: Callable[[str | None], Awaitable[AsyncSlackResponse]]
    ) -> AsyncIterator[dict[str, Any]]:
        cursor: str | None = None
        while True:
            page = await self._call(partial(call, cursor))
            for entry in page.get("messages") or ():
                yield entry
            cursor = next_cursor(page)
            if not cursor:
                return

    async def _call(self, call: Callable[[], Awaitable[AsyncSlackResponse]]) -> AsyncSlackResponse:
        """Call Slack, and again after the time it names when it asks us to slow down."""
        while True:
            try:
                return await call()
            except Exception as error:
                failed = classify_post(error)
                if not isinstance(failed, Retry) or failed.after is None:
                    raise
                await self._parts.sleep(failed.after.total_seconds())


def _has_people(root: dict[str, Any]) -> bool:
    """Whether somebody besides this app wrote in a thread, as far as its first message tells."""
    users = root.get("reply_users")
    count = root.get("reply_users_count")
    if not isinstance(users, list) or count != len(users):
        return True
    return set(users) != {root.get("user")}
