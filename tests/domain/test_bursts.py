from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import bursts
from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.messages import TEXT_MAX, Attachment, AttachmentKind, InboundMessage

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
PAUSE = timedelta(seconds=0.8)
ADDRESS = ChannelAddress(channel=ChannelName("test"), account=AccountId("brand"), external_id="ann")
PHOTO = Attachment(kind=AttachmentKind.IMAGE, reference="photo")


def said(text: str, **more: object) -> InboundMessage:
    """Return a message."""
    return InboundMessage(address=ADDRESS, external_id=text[:20], text=text, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["Where is it?", "It broke.", "Hi!", 'He said "no."', "在哪里？", "x" * 120, "Where is it? \n"]
)
def test_whole_texts(text: str) -> None:
    """A text that ends like a sentence, or is long, looks whole."""
    assert bursts.looks_whole(text)


@pytest.mark.parametrize(
    "text", ["hi", "my order", "so I wanted to ask...", "it is:", "well,", "", "104233", "what. now"]
)
def test_beginnings(text: str) -> None:
    """A short text without an end, or one that ends in dots, may go on."""
    assert not bursts.looks_whole(text)


@pytest.mark.parametrize(
    "message",
    [
        said("", choice="key"),
        said("better", edits="m1"),
        said("hello", referral="join-bcdfg23456"),
        said("BCDFG-23456"),
    ],
)
def test_what_is_answered_by_itself(message: InboundMessage) -> None:
    """A tap, an edit and an invitation are pieces of nothing, and end what they stand behind."""
    assert not bursts.is_piece(message)
    assert bursts.fitting(said("a"), [said("b"), message, said("c")]) == 1


def test_pieces_become_one_message() -> None:
    """Pieces are lines of one text, with all their files; a piece without words leaves no empty line."""
    pieces = (said("look", display_name="Ann"), said("", attachments=(PHOTO,)), said("it broke", attachments=(PHOTO,)))
    whole = bursts.joined(pieces)
    assert (whole.text, whole.attachments, whole.display_name) == ("look\nit broke", (PHOTO, PHOTO), "Ann")
    assert whole.external_id == "look"


def test_how_long_the_next_piece_is_waited_for() -> None:
    """Each piece is followed by a pause, and all of them by no more than four."""
    assert bursts.waits_until(NOON, NOON, PAUSE) == NOON + PAUSE
    assert bursts.waits_until(NOON, NOON + PAUSE, PAUSE) == NOON + 2 * PAUSE
    assert bursts.waits_until(NOON, NOON + 10 * PAUSE, PAUSE) == NOON + 4 * PAUSE


@given(st.lists(st.text(max_size=TEXT_MAX // 3), min_size=1, max_size=30))
def test_what_fits_into_one_turn(texts: list[str]) -> None:
    """As many pieces fit as one text may be long, and never more than twenty."""
    head, *behind = [said(text) for text in texts]
    count = bursts.fitting(head, behind)
    assert count + 1 <= bursts.PIECES_MAX
    assert len(bursts.joined((head, *behind[:count])).text) <= TEXT_MAX
