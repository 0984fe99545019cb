from __future__ import annotations

from dataclasses import replace
from typing import Any

from bot.domain.connectors import Permanent, SendAttachment, Sent
from bot.domain.messages import (
    Attachment,
    AttachmentKind,
    Author,
    Choice,
    InboundMessage,
    MediaId,
    MessageId,
    OutboundMessage,
    Quote,
)
from tests.connectors.line.bench import PICTURE, Bench


async def _shown(stand: Bench, **message: Any) -> list[str]:
    address = stand.text("").address
    operations = stand.connector.plan(OutboundMessage(**{"author": Author.BOT} | message), address)
    assert isinstance(operations, tuple)
    for number, operation in enumerate(operations):
        assert isinstance(await stand.connector.send(operation, f"k{number}"), Sent)
    return [each.text for each in stand.jane.seen]


async def test_longest_text(stand: Bench) -> None:
    """A long text full of emoji is cut into messages that LINE accepts, and nothing of it is lost."""
    text = "🎉 Ünïcödé und mehr 👩‍👩‍👧 🇬🇧👍🏽 " * 600
    texts = await _shown(stand, text=text)

    assert len(texts) > 2
    assert "".join("".join(texts).split()) == "".join(text.split())


async def test_choices_are_tapped(stand: Bench) -> None:
    """A choice comes back as its payload, and the customer's chat shows its whole title as their words."""
    choices = (Choice(title="Yes, cancel it", payload="c_1"), Choice(title="No", payload="c_2"))
    await _shown(stand, text="Shall I cancel it?", choices=choices)
    (event,) = stand.read(stand.line.taps(stand.jane, "Yes, cancel it"))

    assert isinstance(event, InboundMessage)
    assert (event.choice, event.text) == ("c_1", "")
    assert [said for *_, said in stand.jane.seen[0].choices] == ["Yes, cancel it", "No"]


async def test_long_titles(stand: Bench) -> None:
    """Titles that are too long for LINE's labels are read in full in the text, and tapped by number."""
    titles = ["A refund to the card that was charged 💳", "A voucher for the same amount 🎁"]
    choices = tuple(Choice(title=title, payload=f"c_{n}") for n, title in enumerate(titles))
    (text,) = await _shown(stand, text="What would you like?", choices=choices)

    assert all(title in text for title in titles)
    assert [label[:2] for label, *_ in stand.jane.seen[0].choices] == ["1.", "2."]


async def test_the_agent_who_speaks(stand: Bench) -> None:
    """Customers see which agent speaks; a name that LINE refuses is left out."""
    for name in ("Sam", "Caroline", "A name that is much longer than LINE allows"):
        assert isinstance(await stand.connector.send(stand.text("Hi", author_name=name), name), Sent)

    assert [each.sender for each in stand.jane.seen] == ["Sam", "", "A name that is much"]


async def test_pictures_by_address(stand: Bench) -> None:
    """A picture on the open internet is shown; a file that only we keep is named."""
    kept = Attachment(kind=AttachmentKind.IMAGE, name="label.png", size=10, media_id=MediaId("a" * 32))
    (_, text) = await _shown(stand, text="Here", attachments=(PICTURE, kept))

    assert [each.kind for each in stand.jane.seen] == ["image", "text"]
    assert stand.jane.seen[0].url == PICTURE.reference
    assert "label.png" in text


async def test_quote(stand: Bench) -> None:
    """LINE shows what is answered by the token that came with it; a message that brought none is quoted in the text."""
    quote = Quote(
        id=MessageId("a"), author=Author.CUSTOMER, text="is it here", external_id="468789577898262530", token="q3"
    )
    await _shown(stand, text="Yes", quotes=quote)
    await _shown(stand, text="Soon", quotes=replace(quote, token=""))

    first, second = [body["messages"][0] for _, _, body, _ in stand.line.calls]
    assert (first["text"], first["quoteToken"]) == ("Yes", "q3")
    assert second == {"type": "text", "text": "> is it here\nSoon"}


async def test_pictures_that_we_keep(stand: Bench) -> None:
    """A picture that only we keep is shown from its link, a large one with a small one as its preview.

    Whatever LINE has no message for comes as a link to follow.
    """
    url = "https://care.example.com/files/"
    kept = Attachment(kind=AttachmentKind.IMAGE, media_type="image/png", name="a.png", size=10, media_id=MediaId("a"))
    files = (
        replace(kept, link=f"{url}small"),
        replace(kept, link=f"{url}large", size=1_000_001),
        replace(kept, link=f"{url}webp", media_type="image/webp", name="b.webp"),
        replace(kept, link=f"{url}huge", size=10_000_001),
        replace(kept, link=f"{url}pdf", kind=AttachmentKind.FILE, media_type="application/pdf", name="c.pdf"),
    )
    await _shown(stand, text="Here", attachments=files)

    sent = [body["messages"][0] for _, _, body, _ in stand.line.calls]
    assert [(each["originalContentUrl"], each["previewImageUrl"]) for each in sent[:2]] == [
        (f"{url}small", f"{url}small"),
        (f"{url}large", f"{url}large/preview"),
    ]
    assert stand.jane.seen[-1].text == f"Here\nb.webp – {url}webp\na.png – {url}huge\nc.pdf – {url}pdf"


async def test_a_file_that_was_never_planned(stand: Bench) -> None:
    """A file that LINE cannot fetch is refused before any call."""
    operation = SendAttachment(
        address=stand.text("").address, attachment=replace(PICTURE, reference="http://example.com/tea.png")
    )

    assert isinstance(await stand.connector.send(operation, "k1"), Permanent)
    assert stand.line.calls == []
