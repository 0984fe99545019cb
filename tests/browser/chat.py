"""What a visitor does with the widget, and what they see of it."""

from __future__ import annotations

from playwright.async_api import FilePayload, Page, expect


async def open_chat(page: Page) -> None:
    """Tap the launcher; the visitor can write at once."""
    await page.locator(".launcher").click()
    await expect(page.get_by_label("Message", exact=True)).to_be_focused()


async def write(page: Page, text: str) -> None:
    """Write a message and send it."""
    await page.get_by_label("Message", exact=True).fill(text)
    await page.keyboard.press("Enter")


async def shown(page: Page) -> list[str]:
    """Return the texts of all messages, from top to bottom."""
    return await page.locator(".message > .bubble").all_inner_texts()


def text_file(name: str, content: bytes = b"please") -> FilePayload:
    """Return a file to choose."""
    return {"name": name, "mimeType": "text/plain", "buffer": content}
