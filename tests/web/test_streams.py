from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from bot.web import streams
from bot.web.streams import Entry, FeedHub, Sign
from tests.fakes.feed import MemoryFeed


@pytest.fixture
def feed() -> MemoryFeed:
    """Return feeds that wake nobody by themselves."""
    return MemoryFeed()


async def heard(items: AsyncIterator[Entry | Sign], count: int) -> list[object]:
    """Return the next items: numbers of entries, and signs."""
    found: list[object] = []
    async for item in items:
        found.append(item.sequence if isinstance(item, Entry) else item)
        if len(found) == count:
            break
    return found


async def test_a_page_hears_what_it_missed_and_what_follows(feed: MemoryFeed) -> None:
    """Entries after the given number come first, later ones as soon as the page is woken."""
    hub = FeedHub()
    for n in range(3):
        await feed.put("v", str(n), {"author": "bot"})
    page = hub.follow(feed, "v", 1)
    assert await heard(page, 2) == [2, 3]


async def test_a_wake_reaches_the_visitors_pages_only(feed: MemoryFeed) -> None:
    """Both pages of the visitor look at once; the page of somebody else goes on waiting."""
    hub = FeedHub()
    pages = [asyncio.create_task(heard(hub.follow(feed, name, 0), 1)) for name in ("v", "v", "w")]
    await asyncio.sleep(0)
    assert (hub.page_count("v"), hub.page_count("w")) == (2, 1)
    await feed.put("v", "k", {"author": "bot"})
    hub.wake("v")
    assert await asyncio.wait_for(asyncio.gather(*pages[:2]), 0.5) == [[1], [1]]
    assert not pages[2].done()
    pages[2].cancel()


async def test_a_lost_wake_costs_only_time(feed: MemoryFeed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody wakes the page, and it finds the entry all the same."""
    monkeypatch.setattr(streams, "POLL_FIRST", 0.01)
    page = asyncio.create_task(heard(FeedHub().follow(feed, "v", 0), 1))
    await asyncio.sleep(0)
    await feed.put("v", "k", {"author": "bot"})
    assert await asyncio.wait_for(page, 1) == [1]


async def test_typing_stands_between_question_and_answer(feed: MemoryFeed) -> None:
    """Dots asked for while question and answer were both on their way come after the one and before the other."""
    hub = FeedHub()
    page = hub.follow(feed, "v", 0)
    await feed.put("v", "q0", {"author": "customer"})
    assert await heard(page, 1) == [1]
    page = hub.follow(feed, "v", 1)
    waiting = asyncio.create_task(heard(page, 3))
    await asyncio.sleep(0)
    await feed.put("v", "q", {"author": "customer"})
    await feed.put("v", "a", {"author": "bot"})
    hub.typing("v")
    assert await asyncio.wait_for(waiting, 0.5) == [2, Sign.TYPING, 3]


async def test_a_quiet_page_hears_that_we_are_there(feed: MemoryFeed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without anything to say there is a sign of life."""
    monkeypatch.setattr(streams, "POLL_FIRST", 0.01)
    monkeypatch.setattr(streams, "QUIET_FOR", 0.03)
    assert await asyncio.wait_for(heard(FeedHub().follow(feed, "v", 0), 1), 1) == [Sign.QUIET]


async def test_closing_ends_every_page(feed: MemoryFeed) -> None:
    """After `close` open pages end and new ones do not begin, and nothing is kept of them."""
    hub = FeedHub()
    page = asyncio.create_task(heard(hub.follow(feed, "v", 0), 1))
    await asyncio.sleep(0)
    hub.close()
    assert await asyncio.wait_for(page, 0.5) == []
    assert await heard(hub.follow(feed, "v", 0), 1) == []
    assert hub.page_count("v") == 0


async def test_nobody_takes_all_the_room(feed: MemoryFeed, monkeypatch: pytest.MonkeyPatch) -> None:
    """One caller has no more pages than are left for others; what may be everybody has as many as there are."""
    monkeypatch.setattr(streams, "ALL_PAGES_MAX", 10)
    hub = FeedHub()
    pages: list[asyncio.Task[list[object]]] = []

    async def open_pages(caller: str) -> int:
        count = 0
        while hub.has_room(caller):
            pages.append(asyncio.create_task(heard(hub.follow(feed, f"v{len(pages)}", 0, caller), 1)))
            await asyncio.sleep(0)
            count += 1
        return count

    assert [await open_pages(caller) for caller in ("8.8.8.8", "8.8.4.4", "10.0.0.1", "1.1.1.1")] == [5, 3, 2, 0]
    for page in pages:
        page.cancel()
