from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from bot.domain.connectors import SendText, Sent
from bot.domain.messages import Author, OutboundMessage
from tests.browser.chat import open_chat, shown, text_file, write
from tests.webchat_site import HOURS, ORDERS, ChatSite, say


async def test_a_conversation_needs_no_mouse(page: Page, site: ChatSite) -> None:
    """From the launcher to an answer, a quick reply and back to the page, with keys alone."""
    site.bot.script = lambda message: say(f"heard {message.text}", ORDERS, HOURS)
    await page.locator(".launcher").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Message", exact=True)).to_be_focused()
    await page.keyboard.type("one")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("two")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("heard one two")).to_be_visible()
    assert site.bot.messages[0].text == "one\ntwo"
    for _ in range(3):
        await page.keyboard.press("Shift+Tab")
    await expect(page.get_by_role("button", name=ORDERS.title)).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_text(f"heard {ORDERS.title}")).to_be_visible()
    assert site.bot.messages[1].choice == ORDERS.payload
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_be_hidden()
    await expect(page.locator(".launcher")).to_be_focused()


async def test_quick_replies_go_once_they_are_used(page: Page, site: ChatSite) -> None:
    """A choice is sent with its payload, shown as the visitor's words, and cannot be tapped twice."""
    site.bot.script = lambda message: say("which?", ORDERS, HOURS) if message.choice is None else say("done")
    await open_chat(page)
    await write(page, "help")
    await page.get_by_role("button", name=HOURS.title).click()
    await expect(page.get_by_text("done")).to_be_visible()
    await expect(page.locator(".choice:visible")).to_have_count(0)
    assert [(message.text, message.choice) for message in site.bot.messages] == [
        ("help", None),
        (HOURS.title, HOURS.payload),
    ]


async def test_changed_and_taken_back_messages_are_marked(page: Page, site: ChatSite) -> None:
    """What an agent changed says so in its place, what they took back is gone; a reload shows the same."""
    site.bot.script = lambda _: say("heard")
    await open_chat(page)
    await write(page, "hello")
    await expect(page.get_by_text("heard")).to_be_visible()
    address, ids = site.bot.messages[0].address, []
    for n, text in enumerate(("It costs £9", "wrong chat")):
        sent = await site.bot.connector.send(SendText(address=address, text=text, author="agent"), f"agent/{n}")
        assert isinstance(sent, Sent)
        ids.append(sent.external_id)
    await site.bot.connector.edit(SendText(address=address, text="It costs £8"), ids[0], "edit")
    await site.bot.connector.unsend(address, ids[1], "unsend")
    for _ in range(2):
        await expect(page.get_by_text("This message was taken back.")).to_be_visible()
        assert (await shown(page))[-3:] == ["heard", "It costs £8", "This message was taken back."]
        await expect(page.locator(".mark", has_text="edited")).to_be_visible()
        await page.reload()


async def test_suggestions_are_plain_words(page: Page, site: ChatSite) -> None:
    """What the site suggests at the start is sent as if it had been typed."""
    await open_chat(page)
    await page.get_by_role("button", name="When are you open?").click()
    await expect(page.locator(".bot .bubble", has_text="When are you open?")).to_be_visible()
    assert (site.bot.messages[0].text, site.bot.messages[0].choice) == ("When are you open?", None)


async def test_a_reload_shows_everything_again(page: Page) -> None:
    """After a reload the panel is open as before, each message is there once, in order, with its tick."""
    await open_chat(page)
    for text in ("first", "second"):
        await write(page, text)
        await expect(page.locator(".bot .bubble", has_text=text)).to_be_visible()
    before = await shown(page)
    await page.reload()
    await expect(page.locator(".bot .bubble", has_text="second")).to_be_visible()
    assert await shown(page) == before
    await expect(page.locator(".customer [aria-label='Being answered']")).to_have_count(2)


