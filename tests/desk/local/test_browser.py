from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from playwright.async_api import BrowserContext, Page, async_playwright, expect

from bot.desk.local.hub import DeskHub
from bot.desk.local.routes import LocalDeskParts, local_desk_blueprint
from bot.desk.local.sessions import desk_link
from bot.domain.acts import Note, Reply, Resolve
from bot.domain.messages import DeliveryState
from bot.domain.tickets import Agent, AgentId, Priority, TicketId, TicketState
from tests.desk.floor import Floor
from tests.desk.records import dana
from tests.desk.serving import serve
from tests.fakes.media import MemoryMedia

pytestmark = pytest.mark.browser

SECRET = "a secret that only tests know"
CHROMIUM = shutil.which("chromium")
TICKET = TicketId(f"{1:032x}")
ALEX = Agent(id=AgentId("slack:U1"), name="Alex")
PHONE = {"width": 390, "height": 844}


@dataclass
class Site:
    """A desk with two tickets and a browser before it."""

    url: str
    acts: Floor
    hub: DeskHub
    context: BrowserContext
    #: what scripts complained about
    complaints: list[str]

    async def open(self) -> Page:
        """Come in by a link, give a name and return the queue's page."""
        page = await self.context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        await page.goto(desk_link(SECRET, self.url))
        await page.get_by_label("Your name").fill("Sam")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("navigation", name="Tickets")).to_be_visible()
        return page


@pytest.fixture
async def site(floor: Floor) -> AsyncIterator[Site]:
    """Return a desk in Chromium; without one the test is skipped at home and fails in CI."""
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is missing: apt-get install chromium")
        pytest.skip("needs Chromium")
    hub = DeskHub()
    floor.open(record=dana())
    floor.open(name="Ravi")
    parts = LocalDeskParts(acts=floor, media=MemoryMedia(), hub=hub, secret=SECRET, brand="Copperleaf")
    async with serve(local_desk_blueprint(parts)) as url, async_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        context = await browser.new_context(viewport={"width": 1280, "height": 800})
        context.set_default_timeout(10_000)
        found = Site(url, floor, hub, context, [])
        yield found
        await browser.close()
        assert found.complaints == []


