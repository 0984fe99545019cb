from __future__ import annotations

import asyncio

from playwright.async_api import BrowserContext, Page, expect

from bot.domain.messages import Author, OutboundMessage
from tests.browser.chat import open_chat, shown, write
from tests.webchat_site import ChatSite


async def test_what_is_written_offline_goes_out_later(page: Page, context: BrowserContext, site: ChatSite) -> None:
    """Messages written without a network wait, say so, and arrive once, in order, when it is back."""
    await open_chat(page)
    await write(page, "before")
    await expect(page.locator(".bot .bubble", has_text="before")).to_be_visible()
    await context.set_offline(True)
    for text in ("one", "two", "three"):
        await write(page, text)
    await expect(page.get_by_text("You are offline")).to_be_visible()
    await expect(page.locator(".customer [aria-label='Sending']")).not_to_have_count(0)
    assert len(site.bot.messages) == 1
    await context.set_offline(False)
    await expect(page.locator(".bot .bubble", has_text="three")).to_be_visible()
    await expect(page.locator(".customer [aria-label='Being answered']")).not_to_have_count(0)
    await expect(page.get_by_text("You are offline")).to_have_count(0)
    assert [message.text for message in site.bot.messages] == ["before", "one", "two", "three"]


async def test_a_tab_closed_while_offline_loses_nothing(page: Page, context: BrowserContext, site: ChatSite) -> None:
    """A message that was still waiting when its tab was closed is sent by the next tab."""
    await open_chat(page)
    await write(page, "before")
    await expect(page.locator(".bot .bubble", has_text="before")).to_be_visible()
    await context.set_offline(True)
    await write(page, "do not lose me")
    await page.close()
    await context.set_offline(False)
    other = await context.new_page()
    await other.goto(site.url)
    await open_chat(other)
    await expect(other.locator(".bot .bubble", has_text="do not lose me")).to_be_visible()
    assert [message.text for message in site.bot.messages] == ["before", "do not lose me"]


async def test_an_answer_lost_on_the_way_back_doubles_nothing(page: Page, site: ChatSite) -> None:
    """When the service stores a message but its answer is cut off, the widget repeats it and nobody sees it twice."""
    cut = 0

    async def cut_twice(route: object) -> None:
        nonlocal cut
        if cut < 2:
            cut += 1
            await route.fetch()  # type: ignore[attr-defined]
            await route.abort("connectionreset")  # type: ignore[attr-defined]
        else:
            await route.continue_()  # type: ignore[attr-defined]

    await page.route("**/chat/messages", cut_twice)
    await open_chat(page)
    await write(page, "once")
    await expect(page.locator(".bot .bubble", has_text="once")).to_be_visible()
    await write(page, "then")
    await expect(page.locator(".bot .bubble", has_text="then")).to_be_visible()
    assert cut == 2
    assert [message.text for message in site.bot.messages] == ["once", "then"]
    assert (await shown(page)).count("once") == 2  # the visitor's and the bot's


async def test_a_service_that_cannot_store_is_tried_again(page: Page, site: ChatSite) -> None:
    """While the service answers 503 the message shows as not yet sent; it goes out by itself afterwards."""
    site.bot.is_broken = True
    await open_chat(page)
    await write(page, "patience")
    await expect(page.get_by_text("We cannot be reached right now")).to_be_visible()
    await expect(page.locator(".customer [aria-label='Sending']")).to_have_count(1)
    site.bot.is_broken = False
    await expect(page.locator(".bot .bubble", has_text="patience")).to_be_visible(timeout=20_000)
    assert [message.text for message in site.bot.messages] == ["patience"]


async def test_a_message_that_was_shown_but_not_stored_is_kept(
    page: Page, context: BrowserContext, site: ChatSite
) -> None:
    """Every tab says that it is still being sent; after all tabs were closed the next one sends it."""
    await open_chat(page)
    await write(page, "before")
    await expect(page.locator(".bot .bubble", has_text="before")).to_be_visible()
    other = await context.new_page()
    await other.goto(site.url)
    await open_chat(other)
    site.bot.is_broken = True
    await write(page, "precious")
    for tab in (page, other):
        await expect(tab.locator(".customer .bubble", has_text="precious")).to_be_visible()
        await expect(tab.locator(".customer [aria-label='Sending']")).to_have_count(1)
    await page.close()
    await other.close()
    site.bot.is_broken = False
    last = await context.new_page()
    await last.goto(site.url)
    await open_chat(last)
    await expect(last.locator(".bot .bubble", has_text="precious")).to_be_visible()
    assert (await shown(last))[1:] == ["before", "before", "precious", "precious"]
    assert [message.text for message in site.bot.messages] == ["before", "precious"]


async def test_a_refused_message_can_be_tried_again_or_dropped(page: Page, site: ChatSite) -> None:
    """A message the service refuses says why; a tap sends it again, another one drops it."""
    refusals = 2

    async def refuse(route: object) -> None:
        nonlocal refusals
        if refusals:
            refusals -= 1
            await route.fulfill(status=400, json={"error": "malformed", "message": "Too odd."})  # type: ignore[attr-defined]
        else:
            await route.continue_()  # type: ignore[attr-defined]

    await page.route("**/chat/messages", refuse)
    await open_chat(page)
    await write(page, "odd")
    await expect(page.get_by_text("Not sent. Too odd.")).to_be_visible()
    await write(page, "odder")
    await expect(page.get_by_text("Not sent. Too odd.")).to_have_count(2)
    await page.get_by_role("button", name="Remove this message").last.click()
    await expect(page.get_by_text("odder")).to_have_count(0)
    await page.get_by_role("button", name="Tap to try again").click()
    await expect(page.locator(".bot .bubble", has_text="odd")).to_be_visible()
    assert [message.text for message in site.bot.messages] == ["odd"]


async def test_the_stream_goes_on_where_it_was_cut(page: Page, site: ChatSite) -> None:
    """Answers given while the line was down appear after it is back, each once."""
    await open_chat(page)
    await write(page, "good morning")
    await expect(page.locator(".bot .bubble", has_text="good morning")).to_be_visible()
    address = site.bot.messages[0].address
    for n in range(3):
        site.hub.close()
        async with asyncio.timeout(5):
            while site.hub.page_count(address.external_id):  # noqa: ASYNC110 - the hub tells nobody
                await asyncio.sleep(0)
        site.hub._is_closed = False
        await site.bot.tell(address, OutboundMessage(author=Author.BOT, text=f"answer {n}"))
    await expect(page.locator(".bot .bubble", has_text="answer 2")).to_be_visible()
    assert (await shown(page))[-3:] == [f"answer {n}" for n in range(3)]


async def test_a_session_the_service_forgot_is_replaced(page: Page, site: ChatSite) -> None:
    """When the token is no longer known the widget starts a new session and sends what waited."""
    await open_chat(page)
    await write(page, "old")
    await expect(page.locator(".bot .bubble", has_text="old")).to_be_visible()
    await page.evaluate(
        "for (const name of Object.keys(localStorage)) if (name.endsWith(' token')) localStorage[name] = 'A'.repeat(56)"
    )
    await write(page, "new")
    await expect(page.locator(".bot .bubble", has_text="new")).to_be_visible()
    assert [message.text for message in site.bot.messages] == ["old", "new"]
    assert len({message.address for message in site.bot.messages}) == 2
