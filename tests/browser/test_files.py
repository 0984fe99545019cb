from __future__ import annotations

import asyncio
import io
from pathlib import Path

from PIL import Image
from playwright.async_api import FilePayload, Page, expect

from bot.domain.messages import Attachment, AttachmentKind, Author, OutboundMessage
from tests.browser.chat import open_chat, text_file, write
from tests.webchat_site import ChatSite, say


def png() -> bytes:
    """Return a small picture."""
    kept = io.BytesIO()
    Image.new("RGB", (320, 200), (180, 96, 44)).save(kept, "PNG")
    return kept.getvalue()


async def test_a_picture_and_a_document_are_sent(page: Page, site: ChatSite, tmp_path: Path) -> None:
    """Chosen files show a preview, go out with the text, and are shown again after a reload."""
    await open_chat(page)
    picture: FilePayload = {"name": "broken mug.png", "mimeType": "image/png", "buffer": png()}
    await page.locator("input[type=file]").set_input_files([picture, text_file("note.txt")])
    await expect(page.locator(".upload")).to_have_count(2)
    await expect(page.locator(".upload canvas")).to_have_count(1)
    await write(page, "see here")
    await expect(page.locator(".bot .bubble", has_text="see here")).to_be_visible()
    await expect(page.locator(".upload")).to_have_count(0)
    sent = site.bot.messages[0]
    assert [(file.kind, file.name, file.media_type) for file in sent.attachments] == [
        (AttachmentKind.IMAGE, "broken mug.png", "image/png"),
        (AttachmentKind.FILE, "note.txt", "text/plain"),
    ]
    await page.reload()
    await expect(page.locator(".customer .file canvas[aria-label='broken mug.png']")).to_be_visible()
    async with page.expect_download() as download:
        await page.get_by_role("button", name="Download note.txt").click()
    saved = await download.value
    await saved.save_as(tmp_path / "saved")
    assert saved.suggested_filename == "note.txt"
    assert await asyncio.to_thread((tmp_path / "saved").read_bytes) == b"please"


async def test_files_can_be_pasted_and_dropped(page: Page, site: ChatSite) -> None:
    """A file that is pasted or dropped is attached like a chosen one, and can be taken off again."""
    site.bot.script = lambda _message: say("thank you")
    await open_chat(page)
    give = """([type, target]) => {
      const data = new DataTransfer();
      data.items.add(new File(['hello'], `${type}.txt`, {type: 'text/plain'}));
      const init = {bubbles: true, cancelable: true, composed: true};
      const event = type === 'paste' ? new ClipboardEvent(type, {...init, clipboardData: data})
        : new DragEvent(type, {...init, dataTransfer: data});
      document.querySelector('#tandem-chat').shadowRoot.querySelector(target).dispatchEvent(event);
    }"""
    await page.evaluate(give, ["paste", "textarea"])
    await page.evaluate(give, ["drop", ".scroller"])
    await expect(page.locator(".upload")).to_have_count(2)
    await page.get_by_role("button", name="Remove drop.txt").click()
    await page.get_by_role("button", name="Send").click()
    await expect(page.get_by_role("button", name="Download paste.txt")).to_be_visible()
    await expect(page.locator(".customer [aria-label='Being answered']")).to_have_count(1)
    assert [file.name for message in site.bot.messages for file in message.attachments] == ["paste.txt"]


async def test_files_that_cannot_be_sent_say_why(page: Page) -> None:
    """Too large, too many, of a kind that is not kept: each has its sentence, and nothing is sent."""
    await open_chat(page)
    chooser = page.locator("input[type=file]")
    await chooser.set_input_files([text_file(f"{n}.txt") for n in range(6)])
    await expect(page.get_by_role("alert")).to_have_text("At most 5 files at a time.")
    for n in range(5):
        await page.get_by_role("button", name=f"Remove {n}.txt").click()
    await page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(10 * 1024 * 1024 + 1)], 'film.mp4', {type: 'video/mp4'}));
          const event = new DragEvent('drop', {bubbles: true, cancelable: true, dataTransfer: data});
          document.querySelector('#tandem-chat').shadowRoot.querySelector('.panel').dispatchEvent(event);
        }"""
    )
    await expect(page.get_by_role("alert")).to_have_text("film.mp4 is larger than 10 MB.")
    script: FilePayload = {
        "name": "page.html",
        "mimeType": "text/html",
        "buffer": b"<!doctype html><script>alert(1)</script>",
    }
    await chooser.set_input_files(script)
    await expect(page.get_by_text("files of this kind are not accepted")).to_be_visible()
    await expect(page.get_by_role("button", name="Send", exact=True)).to_be_disabled()


async def test_an_upload_that_fails_can_be_tried_again(page: Page, site: ChatSite) -> None:
    """A lost connection leaves the file in place with a button that uploads it again."""
    await page.route("**/chat/files", lambda route: route.abort("connectionreset"), times=1)
    site.bot.script = lambda _message: say("thank you")
    await open_chat(page)
    await page.locator("input[type=file]").set_input_files(text_file("note.txt"))
    await page.get_by_role("button", name="Try again").click()
    await expect(page.get_by_text("1 kB")).to_be_visible()
    await page.get_by_role("button", name="Send", exact=True).click()
    await expect(page.locator(".customer [aria-label='Being answered']")).to_have_count(1)
    assert len(site.bot.messages[0].attachments) == 1


async def test_an_agents_picture_is_shown(page: Page, site: ChatSite) -> None:
    """A file that an agent sends is shown to this visitor."""
    await open_chat(page)
    await write(page, "a person please")
    await expect(page.locator(".bot .bubble")).to_have_count(2)
    kept = await site.media.put(png(), Attachment(kind=AttachmentKind.IMAGE, name="new mug.png"))
    message = OutboundMessage(author=Author.AGENT, author_name="Sam", text="Like this?", attachments=(kept,))
    await site.bot.tell(site.bot.messages[0].address, message)
    await expect(page.locator(".agent canvas[aria-label='new mug.png']")).to_be_visible()
    await expect(page.get_by_text("Like this?")).to_be_visible()
