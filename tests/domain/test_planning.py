from __future__ import annotations

import time
import unicodedata

import pytest
import regex  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.connectors import Capabilities, SendAttachment, SendText, TextUnit
from bot.domain.messages import Attachment, AttachmentKind, Author, Choice, OutboundMessage
from bot.domain.planning import measure, plan, split

ADDRESS = ChannelAddress(channel=ChannelName("test"), account=AccountId("a"), external_id="c")
TEXTS = st.text(st.one_of(st.characters(codec="utf-8"), st.sampled_from("ab  \n\n\u0301\u200d\ufe0f😀é")), max_size=300)
UNITS = st.sampled_from(list(TextUnit))


@given(TEXTS, st.integers(min_value=4, max_value=60), UNITS)
def test_pieces_are_the_text(text: str, limit: int, unit: TextUnit) -> None:
    """Joined the pieces are the text; none is empty, and none exceeds the limit as the channel counts."""
    pieces = split(text, limit, unit)
    assert "".join(pieces) == text
    assert all(pieces) or pieces == [""]
    assert all(measure(piece, unit) <= limit for piece in pieces)


@given(st.text(max_size=100), UNITS)
def test_a_text_that_fits_is_one_piece(text: str, unit: TextUnit) -> None:
    """What fits is not cut."""
    assert split(text, 400, unit) == [text]


@given(st.text(st.sampled_from(["e\u0301", "👩\u200d👧", "❤\ufe0f", "x"]).map(lambda part: part[0]), max_size=5), UNITS)
def test_a_limit_of_one_comes_to_an_end(text: str, unit: TextUnit) -> None:
    """A limit below one character gives pieces of one character each."""
    assert "".join(split(text, 1, unit)) == text


@given(st.lists(st.sampled_from(["e\u0301\u0323", "👩\u200d👧", "❤\ufe0f", "x", "é"]), max_size=60))
def test_marks_stay_with_their_character(parts: list[str]) -> None:
    """No piece begins with a mark or a joiner that belongs to the character before it."""
    for piece in split("".join(parts), 12, TextUnit.CHARACTERS)[1:]:
        assert not unicodedata.combining(piece[0])
        assert piece[0] not in "\u200d\ufe0f"


def test_cuts_are_made_where_readers_expect_them() -> None:
    """Paragraphs come before lines, lines before words."""
    text = "one two three four five\nsix seven eight\n\nnine ten eleven twelve"
    assert split(text, 50, TextUnit.CHARACTERS) == [
        "one two three four five\nsix seven eight\n\n",
        "nine ten eleven twelve",
    ]
    assert split(text, 35, TextUnit.CHARACTERS)[0] == "one two three four five\n"
    assert split(text, 20, TextUnit.CHARACTERS)[0] == "one two three four "


@pytest.mark.parametrize(
    ("text", "unit", "length"),
    [
        ("aé😀", TextUnit.CHARACTERS, 3),
        ("aé😀", TextUnit.UTF16, 4),
        ("aé😀", TextUnit.BYTES, 7),
        ("", TextUnit.BYTES, 0),
        ("ae\u0301x", TextUnit.GRAPHEMES, 3),
        ("👩\u200d👩\u200d👧\u200d👦👍🏽❤\ufe0f", TextUnit.GRAPHEMES, 3),
        ("🇬🇧🇫🇷🇬", TextUnit.GRAPHEMES, 3),
        ("🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", TextUnit.GRAPHEMES, 1),
        ("\r\n\n", TextUnit.GRAPHEMES, 2),
        ("a\u200db", TextUnit.GRAPHEMES, 2),
        ("\n\u0301", TextUnit.GRAPHEMES, 2),
    ],
)
def test_texts_are_measured_as_channels_count(text: str, unit: TextUnit, length: int) -> None:
    """Each channel counts in its own unit."""
    assert measure(text, unit) == length


#: Every rule of Unicode's has signs here: controls, marks, joiners, tones, tags, flags, pictures, syllables, numbers.
SIGNS = st.sampled_from(
    "a1\r\n\u200b\u0600\u0301\ufe0f\u20e3\u0903\u102b\u0e33\u200c\u200d\U000e0067\U0001f3fd🇬🇧👩❤✈☎\u1100\u1161각क\u094d"
)


@given(st.text(st.one_of(SIGNS, st.characters(codec="utf-8")), max_size=200))
def test_readers_never_count_more_signs_than_we(text: str) -> None:
    """What we count as so many signs no channel counts as more: they go by Unicode's own rules."""
    assert measure(text, TextUnit.GRAPHEMES) >= len(regex.findall(r"\X", text))


