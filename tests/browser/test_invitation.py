from __future__ import annotations

from playwright.async_api import Page, expect

from tests.browser.chat import write
from tests.webchat_site import ChatSite

LINK = "join-b7kxr2mq9d"


async def test_a_link_from_public_opens_the_chat_once(page: Page, site: ChatSite) -> None:
    """Who follows an invitation finds the chat open and has said so; loading the page again says nothing more."""
    await page.goto(f"{site.url}?invitation={LINK}")
    await expect(page.locator(".customer .bubble", has_text="followed your invitation")).to_be_visible()
    await expect(page.locator(".bot .bubble", has_text="followed your invitation")).to_be_visible()
    await page.reload()
    await write(page, "good evening")
    await expect(page.locator(".bot .bubble", has_text="good evening")).to_be_visible()
    assert [(message.text, message.referral) for message in site.bot.messages] == [
        ("Hello, I have followed your invitation.", LINK),
        ("good evening", ""),
    ]


async def test_any_other_address_says_nothing(page: Page, site: ChatSite) -> None:
    """What is no invitation of ours is not sent on."""
    await page.goto(f"{site.url}?invitation=<script>")
    await page.locator(".launcher").wait_for()
    assert site.bot.messages == []