async def test_two_tabs_show_the_same(page: Page, context: BrowserContext, site: ChatSite) -> None:
    """What is written in one tab appears in the other, once, and so do the answers."""
    await open_chat(page)
    await write(page, "from the first")
    await expect(page.locator(".bot .bubble", has_text="from the first")).to_be_visible()
    other = await context.new_page()
    await other.goto(site.url)
    await open_chat(other)
    await expect(other.locator(".bot .bubble", has_text="from the first")).to_be_visible()
    await write(other, "from the second")
    for tab in (page, other):
        await expect(tab.locator(".bot .bubble", has_text="from the second")).to_be_visible()
    assert await shown(page) == await shown(other)
    assert len({message.address for message in site.bot.messages}) == 1


async def test_two_tabs_that_start_together_are_one_visitor(context: BrowserContext, site: ChatSite) -> None:
    """Two tabs whose first messages leave at the same moment share one session."""
    tabs = [await context.new_page() for _ in range(2)]
    for tab in tabs:
        await tab.goto(site.url)
        await open_chat(tab)
    for n, tab in enumerate(tabs):
        await write(tab, f"number {n}")
    for tab in tabs:
        await expect(tab.locator(".bot .bubble", has_text="number 0")).to_be_visible()
        await expect(tab.locator(".bot .bubble", has_text="number 1")).to_be_visible()
    assert len({message.address for message in site.bot.messages}) == 1


async def test_an_agent_is_named_and_reads_are_reported(page: Page, site: ChatSite) -> None:
    """The visitor sees who writes; the agent's message is reported as read once the panel is open."""
    await open_chat(page)
    await write(page, "a person please")
    await expect(page.locator(".bot .bubble")).to_have_count(2)
    await page.keyboard.press("Escape")
    message = OutboundMessage(author=Author.AGENT, author_name="Sam", text="Hello, Sam here")
    await site.bot.tell(site.bot.messages[0].address, message)
    await expect(page.get_by_label("Chat with us, 1 unread message")).to_be_visible()
    assert site.bot.receipts == []
    await open_chat(page)
    await expect(page.get_by_text("Sam from Copperleaf")).to_be_visible()
    await expect(page.get_by_text("You are talking with Sam")).to_be_visible()
    async with page.expect_response("**/chat/messages"):
        await page.keyboard.press("Escape")
        await site.bot.tell(site.bot.messages[0].address, message)
        await open_chat(page)
    assert len(site.bot.receipts) == 2


async def test_a_new_chat_starts_from_nothing(page: Page, site: ChatSite) -> None:
    """After "new chat" nothing of the old one is shown, and the next message is another visitor's."""
    await open_chat(page)
    await write(page, "secret")
    await expect(page.locator(".bot .bubble", has_text="secret")).to_be_visible()
    await page.get_by_role("button", name="Start a new chat").click()
    await page.get_by_role("button", name="New chat", exact=True).click()
    await expect(page.get_by_text("secret")).to_have_count(0)
    await write(page, "again")
    await expect(page.locator(".bot .bubble", has_text="again")).to_be_visible()
    assert len({message.address for message in site.bot.messages}) == 2


async def test_it_fits_a_phone(browser: Browser, site: ChatSite) -> None:
    """On a phone the panel covers the screen, nothing scrolls sideways, and Tab stays inside."""
    context = await browser.new_context(
        viewport={"width": 360, "height": 640}, has_touch=True, is_mobile=True, reduced_motion="reduce"
    )
    page = await context.new_page()
    await page.goto(site.url)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    await page.locator(".launcher").tap()
    box = await page.get_by_role("dialog").bounding_box()
    assert box == {"x": 0, "y": 0, "width": 360, "height": 640}
    await write(page, "w" * 300)
    await expect(page.locator(".bot .bubble")).to_have_count(2)
    assert await page.locator(".scroller").evaluate("(node) => node.scrollWidth <= node.clientWidth")
    for _ in range(12):
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.id") == "tandem-chat"
    await page.get_by_role("button", name="Close chat").tap()
    await expect(page.locator(".launcher")).to_be_visible()
    await context.close()


