from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.connectors import Permanent, SendAttachment, Sent
from bot.domain.messages import Attachment, AttachmentKind, Author, Choice, OutboundMessage
from connectors.discord.payloads import buttons
from tests.connectors.discord.bench import Bench, asks_in_public


async def _shown(stand: Bench, **message: Any) -> list[str]:
    operations = stand.connector.plan(OutboundMessage(**{"author": Author.BOT} | message), stand.address)
    assert isinstance(operations, tuple)
    for number, operation in enumerate(operations):
        assert isinstance(await stand.connector.send(operation, f"k{number}"), Sent)
    return [each["content"] for each in stand.jane.seen]


async def test_text(stand: Bench) -> None:
    """A text arrives as it is, calls nobody, shows no previews, and Discord's name of it is what we keep."""
    result = await stand.connector.send(stand.text("@everyone it left today: https://example.com"), "k1")

    (seen,) = stand.jane.seen
    assert seen["content"] == "@everyone it left today: https://example.com"
    assert seen["allowed_mentions"] == {"parse": [], "replied_user": False}
    assert result == Sent(external_id=seen["id"])
    assert stand.discord.calls[-1][2]["flags"] == 4


async def test_quote(stand: Bench) -> None:
    """Discord shows which message is answered, and sends all the same where it is gone."""
    await stand.connector.send(replace(stand.text("Yes"), quotes="1450000000000000001"), "k1")

    told = stand.discord.calls[-1][2]["message_reference"]
    assert told == {"message_id": "1450000000000000001", "fail_if_not_exists": False}


async def test_longest_text(stand: Bench) -> None:
    """A long text full of emoji is cut into messages that Discord accepts, and nothing of it is lost."""
    text = "🎉 Ünïcödé und mehr 👩‍👩‍👧 🇬🇧👍🏽 " * 300
    texts = await _shown(stand, text=text)

    assert len(texts) > 2
    assert "".join("".join(texts).split()) == "".join(text.split())


@pytest.mark.parametrize(("count", "rows"), [(1, 1), (5, 5), (6, 3), (10, 5), (25, 5), (26, 0)])
async def test_choices(stand: Bench, count: int, rows: int) -> None:
    """Choices are buttons, as few in a row as the rows allow; too many are written out."""
    choices = tuple(Choice(title=f"Order CL-{104_000 + n}", payload=f"c_{n}") for n in range(count))
    texts = await _shown(stand, text="Which one?", choices=choices)

    shown = stand.jane.seen[0]["components"]
    assert len(shown) == rows
    if rows:
        assert [each["custom_id"] for row in shown for each in row["components"]] == [each.payload for each in choices]
    else:
        assert all(each.title in texts[0] for each in choices)


def test_long_titles() -> None:
    """Titles that are too long for a button are numbered and cut."""
    rows: Any = buttons((Choice(title="🍵" * 41, payload="a"), Choice(title="No", payload="b")))
    labels = [button["label"] for row in rows for button in row["components"]]

    assert [label[:4] for label in labels] == ["1. 🍵", "2. N"]
    assert len(labels[0].encode("utf-16-le")) // 2 <= 80


@pytest.mark.parametrize("media_type", ["image/png", "audio/ogg", "video/mp4", "application/pdf", ""])
async def test_files_go_out(stand: Bench, media_type: str) -> None:
    """A file that we keep arrives byte for byte under its name."""
    kept = await stand.media.put(
        bytes(range(256)) * 50, Attachment(kind=AttachmentKind.FILE, name='re"ceipt.bin', media_type=media_type)
    )
    result = await stand.connector.send(SendAttachment(address=stand.address, attachment=kept), "k1")

    (seen,) = stand.jane.seen
    (file,) = seen["attachments"]
    assert isinstance(result, Sent)
    assert stand.discord.files[file["id"]] == bytes(range(256)) * 50


async def test_files_by_address(stand: Bench) -> None:
    """A picture that only has an address is shown by Discord itself."""
    picture = Attachment(kind=AttachmentKind.IMAGE, reference="https://example.com/tea.png")
    await stand.connector.send(SendAttachment(address=stand.address, attachment=picture), "k1")

    assert stand.jane.seen[0]["content"] == "https://example.com/tea.png"


async def test_files_that_are_gone(stand: Bench) -> None:
    """A file that is no longer kept, or never was, is refused before any call."""
    kept = await stand.media.put(b"x", Attachment(kind=AttachmentKind.FILE, name="x"))
    stand.media.files.clear()
    for attachment in (kept, Attachment(kind=AttachmentKind.FILE)):
        result = await stand.connector.send(SendAttachment(address=stand.address, attachment=attachment), "k1")
        assert isinstance(result, Permanent)
    assert stand.discord.calls == []


async def test_answers_in_public(stand: Bench) -> None:
    """In public an answer names the message that it answers, has no buttons, and calls its writer alone."""
    asked = await asks_in_public(stand, "do you ship to Cork?")
    message = OutboundMessage(
        author=Author.AGENT,
        text="Which one?",
        choices=(Choice(title="A", payload="a"),),
        reply_context=asked.reply_context,
    )
    (operation,) = stand.public.plan(message, asked.address)  # type: ignore[misc]
    assert isinstance(await stand.public.send(operation, "k1"), Sent)

    seen = stand.support.messages[-1]
    assert seen["content"] == "Which one?\n1. A"
    assert seen["message_reference"]["message_id"] == asked.external_id
    assert seen["allowed_mentions"] == {"parse": [], "replied_user": True}
