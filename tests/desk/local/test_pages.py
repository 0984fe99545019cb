from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import aiohttp
import pytest

from bot.desk import words
from bot.desk.local.hub import DeskHub
from bot.desk.local.pages import Pages, size
from bot.desk.local.routes import LocalDeskParts, local_desk_blueprint
from bot.domain.acts import Note, Reply
from bot.domain.customers import Money
from bot.domain.messages import Author, DeliveryState, MediaId, MessageId
from bot.domain.tickets import Agent, AgentId, TicketId
from tests.desk.floor import START, Floor
from tests.desk.local.visit import ALEX, SECRET, TICKET, Visit, file
from tests.desk.serving import serve
from tests.fakes.media import MemoryMedia

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


async def test_the_page_shows_all_an_agent_needs(visit: Visit) -> None:
    """Transcript, notes, record, orders, what the bot tried, and whether messages arrived."""
    await visit.sign_in()
    await visit.acts.do(TICKET, ALEX, Note(text="call the warehouse"), "n")
    message = (await visit.acts.do(TICKET, ALEX, Reply(text="One moment"), "r")).message_id
    assert message is not None
    visit.acts.deliver(TICKET, message, DeliveryState.FAILED, "The customer has blocked us.")
    _, page = await visit.get(f"/desk/tickets/{TICKET}")
    for said in (
        "My mug arrived broken",
        "call the warehouse",
        "internal note",
        "dana.fox@example.com",
        "CL-104233",
        "£17.95",
        "Filter of the month",
        "offered a return label",
        "claimed by Alex",
        "not delivered: The customer has blocked us.",
        "Reply again",
    ):
        assert said in page


async def test_unknown_tickets_and_acts_are_told_apart_from_errors(visit: Visit) -> None:
    """A ticket that is not there is a 404 with the queue; an act that is not one is a 400."""
    await visit.sign_in()
    status, page = await visit.get("/desk/tickets/nothing")
    assert status == 404
    assert "There is no such ticket." in page
    assert (await visit.act("explode"))[0] == 400
    form = await visit.form()
    assert (await visit.post("/desk/tickets/nothing/claim", form))[0] == 404


async def test_what_customers_write_is_text_everywhere(visit: Visit) -> None:
    """Names, messages, topics, file names and notes never become markup, and no inline script would run anyway."""
    evil = file(EVIL, "text/html")
    visit.acts.open(replace(visit.acts.views[TICKET].ticket.request, topic=EVIL, summary=EVIL, tried=(EVIL,)), EVIL)
    second = TicketId(f"{2:032x}")
    kept = await visit.media.put(b"<script>alert(1)</script>", evil)
    visit.acts.customer_writes(second, EVIL, (kept,))
    await visit.acts.do(second, Agent(id=AgentId("x"), name=EVIL), Note(text=EVIL), "n")
    await visit.sign_in(EVIL)
    for path in ("/desk", f"/desk/tickets/{second}"):
        async with visit.session.get(visit.url + path) as answer:
            page = await answer.text()
            assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert "<script>alert" not in page
        assert "<img src=x" not in page
    async with visit.session.get(f"{visit.url}/desk/media/{kept.media_id}") as answer:
        assert answer.headers["content-disposition"].startswith("attachment;")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"


@pytest.mark.parametrize(
    ("media_type", "way"),
    [("image/png", "inline"), ("image/svg+xml", "attachment"), ("text/html", "attachment"), ("", "attachment")],
)
async def test_only_rasters_are_shown_in_place(visit: Visit, media_type: str, way: str) -> None:
    """Everything that could carry a script is downloaded."""
    await visit.sign_in()
    kept = await visit.media.put(b"x", file("näme\r\n.x", media_type))
    async with visit.session.get(f"{visit.url}/desk/media/{kept.media_id}") as answer:
        assert answer.headers["content-disposition"] == f"{way}; filename*=UTF-8''n%C3%A4me%0D%0A.x"
    assert (await visit.get(f"/desk/media/{MediaId('none')}"))[0] == 404


