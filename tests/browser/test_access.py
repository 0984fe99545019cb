from __future__ import annotations

from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.async_api import Browser, Page, expect

from bot.domain.messages import Author, OutboundMessage
from tests.browser.chat import open_chat, text_file, write
from tests.webchat_site import HOURS, ORDERS, ChatSite, say

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


async def violations(page: Page) -> list[str]:
    """Return what axe-core finds wrong, its best practices included."""
    await page.evaluate(AXE)
    found: dict[str, Any] = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [f"{item['id']}: {node['html']} {node['any'][:1]}" for item in found["violations"] for node in item["nodes"]]


async def fill(page: Page, site: ChatSite) -> None:
    """Bring every kind of thing onto the screen."""
    site.bot.script = lambda _message: say("See https://example.com or tap.", ORDERS, HOURS)
    await open_chat(page)
    await write(page, "hello")
    await expect(page.get_by_role("button", name=ORDERS.title, exact=True)).to_be_visible()
    address = site.bot.messages[0].address
    await site.bot.tell(address, OutboundMessage(author=Author.SYSTEM, text="Sam is with you now."))
    await site.bot.tell(
        address, OutboundMessage(author=Author.AGENT, author_name="Sam", text="Hi, https://example.com")
    )
    await expect(page.get_by_text("Sam from")).to_be_visible()
    site.hub.typing(address.external_id)
    await page.locator("input[type=file]").set_input_files(text_file("note.txt"))
    await expect(page.locator(".note")).to_have_text("1 kB")
    await page.get_by_role("button", name="Start a new chat").click()


async def test_the_brands_page_has_no_barriers(page: Page) -> None:
    """axe-core finds nothing on the page, with the list of sample customers open."""
    assert await violations(page) == []
    await page.get_by_text("Be a sample customer").click()
    assert await violations(page) == []


@pytest.mark.parametrize("accent", ["#1f4a3d", "#d98a55", "#ffe14d", "#777777", "#000000", "#ffffff"])
@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_the_widget_has_no_barriers_in_any_colour(
    browser: Browser, site: ChatSite, accent: str, theme: str
) -> None:
    """Labels, roles and contrast hold whatever accent a site picks, by day and by night."""
    context = await browser.new_context(viewport={"width": 900, "height": 900}, reduced_motion="reduce")
    page = await context.new_page()
    query = urlencode(
        {"title": "Copperleaf", "accent": accent, "theme": theme, "privacy": "https://example.com/privacy"}
    )
    await page.goto(f"{site.url}/bare?{query}")
    await fill(page, site)
    found = [line for line in await violations(page) if "<h1>" not in line]
    await context.close()
    assert found == []


async def test_new_messages_are_announced_and_old_ones_are_not(page: Page) -> None:
    """The log is a polite live region, silent while the history is put into it."""
    await open_chat(page)
    await write(page, "one")
    await expect(page.locator(".bot .bubble", has_text="one")).to_be_visible()
    await expect(page.get_by_role("log")).to_have_attribute("aria-live", "polite")
    await page.reload()
    await expect(page.get_by_role("log")).to_have_attribute("aria-live", "off")
    await expect(page.get_by_role("log")).to_have_attribute("aria-live", "polite")


async def test_motion_stops_for_those_who_ask(browser: Browser, site: ChatSite) -> None:
    """With reduced motion nothing in the widget is animated."""
    context = await browser.new_context(reduced_motion="reduce")
    page = await context.new_page()
    await page.goto(site.url)
    await open_chat(page)
    every = "[...document.querySelector('#tandem-chat').shadowRoot.querySelectorAll('*')]"
    names = await page.evaluate(f"{every}.map((node) => getComputedStyle(node).animationName)")
    assert set(names) == {"none"}
    await context.close()