@pytest.mark.parametrize("text", ["🇬🇧" * 4_000, "e\u0301" * 4_000, "a" + "\u0301" * 8_000, "👩\u200d" * 4_000])
def test_long_texts_of_odd_signs_are_cut_at_once(text: str) -> None:
    """A text takes time by its length alone, whatever it is made of."""
    started = time.process_time()
    assert "".join(split(text, 300, TextUnit.GRAPHEMES)) == text
    assert time.process_time() - started < 2


def _message(**values: object) -> OutboundMessage:
    return OutboundMessage(author=Author.AGENT, author_name="Sam", **values)  # type: ignore[arg-type]


def test_a_message_becomes_files_then_texts_then_choices() -> None:
    """Files come first, then the text in pieces, and the choices stand under the last one."""
    choices = (Choice(title="Yes", payload="k1"), Choice(title="No", payload="k2"))
    picture = Attachment(kind=AttachmentKind.IMAGE, name="p.png", size=10)
    capabilities = Capabilities(
        text_max=10, choices_max=2, attachments=frozenset({AttachmentKind.IMAGE}), attachment_max_bytes=10
    )
    operations = plan(_message(text="one two three", choices=choices, attachments=(picture,)), ADDRESS, capabilities)
    assert [type(operation) for operation in operations] == [SendAttachment, SendText, SendText]
    assert [operation.choices for operation in operations if isinstance(operation, SendText)] == [(), choices]
    assert {(operation.author, operation.author_name) for operation in operations} == {("agent", "Sam")}


def test_what_a_channel_cannot_carry_is_written_out() -> None:
    """Choices beyond the limit become a numbered list, and files it cannot carry are named."""
    choices = tuple(Choice(title=f"c{n}", payload=str(n)) for n in range(3))
    files = (
        Attachment(kind=AttachmentKind.FILE, name="invoice.pdf"),
        Attachment(kind=AttachmentKind.IMAGE, name="big.png", size=11),
    )
    capabilities = Capabilities(
        text_max=500, choices_max=2, attachments=frozenset({AttachmentKind.IMAGE}), attachment_max_bytes=10
    )
    (operation,) = plan(_message(text="Which?", choices=choices, attachments=files), ADDRESS, capabilities)
    assert isinstance(operation, SendText)
    assert operation.choices == ()
    assert operation.text.startswith("Which?\n")
    assert "invoice.pdf" in operation.text
    assert "big.png" in operation.text
    assert operation.text.endswith("1. c0\n2. c1\n3. c2")


def test_choices_without_words_are_shown_all_the_same() -> None:
    """A message of choices alone still offers them."""
    choices = (Choice(title="Yes", payload="k1"),)
    (operation,) = plan(_message(choices=choices), ADDRESS, Capabilities(text_max=100, choices_max=2))
    assert isinstance(operation, SendText)
    assert operation.choices == choices
    assert operation.text


def test_a_piece_of_nothing_but_space_needs_no_call() -> None:
    """Channels refuse a message without a visible character, so a long gap in a text is not one."""
    planned = plan(_message(text="before" + " " * 40 + "after"), ADDRESS, Capabilities(text_max=10))
    texts = [operation.text for operation in planned if isinstance(operation, SendText)]
    assert "".join(texts).split() == ["before", "after"]
    assert all(text.strip() for text in texts)


def test_an_empty_message_needs_no_call() -> None:
    """Nothing is sent for nothing."""
    assert plan(_message(), ADDRESS, Capabilities(text_max=100)) == ()


@given(st.lists(st.sampled_from(["👍🏽", "🇬🇧", "🇮🇪", "1\ufe0f\u20e3", "की", "x"]), max_size=60), UNITS)
def test_emoji_stay_whole(parts: list[str], unit: TextUnit) -> None:
    """No piece begins with a skin tone, the second half of a flag, or a vowel sign."""
    joined, ends = "".join(parts), {0}
    for part in parts:
        ends.add(max(ends) + len(part))
    at = 0
    for piece in split(joined, 40, unit):
        assert at in ends
        at += len(piece)


def test_room_for_choices() -> None:
    """Where choices stand below shorter texts only, the rest of the text comes before, and nothing is lost."""
    capabilities = Capabilities(text_max=100, choices_max=3, choices_text_max=30)
    choices = (Choice(title="Yes", payload="y"),)
    text = "word " * 30
    operations = plan(OutboundMessage(author=Author.BOT, text=text, choices=choices), ADDRESS, capabilities)
    texts = [operation for operation in operations if isinstance(operation, SendText)]

    assert "".join(operation.text for operation in texts).split() == text.split()
    assert [bool(operation.choices) for operation in texts] == [False] * (len(texts) - 1) + [True]
    assert measure(texts[-1].text, capabilities.text_unit) <= 30
