from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bot.domain.connectors import Permanent, Refusal, SendText, Sent
from bot.domain.messages import Attachment, AttachmentKind, Author, Choice, InboundMessage, MediaId, OutboundMessage
from connectors.meta.whatsapp_payloads import BLANK_MAX, recipient
from tests.connectors.meta.bench import Bench, bench


@pytest.fixture
async def stand() -> AsyncIterator[Bench]:
    """A fake Graph API, a customer and our connector."""
    async with bench("whatsapp") as made:
        yield made


@pytest.mark.parametrize(
    ("customer", "named"),
    [
        ("GB.13491208655302741918", {"recipient": "GB.13491208655302741918"}),
        ("US.ENT.11815799212886844830", {"recipient": "US.ENT.11815799212886844830"}),
        ("353861234567", {"to": "353861234567"}),
    ],
)
def test_forms_of_identity(customer: str, named: dict[str, str]) -> None:
    """A customer is named by the user id, and by the phone number where we know nothing else."""
    assert recipient(customer) == {"messaging_product": "whatsapp", "recipient_type": "individual", **named}


async def test_customer_with_a_number_only(stand: Bench) -> None:
    """A customer known by a phone number gets messages there."""
    stand.graph.person("353861234567")
    operation = replace(stand.text("hello"), address=replace(stand.address, external_id="353861234567"))

    assert isinstance(await stand.connector.send(operation, "key"), Sent)
    assert stand.graph.people["353861234567"].seen[0].text == "hello"


@pytest.mark.parametrize(
    ("media_type", "shown_as"),
    [
        ("image/png", "image"),
        ("image/webp", "document"),
        ("image/gif", "document"),
        ("audio/ogg", "audio"),
        ("audio/wav", "document"),
        ("video/mp4", "video"),
        ("video/webm", "document"),
        ("application/pdf", "document"),
        ("", "document"),
    ],
)
async def test_file(stand: Bench, media_type: str, shown_as: str) -> None:
    """A file is shown as what it is where WhatsApp can, and as a document with its name otherwise."""
    result = await stand.connector.send(await stand.file(b"tea", media_type, 'Rechnung № "1".pdf'), "key")

    (seen,) = stand.jane.seen
    assert isinstance(result, Sent)
    assert (seen.kind, seen.content) == (shown_as, b"tea")
    assert seen.name == ('Rechnung № "1".pdf' if shown_as == "document" else "")


async def test_large_picture(stand: Bench) -> None:
    """A picture above WhatsApp's five megabytes goes as a document."""
    await stand.connector.send(await stand.file(b"x" * 5_000_001, "image/jpeg", "scan.jpg"), "key")

    assert (stand.jane.seen[0].kind, stand.jane.seen[0].name) == ("document", "scan.jpg")


async def test_buttons_or_list(stand: Bench) -> None:
    """Up to three short choices are buttons; more, or longer ones, are rows of a list."""
    for titles in (["Yes", "No", "Later"], ["1", "2", "3", "4"], ["A title of more than twenty"]):
        choices = tuple(Choice(title=title, payload=f"c{n}") for n, title in enumerate(titles))
        await stand.connector.send(stand.text("Which?", *choices), "key")

    assert [body["interactive"]["type"] for body in stand.sent()] == ["button", "list", "list"]


async def test_read_and_typing(stand: Bench) -> None:
    """A message is shown as read once it is taken up, and "typing" below it while an answer is made."""
    message = InboundMessage(address=stand.address, external_id=f"wamid.{stand.jane.id}.1", text="hi")
    await stand.connector.show_typing(stand.address)
    assert stand.jane.signs == []

    await stand.connector.mark_read(message)
    await stand.connector.show_typing(stand.address)
    assert stand.jane.signs == [f"read {message.external_id}", f"read {message.external_id} typing"]


async def test_template_takes_one_short_text(stand: Bench) -> None:
    """After the window a file is named in the text, and what does not fit is refused with a reason."""
    can = stand.connector
    picture = Attachment(kind=AttachmentKind.IMAGE, name="label.png", size=3, media_id=MediaId("a" * 32))
    late = OutboundMessage(author=Author.AGENT, text="Here is the label", attachments=(picture,), is_late=True)
    (operation,) = can.plan(late, stand.address)  # type: ignore[misc]
    assert isinstance(operation, SendText)
    assert "label.png" in operation.text

    refused = can.plan(replace(late, text="tea " * BLANK_MAX), stand.address)
    assert isinstance(refused, Refusal)
    assert str(BLANK_MAX) in refused.reason


async def test_no_template() -> None:
    """Without a template nobody writes after the window, and nothing is sent by mistake."""
    async with bench("whatsapp", template=None) as other:
        assert other.connector.capabilities.people_window is None
        result = await other.connector.send(other.text("hello", is_late=True), "key")
        assert isinstance(result, Permanent)
        assert other.graph.calls == []
