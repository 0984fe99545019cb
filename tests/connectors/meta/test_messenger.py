from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.connectors import KnowsNames, SendAttachment, SendText, TextUnit
from bot.domain.messages import Attachment, AttachmentKind, Author, InboundMessage, MediaId, OutboundMessage
from bot.domain.planning import measure
from tests.connectors.meta.bench import Bench, bench


@pytest.fixture(params=["messenger", "instagram"])
async def stand(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    """A fake Graph API, a customer and our connector, for each of the two."""
    async with bench(request.param) as made:
        yield made


async def test_read_and_typing(stand: Bench) -> None:
    """A message is shown as read once it is taken up, and "typing" while an answer is made."""
    await stand.connector.mark_read(InboundMessage(address=stand.address, external_id="m_1", text="hi"))
    await stand.connector.show_typing(stand.address)

    assert stand.jane.signs == ["mark_seen", "typing_on"]


async def test_people_only_with_the_permission(stand: Bench) -> None:
    """People have seven days where Meta allows the app human agents, and a day like the bot elsewhere."""
    assert stand.connector.capabilities.people_window == timedelta(days=7)
    async with bench(stand.channel, has_human_agent=False) as other:
        assert other.connector.capabilities.people_window is None


def _planned(stand: Bench, *attachments: Attachment) -> tuple[list[AttachmentKind], str]:
    message = OutboundMessage(author=Author.AGENT, text="Here", attachments=attachments)
    operations = stand.connector.plan(message, stand.address)
    assert isinstance(operations, tuple)
    files = [each.attachment.kind for each in operations if isinstance(each, SendAttachment)]
    return files, "".join(each.text for each in operations if isinstance(each, SendText))


async def test_instagram_names_what_it_cannot_show() -> None:
    """Instagram shows pictures, sound and film of some types; without a page it has to be able to fetch them."""
    picture = Attachment(
        kind=AttachmentKind.IMAGE, name="tea.png", media_type="image/png", size=10, media_id=MediaId("a" * 32)
    )
    modern = replace(picture, name="tea.webp", media_type="image/webp")
    paper = Attachment(kind=AttachmentKind.FILE, name="label.pdf", size=10, media_id=MediaId("b" * 32))
    async with bench("instagram") as stand:
        files, text = _planned(stand, picture, paper, modern)
        assert (files, "label.pdf" in text, "tea.webp" in text) == ([AttachmentKind.IMAGE], True, True)
    async with bench("instagram", page=None) as stand:
        files, text = _planned(stand, picture, paper)
        assert files == []
        assert "label.pdf" in text
        assert "tea.png" in text


async def test_instagram_counts_bytes() -> None:
    """Instagram's thousand are bytes: texts in other scripts are cut sooner."""
    async with bench("instagram") as stand:
        operations = stand.connector.plan(OutboundMessage(author=Author.BOT, text="чай " * 300), stand.address)
        assert isinstance(operations, tuple)
        texts = [each.text for each in operations if isinstance(each, SendText)]
    assert len(texts) == 3
    assert all(measure(text, TextUnit.BYTES) <= 1000 for text in texts)


async def test_upload_goes_to_the_page() -> None:
    """Instagram's files are uploaded to the linked page, for Instagram."""
    async with bench("instagram") as stand:
        await stand.connector.send(await stand.file(b"tea", "image/png"), "key")
        path, body = next((path, body) for _, path, body in stand.graph.calls if path.endswith("message_attachments"))
    assert path == f"{stand.graph.page_id}/message_attachments"
    assert body["platform"] == "instagram"
    assert body["message"] == {"attachment": {"type": "image", "payload": {"is_reusable": True}}}


@pytest.mark.parametrize(
    ("profile", "name"),
    [
        ({"first_name": "Aoife", "last_name": "O'Brien", "name": "Aoife O'Brien"}, "Aoife O'Brien"),
        ({}, None),
        ({"first_name": 7, "name": 7}, None),
        (None, None),
    ],
)
async def test_name(stand: Bench, profile: dict[str, object] | None, name: str | None) -> None:
    """A customer's name is what Meta says on request; where it does not, there is none, and nothing breaks."""
    stand.jane.profile = profile
    assert isinstance(stand.connector, KnowsNames)

    assert await stand.connector.name_of(stand.address) == name