async def test_a_ticket_is_worked_by_keys_alone(site: Site) -> None:
    """Keys open a ticket, claim it, reply, note and hand back, and ? shows all of them."""
    page = await site.open()
    await page.keyboard.press("?")
    await expect(page.get_by_text("next, previous ticket")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.keyboard.press("j")
    await page.keyboard.press("o")
    await expect(page.get_by_role("heading", name="Dana Fox")).to_be_visible()
    await page.keyboard.press("c")
    await expect(page.get_by_text("claimed by Sam")).to_be_visible()
    for key, text in (("r", "Hello Dana, c and j are only letters here"), ("n", "seems nice")):
        await page.keyboard.press(key)
        await page.keyboard.type(text)
        await page.keyboard.press("Control+Enter")
        await expect(page.locator("#timeline .text", has_text=text)).to_be_visible()
    await page.keyboard.press("e")
    await page.keyboard.type("refunded")
    await page.get_by_role("button", name="Hand back to bot").click()
    await expect(page.get_by_text("This ticket is handed back to the bot: refunded")).to_be_visible()
    assert [kind for kind, *_ in site.acts.log] == ["claimed", "reply", "note", "handed_back"]
    assert [text for _, text, _ in site.acts.sent] == ["Hello Dana, c and j are only letters here"]


async def test_the_page_follows_what_happens_and_keeps_what_is_being_typed(site: Site) -> None:
    """A new message, a delivery and a new ticket appear by themselves; a half-written reply stays in its box."""
    page = await site.open()
    await page.goto(f"{site.url}/desk/tickets/{TICKET}")
    await page.get_by_label("Reply to Dana Fox").fill("half a")
    site.acts.customer_writes(TICKET, "are you there?")
    site.hub.wake()
    await expect(page.locator("#timeline .text", has_text="are you there?")).to_be_visible()
    site.acts.open(name="Noor")
    site.hub.wake()
    await expect(page.get_by_role("navigation").get_by_text("Noor")).to_be_visible()
    message = (await site.acts.do(TICKET, ALEX, Reply(text="I am"), "r")).message_id
    assert message is not None
    site.acts.deliver(TICKET, message, DeliveryState.READ)
    site.hub.wake()
    await expect(page.get_by_text("claimed by Alex")).to_be_visible()
    await expect(page.get_by_label("Conversation").get_by_text("read", exact=False)).to_be_visible()
    assert await page.get_by_label("Reply to Dana Fox").input_value() == "half a"
    await site.acts.do(TICKET, ALEX, Resolve(outcome="done"), "x")
    site.hub.wake()
    await expect(page.get_by_text("This ticket is resolved: done")).to_be_visible()
    await expect(page.locator("pre.unsent")).to_have_text("half a")


async def test_what_was_done_is_taken_back_by_a_key(site: Site) -> None:
    """The box of further acts opens by a key, what it did can be undone by another, and the offer then goes."""
    site.acts.clock.moment = datetime.now(UTC)
    page = await site.open()
    await page.goto(f"{site.url}/desk/tickets/{TICKET}")
    await page.keyboard.press("m")
    await page.get_by_label("Priority").select_option("urgent")
    await page.locator("form[action$='/priority'] button").click()
    await expect(page.get_by_text("set the priority: urgent")).to_be_visible()
    await expect(page.get_by_role("button", name="Undo")).to_be_visible()
    await page.locator("body").press("z")
    await expect(page.locator(".event.undone")).to_have_count(1)
    assert site.acts.views[TICKET].ticket.priority is Priority.NORMAL
    await expect(page.get_by_role("button", name="Undo")).to_have_count(0)


async def test_a_change_of_a_message_is_not_lost_to_what_happens(site: Site) -> None:
    """What is typed over a sent message stays there while the conversation goes on."""
    message = (
        await site.acts.do(TICKET, Agent(id=AgentId("local:Sam"), name="Sam"), Reply(text="Helo"), "r")
    ).message_id
    assert message is not None
    site.acts.deliver(TICKET, message, DeliveryState.SENT)
    page = await site.open()
    await page.goto(f"{site.url}/desk/tickets/{TICKET}")
    await page.get_by_text("change", exact=True).click()
    await page.get_by_label("New text").fill("Hello")
    site.acts.customer_writes(TICKET, "what?")
    site.hub.wake()
    await expect(page.locator("#timeline .text", has_text="what?")).to_be_visible()
    assert await page.get_by_label("New text").input_value() == "Hello"


async def test_a_double_click_sends_once(site: Site) -> None:
    """Two quick clicks on Send are one message."""
    page = await site.open()
    await page.goto(f"{site.url}/desk/tickets/{TICKET}")
    await page.get_by_label("Reply to Dana Fox").fill("once")
    await page.get_by_role("button", name="Send").dblclick()
    await expect(page.locator("#timeline .text", has_text="once")).to_be_visible()
    assert len(site.acts.sent) == 1


async def test_everything_works_without_scripts(site: Site) -> None:
    """Forms, the three boxes and the result are plain HTML."""
    browser = site.context.browser
    assert browser is not None
    site.context = await browser.new_context(java_script_enabled=False)
    page = await site.open()
    await page.get_by_text("Dana Fox").first.click()
    await page.get_by_role("button", name="Claim").click()
    await page.get_by_text("Note", exact=True).click()
    await page.get_by_label("Internal note").fill("plain")
    await page.get_by_role("button", name="Keep note").click()
    await expect(page.locator("#timeline .text", has_text="plain")).to_be_visible()
    assert [kind for kind, *_ in site.acts.log] == ["claimed", "note"]


async def test_a_long_name_stays_in_the_queue(site: Site) -> None:
    """Whatever a customer is called and wrote last, a ticket in the list is as wide as the list."""
    ticket_id = site.acts.open(name="Wolfeschlegelsteinhausenbergerdorff the younger")
    site.acts.customer_writes(ticket_id, "so long that it does not fit " * 9)
    page = await site.open()
    await page.goto(f"{site.url}/desk/tickets/{TICKET}")
    wide = await page.evaluate(
        "[...document.querySelectorAll('.queue, .queue *')].filter(e => e.scrollWidth > e.clientWidth"
        " && getComputedStyle(e).overflowX === 'auto').map(e => e.className)"
    )
    assert wide == []


async def test_it_fits_a_phone(site: Site) -> None:
    """Queue and ticket are pages of their own, nothing is wider than the screen, and sending works."""
    browser = site.context.browser
    assert browser is not None
    site.context = await browser.new_context(
        viewport={"width": PHONE["width"], "height": PHONE["height"]}, has_touch=True
    )
    site.acts.customer_writes(TICKET, "https://example.com/" + "a" * 300)
    page = await site.open()
    await page.get_by_text("Dana Fox").tap()
    await expect(page.get_by_role("heading", name="Dana Fox")).to_be_visible()
    assert not await page.get_by_role("navigation", name="Tickets").is_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    await page.get_by_label("Reply to Dana Fox").fill("from the train")
    await page.get_by_role("button", name="Send").tap()
    await expect(page.locator("#timeline .text", has_text="from the train")).to_be_visible()
    await page.get_by_label("Back to the queue").tap()
    await expect(page.get_by_text("Ravi")).to_be_visible()


async def test_nothing_a_customer_sends_runs(site: Site) -> None:
    """Markup in any field is shown as text, and the policy would stop a script that slipped through."""
    evil = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    request = replace(site.acts.views[TICKET].ticket.request, topic=evil, summary=evil, tried=(evil,))
    ticket_id = site.acts.open(request, evil)
    site.acts.customer_writes(ticket_id, evil)
    await site.acts.do(ticket_id, ALEX, Note(text=evil), "n")
    page = await site.open()
    await page.goto(f"{site.url}/desk/tickets/{ticket_id}")
    site.acts.customer_writes(ticket_id, evil + " again")
    site.hub.wake()
    await expect(page.locator("#timeline .text", has_text="again")).to_be_visible()
    assert "owned" not in (await page.title()).replace(evil, "")
    assert await page.locator("img[src=x]").count() == 0
    assert site.acts.views[ticket_id].ticket.state is TicketState.QUEUED