async def test_pages_hear_of_changes(visit: Visit) -> None:
    """The stream tells the counter at once and after each wake-up, and ends when the server stops."""
    await visit.sign_in()
    async with visit.session.get(f"{visit.url}/desk/changes") as stream:
        assert stream.content_type == "text/event-stream"
        first = visit.hub.count
        assert await stream.content.readuntil(b"\n\n") == f"data: {first}\n\n".encode()
        visit.hub.wake()
        assert await stream.content.readuntil(b"\n\n") == f"data: {first + 1}\n\n".encode()
        visit.hub.close()
        assert await stream.content.read() == b""


async def test_a_quiet_stream_beats() -> None:
    """Without changes the stream still says something, so that proxies keep it open."""
    hub = DeskHub()
    changes = hub.changes(0.01)
    first = hub.count
    assert [await anext(changes), await anext(changes)] == [first, None]
    hub.wake()
    hub.wake()
    assert await anext(changes) == first + 2


@pytest.mark.parametrize(
    ("minutes", "shown"), [(-5, "now"), (0, "now"), (59, "59 min"), (60, "1 h"), (47 * 60, "47 h"), (72 * 60, "3 days")]
)
def test_waiting_is_told_in_one_unit(minutes: int, shown: str) -> None:
    """How long somebody waits is read at a glance."""
    assert Pages("Copperleaf", lambda: START + timedelta(minutes=minutes))._ago(START) == shown


@pytest.mark.parametrize(
    ("count", "shown"), [(None, ""), (0, "1 kB"), (2048, "2 kB"), (1024 * 1024 * 5 // 2, "2.5 MB")]
)
def test_sizes_are_told_roughly(count: int | None, shown: str) -> None:
    """Nobody needs the bytes."""
    assert size(count) == shown


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (Money(minor=123456), "£1,234.56"),
        (Money(minor=-5), "-£0.05"),
        (Money(minor=990, currency="EUR"), "€9.90"),
        (Money(minor=990, currency="SEK"), "9.90 SEK"),
    ],
)
def test_money_is_told_in_its_currency(amount: Money, shown: str) -> None:
    """Amounts are kept in minor units and read in major ones."""
    assert words.money(amount) == shown


async def test_the_bots_own_lines_and_edits_are_told_apart(visit: Visit) -> None:
    """An edited message shows what it said before, and each author has a name."""
    await visit.sign_in()
    mug, answer = visit.acts.views[TICKET].transcript
    visit.acts.adds(TICKET, replace(mug, id=MessageId("1"), edited_from="My mug arrived"))
    visit.acts.adds(TICKET, replace(answer, id=MessageId("2"), author=Author.SYSTEM, choices=("Yes", "No")))
    _, page = await visit.get(f"/desk/tickets/{TICKET}")
    for said in ("edited", "My mug arrived</div>", "Automatic message", "<li>Yes</li>"):
        assert said in page


async def test_a_desk_that_is_gone_is_told_of(floor: Floor) -> None:
    """Who works here sees why Slack cannot be used, as plain text."""

    async def find_troubles() -> dict[str, str]:
        return {"slack/C1": "the channel is <archived>"}

    floor.open()
    parts = LocalDeskParts(acts=floor, media=MemoryMedia(), hub=DeskHub(), secret=SECRET, find_troubles=find_troubles)
    jar = aiohttp.CookieJar(unsafe=True)
    async with serve(local_desk_blueprint(parts)) as url, aiohttp.ClientSession(cookie_jar=jar) as session:
        visit = Visit(url, session, floor, MemoryMedia(), DeskHub())
        await visit.sign_in()
        for path in ("/desk/", f"/desk/tickets/{TICKET}"):
            _, page = await visit.get(path)
            assert "Slack cannot be used now." in page
            assert "the channel is &lt;archived&gt;" in page
