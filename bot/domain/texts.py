"""Cleaning what customers type, before anything else sees it."""

from __future__ import annotations

import re
import unicodedata

from bot.domain.messages import TEXT_MAX

#: Control characters except newline and tab; bidirectional overrides; zero-width spaces (joiners stay, for emoji).
_DROPPED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ufeff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_MARKS_MAX = 4
#: Composing sorts the marks of each character, in quadratic time: a long text of marks would hold up the whole service.
_MARKS_SORTED = 32


def clean(text: str) -> str:
    """Return `text` as valid, composed Unicode of at most `TEXT_MAX` characters.

    Lone surrogates become U+FFFD, control characters and bidirectional overrides go, and no character carries more than
    four combining marks. A text that had to be cut ends in an ellipsis.
    """
    valid = text[: TEXT_MAX * 4].encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    valid = valid.replace("\r\n", "\n").replace("\r", "\n")
    composed = unicodedata.normalize("NFC", _with_marks(_MARKS_SORTED, _DROPPED.sub("", valid)))
    cleaned = _with_marks(_MARKS_MAX, composed).strip()
    return cleaned if len(cleaned) <= TEXT_MAX else cleaned[: TEXT_MAX - 1] + "…"


def is_storable(text: str) -> bool:
    """Whether every database holds `text`: it has neither NUL nor lone surrogates."""
    return "\x00" not in text and not _SURROGATE.search(text)


def line(text: str) -> str:
    """Return `text` cleaned, on one line: a name of a person or of a file."""
    return " ".join(clean(text).split())


def _with_marks(at_most: int, text: str) -> str:
    """Return `text` with no more marks on any character."""
    kept: list[str] = []
    mark_count = 0
    for character in text:
        mark_count = mark_count + 1 if unicodedata.combining(character) else 0
        if mark_count <= at_most:
            kept.append(character)
    return "".join(kept)