@pytest.mark.parametrize(("text", "direction"), [("שלום, איפה ההזמנה שלי?", "rtl"), ("where is it? 🫖", "ltr")])
async def test_writing_runs_its_own_way(page: Page, text: str, direction: Any) -> None:
    """Right-to-left messages are set from right to left, in the same chat."""
    await open_chat(page)
    await write(page, text)
    bubble = page.locator(".customer .bubble")
    await expect(bubble).to_have_text(text)
    assert await bubble.evaluate("(node) => node.matches(':dir(rtl)') ? 'rtl' : 'ltr'") == direction


async def test_it_works_on_another_site(context: BrowserContext, site: ChatSite) -> None:
    """A listed site embeds the chat with one script: messages, files, answers and a reload work across origins."""
    page = await context.new_page()
    await page.goto(f"{site.brand_url}/bare?base={site.url}&title=Brand&name=Priya")
    await open_chat(page)
    await page.locator("input[type=file]").set_input_files(text_file("note.txt"))
    await write(page, "from elsewhere")
    await expect(page.locator(".bot .bubble", has_text="from elsewhere")).to_be_visible()
    await page.reload()
    await expect(page.locator(".bot .bubble", has_text="from elsewhere")).to_be_visible()
    assert [(message.display_name, len(message.attachments)) for message in site.bot.messages] == [("Priya", 1)]


async def test_an_unlisted_site_gets_nothing(context: BrowserContext, site: ChatSite) -> None:
    """Where the origin is not allowed nothing is sent, and the message stays where it was written."""
    page = await context.new_page()
    await page.goto(site.brand_url.replace("localhost", "unlisted.localhost") + f"/bare?base={site.url}")
    await open_chat(page)
    await write(page, "let me in")
    await expect(page.locator(".customer [aria-label='Sending']")).to_have_count(1)
    await expect(page.get_by_role("status").filter(has_text="Reconnecting")).to_be_visible()
    assert site.bot.messages == []


async def test_the_sites_words_replace_ours(context: BrowserContext, site: ChatSite) -> None:
    """A site speaks its own language, and any of its buttons may open the chat."""
    page = await context.new_page()
    await page.add_init_script("window.tandemChat = {words: {placeholder: 'Schreiben Sie uns …', send: 'Senden'}}")
    await page.goto(site.url)
    await page.get_by_role("button", name="Ask us anything").click()
    await expect(page.get_by_placeholder("Schreiben Sie uns …")).to_be_focused()
    await expect(page.get_by_role("button", name="Senden")).to_be_visible()


async def test_a_german_page_has_a_german_chat(context: BrowserContext, site: ChatSite) -> None:
    """The widget speaks the language of the page, refusals too, and the bot hears which one it is."""
    page = await context.new_page()
    await page.goto(f"{site.brand_url}/bare?base={site.url}&title=Brand&language=de-AT")
    await page.get_by_role("button", name="Chat öffnen").click()
    await expect(page.get_by_placeholder("Nachricht schreiben …")).to_be_focused()
    await page.locator("input[type=file]").set_input_files(text_file("leer.txt", b""))
    await expect(page.get_by_text("Die Datei ist leer.")).to_be_visible()
    await page.get_by_role("button", name="leer.txt entfernen").click()
    await page.keyboard.insert_text("Hallo")
    await page.get_by_role("button", name="Senden").click()
    await expect(page.locator(".bot .bubble", has_text="Hallo")).to_be_visible()
    assert [message.language for message in site.bot.messages] == ["de-at"]


async def test_both_languages_say_the_same() -> None:
    """Each English word of the widget has a German one, and no other has."""
    static = files("connectors.webchat") / "static"
    english, german = (
        set(re.findall(r"^  (\w+):", (static / name).read_text("utf-8"), re.MULTILINE))
        for name in ("words.js", "words.de.js")
    )
    assert english == german
