"""Public tickets on the local desk, over the real pipeline and a real database."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
import pytest

from bot.desk.local.hub import DeskHub
from bot.desk.local.routes import LocalDeskParts, local_desk_blueprint
from bot.desk.local.sessions import desk_link
from bot.domain.rules import Rules
from tests.desk.serving import serve
from tests.fakes.connector import FakeConnector
from tests.pipeline.conftest import rig, shop_template  # noqa: F401 - fixtures
from tests.pipeline.rig import Rig
from tests.pipeline.square import CLOSING, LINK, meaning, rules, says, square, ticket_at

SECRET = "a secret that only tests know"
ANN = "post:ann"


@dataclass
class Visit:
    """Sam's browser before a public ticket, without scripts."""

    rig: Rig
    public: FakeConnector
    session: aiohttp.ClientSession
    ticket: str

    async def page(self) -> str:
        """Return the ticket's page."""
        async with self.session.get(f"/desk/tickets/{self.ticket}") as answer:
            return await answer.text()

    async def send(self, act: str, page: str | None = None, **fields: str) -> str:
        """Send a form as `page` shows it, and return the page that follows."""
        shown = page or await self.page()
        hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', shown)
        form = {name: html.unescape(value) for name, value in hidden} | fields
        async with self.session.post(f"/desk/tickets/{self.ticket}/{act}", data=form) as answer:
            text = await answer.text()
        await self.rig.settle()
        return text


@pytest.fixture
def public() -> FakeConnector:
    """Return the public channel."""
    return square()


@pytest.fixture
def also(public: FakeConnector) -> tuple[FakeConnector, ...]:
    """Return what is connected beside the private channel."""
    return (public,)


@pytest.fixture(name="rules")
def _rules(public: FakeConnector) -> Rules:
    """Return the rules of a brand whose private channel has links."""
    return rules(public, FakeConnector(invites_at=LINK))


@pytest.fixture
async def visit(rig: Rig, public: FakeConnector) -> AsyncIterator[Visit]:  # noqa: F811 - the fixture
    """Return Sam, signed in, before a public question."""
    rig.engine.by_text["where is my order?"] = meaning("order_status", "Which order?")
    await says(rig, public, "where is my order?")
    ticket = await ticket_at(rig, public)
    assert ticket is not None
    parts = LocalDeskParts(acts=rig.desk, media=rig.media, hub=DeskHub(), secret=SECRET)
    jar = aiohttp.CookieJar(unsafe=True)
    async with (
        serve(local_desk_blueprint(parts)) as url,
        aiohttp.ClientSession(url, cookie_jar=jar) as session,
    ):
        link = urlsplit(desk_link(SECRET, url))
        async with session.get(f"{link.path}?{link.query}") as answer:
            token = re.search(r'name="token" value="([^"]*)"', await answer.text())
        assert token is not None
        await session.post("/desk/name", data={"token": token[1], "name": "Sam"})
        yield Visit(rig, public, session, ticket.id)


async def test_the_page_says_that_it_is_public(visit: Visit) -> None:
    """Head, list and answer box say PUBLIC; nothing is handed back, and nobody is asked for a proof."""
    page = await visit.page()
    assert "PUBLIC: everybody reads this" in page
    assert "Everybody will read this reply" in page
    assert "Post in public" in page
    assert "Invite to private" in page
    assert "Hand back to bot" not in page
    assert "Ask for a proof" not in page


async def test_a_reply_is_posted(visit: Visit) -> None:
    """A reply from a page that says PUBLIC is posted."""
    await visit.send("reply", text="We are looking.")
    assert visit.public.seen_by(ANN)[1:] == ["We are looking."]


async def test_what_is_somebodys_alone_is_sent_at_the_second_time(visit: Visit) -> None:
    """A reply with an order number comes back with a warning that names it; sent again as it is, it is posted."""
    page = await visit.send("reply", text="CL-104233 is late.")
    assert "somebody&#39;s alone: CL-104233" in page
    assert "CL-104233 is late." in page
    assert len(visit.public.shown) == 1

    again = await visit.send("reply", page, text="CL-104233 is late, ann@example.com")
    assert "ann@example.com" in again
    assert len(visit.public.shown) == 1

    await visit.send("reply", page, text="CL-104233 is late.")
    assert visit.public.seen_by(ANN)[1:] == ["CL-104233 is late."]


async def test_people_are_invited(visit: Visit) -> None:
    """The button posts the approved text with a new link."""
    await visit.send("invite")
    assert len(visit.public.shown) == 2


async def test_resolving_may_say_so(visit: Visit) -> None:
    """The closing line is shown, and posted when it is ticked."""
    assert html.escape(CLOSING) in await visit.page()
    await visit.send("resolve", text="done", closing="solved", tells="yes")
    assert visit.public.seen_by(ANN)[1:] == [CLOSING]


async def test_the_page_says_where_they_went(visit: Visit) -> None:
    """What was said in the joined conversation stands beside the ticket."""
    await visit.rig.writes("/start", referral=visit.public.shown[0].text.partition("?")[2])
    page = await visit.page()
    assert "Went on in private" in page
    assert "Which order?" in page
    assert "not proved" in page
