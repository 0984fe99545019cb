"""Tells the open pages of visitors that there is something new: signals within one process, a slow poll behind them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum

from bot.domain.ports import VisitorFeed
from bot.web.callers import is_somebody

#: Seconds between two looks at a feed nobody was woken for: after something happened, and at the longest.
POLL_FIRST = 1.0
POLL_LONGEST = 5.0
_POLL_GROWTH = 1.25
#: Seconds without anything to say after which a page is told that we are still there.
QUIET_FOR = 15.0
#: Pages of all visitors, in one process: each looks at the database every few seconds.
ALL_PAGES_MAX = 4_000
_BATCH = 100


class Sign(Enum):
    """What a page hears besides its feed."""

    #: an answer is being written
    TYPING = "typing"
    #: nothing happened for a while
    QUIET = "quiet"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry of a visitor's feed."""

    sequence: int
    body: dict[str, object]


@dataclass(eq=False)
class _Page:
    caller: str
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    is_typing: bool = False

    def take_typing(self) -> bool:
        """Whether an answer is being written; asked again, no."""
        is_typing, self.is_typing = self.is_typing, False
        return is_typing


class FeedHub:
    """The open pages of this process, by visitor."""

    def __init__(self) -> None:
        """Start without pages."""
        self._pages: dict[str, set[_Page]] = {}
        self._is_closed = False

    def wake(self, visitor: str | None) -> None:
        """Make the visitor's pages, none: all pages, look at their feed now; without it they look within seconds."""
        for pages in self._pages.values() if visitor is None else [self._pages.get(visitor, set())]:
            for page in pages:
                page.woken.set()

    def typing(self, visitor: str) -> None:
        """Tell the visitor's pages that an answer is being written."""
        for page in self._pages.get(visitor, ()):
            page.is_typing = True
            page.woken.set()

    def page_count(self, visitor: str) -> int:
        """Return how many pages of the visitor are open here."""
        return len(self._pages.get(visitor, ()))

    def has_room(self, caller: str) -> bool:
        """Whether a caller (see `bot.web.callers`) may open one page more.

        Nobody has more than are left for the others, so one alone never takes them all.
        """
        pages = [page for pages in self._pages.values() for page in pages]
        left = ALL_PAGES_MAX - len(pages)
        return left > 0 and (not is_somebody(caller) or sum(page.caller == caller for page in pages) < left)

    def close(self) -> None:
        """End every page's stream, now and from now on."""
        self._is_closed = True
        for pages in self._pages.values():
            for page in pages:
                page.woken.set()

    async def follow(
        self, feed: VisitorFeed, visitor: str, after: int, caller: str = ""
    ) -> AsyncIterator[Entry | Sign]:
        """Yield what `feed` holds after number `after`, in order, and signs in between, until `close`."""
        page = _Page(caller=caller)
        self._pages.setdefault(visitor, set()).add(page)
        try:
            pause, quiet_for = POLL_FIRST, 0.0
            while not self._is_closed:
                page.woken.clear()
                entries = await feed.after(visitor, after, _BATCH)
                asked = _asked(entries)
                for n, (sequence, body) in enumerate(entries):
                    if n == asked and page.take_typing():
                        yield Sign.TYPING
                    after = sequence
                    yield Entry(sequence=sequence, body=body)
                if page.take_typing():
                    yield Sign.TYPING
                if entries:
                    pause, quiet_for = POLL_FIRST, 0.0
                    continue
                await _wait(page.woken, pause)
                quiet_for += pause
                if quiet_for >= QUIET_FOR:
                    quiet_for = 0.0
                    yield Sign.QUIET
                pause = min(pause * _POLL_GROWTH, POLL_LONGEST)
        finally:
            self._pages[visitor].discard(page)
            if not self._pages[visitor]:
                del self._pages[visitor]


def _asked(entries: list[tuple[int, dict[str, object]]]) -> int:
    """Return how many of the entries there are up to the customer's last one: what is being written answers that."""
    return max((n for n, (_, body) in enumerate(entries, 1) if body.get("author") == "customer"), default=0)


async def _wait(event: asyncio.Event, at_most: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(at_most):
            await event.wait()
