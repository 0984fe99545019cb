from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.messages import TEXT_MAX
from bot.domain.texts import clean

#: Everything a JSON string can carry: halves of characters too, and much of what does harm.
ANYTHING = st.text(
    st.one_of(
        st.characters(),
        st.characters(categories=["Cs", "Mn", "Cf", "Cc"]),
        st.sampled_from("a\u0301\u0327\u0338e\u202e\u2066\ufeff\u200b\u200d\r\n\t \u1100\u1161\u11a8\u0958"),
    )
)


@pytest.mark.parametrize(
    ("typed", "cleaned"),
    [
        ("  hello \n", "hello"),
        ("a\r\nb\rc\nd\te", "a\nb\nc\nd\te"),
        ("a\x00\x07\x1b[31mb\x7f\x9b", "a[31mb"),
        ("\ud83d\ude00", "😀"),
        ("half \ud83d", "half \ufffd"),
        ("half \ude00 x", "half \ufffd x"),
        ("pay \u202eyenom\u202c", "pay yenom"),
        ("\u2066hidden\u2069 \ufeff\u200bgap", "hidden gap"),
        ("cafe\u0301", "café"),
        ("👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"),
        ("❤\ufe0f", "❤\ufe0f"),
        ("Z" + "\u0336\u0322" * 40, "Z" + "\u0336" * 4),
        ("نَصّ", "نَصّ"),
        ("\u200b\x00 ", ""),
        ("", ""),
    ],
)
def test_texts_are_cleaned(typed: str, cleaned: str) -> None:
    """What harms readers or machines goes, what people write stays."""
    assert clean(typed) == cleaned


@given(ANYTHING)
def test_a_cleaned_text_is_clean(typed: str) -> None:
    """A cleaned text is valid, composed, free of controls and overrides, and stays as it is if cleaned again."""
    cleaned = clean(typed)
    cleaned.encode("utf-8")
    assert clean(cleaned) == cleaned
    assert unicodedata.is_normalized("NFC", cleaned)
    assert cleaned == cleaned.strip()
    assert not set(cleaned) & set("\x00\x1b\r\x7f\x85\u202a\u202e\u2066\u2069\u200b\ufeff")
    marks = 0
    for character in cleaned:
        marks = marks + 1 if unicodedata.combining(character) else 0
        assert marks <= 4


@pytest.mark.parametrize("letter", ["a", "😀", "é", "\u0958"])
def test_a_text_that_is_too_long_is_cut_with_a_mark(letter: str) -> None:
    """Nobody's text is kept beyond the limit, and readers see that it was cut."""
    assert clean(letter * 100)[-1] != "…"
    cut = clean(letter * 1_000_000)
    assert len(cut) == TEXT_MAX
    assert cut.endswith("…")
    assert clean(cut) == cut
