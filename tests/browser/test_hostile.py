from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Page, expect

from bot.domain.messages import Author, Choice, OutboundMessage
from tests.browser.chat import open_chat, shown, text_file, write
from tests.browser.payloads import corpus
from tests.webchat_site import ChatSite, say


@pytest.mark.no_cover
async def test_no_text_becomes_a_script(page: Page, site: ChatSite) -> None:
    """Five hundred payloads as texts, names, choices and file names are shown as text: no script, no policy report."""
    payloads = corpus()
    assert len(payloads) > 500
    await open_chat(page)
    await write(page, payloads[0])
    await expect(page.locator(".bot .bubble")).to_have_count(2)
    address = site.bot.messages[0].address
    for n, payload in enumerate(payloads):
        author = (Author.BOT, Author.AGENT, Author.SYSTEM)[n % 3]
        choices = (Choice(title=payload, payload=f"c-{n}"),)
        message = OutboundMessage(author=author, author_name=payload, text=payload, choices=choices)
        await site.bot.tell(address, message)
    await expect(page.locator(".message")).to_have_count(len(payloads) + 3, timeout=30_000)
    assert (await shown(page))[-1] == payloads[-1]
    await page.locator("input[type=file]").set_input_files([text_file(name) for name in payloads[-5:]])
    await expect(page.locator(".upload .note", has_text="kB")).to_have_count(5)
    await page.get_by_role("button", name="Send", exact=True).click()
    await expect(page.locator(".customer .file")).to_have_count(5)
    await page.reload()
    await expect(page.locator(".message")).to_have_count(201)  # the last ones, and the greeting
    await asyncio.gather(*(link.hover(force=True) for link in (await page.locator(".bubble a").all())[:3]))
    assert await page.evaluate("window.owned") is None
    inside = "document.querySelector('#tandem-chat').shadowRoot.querySelectorAll('script, iframe, img, video, object')"
    assert await page.evaluate(f"{inside}.length") == 0


async def test_only_web_addresses_become_links(page: Page, site: ChatSite) -> None:
    """Addresses of http and https are links that give nothing away; punctuation around them stays text."""
    text = (
        "see (https://example.com/a_(b)), http://example.org/x?y=1&z=2. javascript:alert(1) ftp://example.com www.x.com"
    )
    site.bot.script = lambda _message: say(text)
    await open_chat(page)
    await write(page, "links")
    links = page.locator(".bot .bubble a")
    await expect(links).to_have_count(2)
    assert [await link.get_attribute("href") for link in await links.all()] == [
        "https://example.com/a_(b)",
        "http://example.org/x?y=1&z=2",
    ]
    assert await links.first.get_attribute("rel") == "noopener noreferrer nofollow"
    assert (await shown(page))[-1] == text


async def test_a_hostile_style_sheet_does_not_reach_it(page: Page, site: ChatSite) -> None:
    """A page that colours everything red and hides buttons leaves the widget as it is, and it leaves the page."""
    await page.goto(f"{site.url}/bare?title=Bare")
    await open_chat(page)
    await write(page, "fine")
    await expect(page.locator(".bot .bubble", has_text="fine")).to_be_visible()
    colour = "(node) => getComputedStyle(node).color"
    assert await page.locator(".bot .bubble").first.evaluate(colour) != "rgb(255, 0, 0)"
    assert await page.locator("h1").evaluate(colour) == "rgb(255, 0, 0)"
    assert await page.evaluate("Object.keys(window).filter((name) => /tandem|widget|wire|outbox/i.test(name))") == []
