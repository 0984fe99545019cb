from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.domain.messages import Author, OutboundMessage
from bot.web.webchat import PAGES_MAX
from tests.web.visitors import Visitor, arrived, entries
from tests.webchat_site import ChatSite, chat_site


async def test_a_line_cut_at_any_frame_loses_nothing(site: ChatSite, visitor: Visitor) -> None:
    """A page whose line is cut after each entry, and that comes back with the number it saw, hears each entry once."""
    await visitor.write("0123456789abcdef", "0")
    address = site.bot.messages[0].address
    for n in range(1, 6):
        await site.bot.tell(address, OutboundMessage(author=Author.BOT, text=str(n)), f"k{n}")
    heard: list[tuple[int, str]] = []
    while len(heard) < 7:
        async with visitor.stream(heard[-1][0] if heard else 0) as stream:
            heard += await entries(stream, 1)
    assert [number for number, _ in heard] == [1, 2, 3, 4, 5, 6, 7]
    assert {text for _, text in heard} == {"0", "1", "2", "3", "4", "5"}


async def test_a_page_hears_of_answers_at_once(site: ChatSite, visitor: Visitor) -> None:
    """An open page gets an answer well before it would have looked by itself, and the dots before it."""
    await visitor.write("0123456789abcdef", "hello")
    address = site.bot.messages[0].address
    async with visitor.stream() as stream:
        await entries(stream, 2)
        site.hub.typing(visitor.visitor)
        async with asyncio.timeout(0.5):
            assert await anext(aiter(stream)) == "event: typing\ndata: {}"
            await site.bot.tell(address, OutboundMessage(author=Author.BOT, text="now"))
            assert await entries(stream, 1) == [(3, "now")]


async def test_a_page_that_leaves_is_forgotten(site: ChatSite, visitor: Visitor) -> None:
    """After the line is closed nothing is kept of the page."""
    async with visitor.stream() as stream:
        assert await anext(aiter(stream)) == ": here"
        assert site.hub.page_count(visitor.visitor) == 1
    async with asyncio.timeout(2):
        while site.hub.page_count(visitor.visitor):  # noqa: ASYNC110 - the hub tells nobody
            await asyncio.sleep(0.01)


async def test_too_many_pages_are_refused(site: ChatSite, visitor: Visitor) -> None:
    """One visitor cannot hold the service's connections."""
    site.hub._pages[visitor.visitor] = {object() for _ in range(PAGES_MAX)}  # type: ignore[misc]
    answer = await visitor.http.get("/chat/events")
    assert (answer.status_code, answer.json()["error"]) == (429, "pages")
    del site.hub._pages[visitor.visitor]


async def test_streams_end_when_the_service_stops(tmp_path: Path) -> None:
    """An open page hears the end of its stream instead of a broken line."""
    async with chat_site(tmp_path) as site, arrived(site) as visitor, visitor.stream() as stream:
        assert await anext(aiter(stream)) == ": here"
        site.hub.close()
        assert [frame async for frame in stream] == []


@pytest.mark.parametrize("after", ["-1", "x", "1e3", "9" * 20, "١"])
async def test_odd_cursors_are_refused(visitor: Visitor, after: str) -> None:
    """A place in the feed is a plain number."""
    assert (await visitor.http.get("/chat/events", params={"after": after})).status_code == 400


async def test_history_is_the_last_of_the_feed(site: ChatSite, visitor: Visitor) -> None:
    """A long feed shows its last 200 entries, and the cursor is its end."""
    for n in range(230):
        await site.feed.put(visitor.visitor, f"k{n}", {"type": "message", "author": "bot", "text": str(n)})
    history = (await visitor.http.get("/chat/history")).json()
    assert history["cursor"] == 230
    assert [entry["text"] for entry in history["events"]] == [str(n) for n in range(30, 230)]
