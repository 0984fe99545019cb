"""Names of a lookup table in a text though they are mistyped: "gooseneck kettel", "darjeling"."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from rapidfuzz.distance import OSA

from bot.engine.components.details.found import Found

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
#: Shorter names are too like other words; in each so many letters there may be one slip.
_LEAST_LETTERS, _LETTERS_OF_A_SLIP = 5, 5
_SLIPS_MAX = 2
_PLURALS = ("s", "es", "n", "en")


class NameReader:
    """Finds names in spite of slips."""

    def __init__(self, names: Iterable[str], known: Collection[str]) -> None:
        """Look for `names`; `known` are words that mean themselves, in lower case."""
        self._known = known
        #: by count of words, then by the first letter, in which nobody slips
        self._by_length: dict[int, dict[str, dict[str, str]]] = {}
        for name in names:
            key = " ".join(_WORD.findall(name.lower()))
            if len(key) >= _LEAST_LETTERS:
                self._by_length.setdefault(len(key.split()), {}).setdefault(key[0], {})[key] = name

    def find(self, text: str, entity: str) -> Iterator[Found]:
        """Yield each name that a part of the text comes near to."""
        words = list(_WORD.finditer(text.lower()))
        for length, by_letter in self._by_length.items():
            for first in range(len(words) - length + 1):
                part = words[first : first + length]
                names = by_letter.get(part[0][0][0])
                name = self._nearest([word[0] for word in part], names) if names else None
                if name is not None:
                    yield Found(entity=entity, start=part[0].start(), end=part[-1].end(), value=name)

    def _nearest(self, words: list[str], names: dict[str, str]) -> str | None:
        typed = " ".join(words)
        if typed in names:
            return names[typed]
        if len(typed) < _LEAST_LETTERS:
            return None
        if len(words) == 1 and typed in self._known:
            return next((names[stem] for stem in _stems(typed) if stem in names), None)
        near = [(slips, name) for key, name in names.items() if (slips := self._slips(words, key)) is not None]
        return min(near)[1] if near else None

    def _slips(self, words: list[str], key: str) -> int | None:
        """Return how many slips there are between words and a name; none: it is another name."""
        total = 0
        for word, meant in zip(words, key.split(), strict=True):
            allowed = _slips_in(meant)
            if word == meant:
                continue
            if not allowed or word[0] != meant[0] or (word in self._known and meant not in _stems(word)):
                return None
            slips = OSA.distance(word, meant, score_cutoff=allowed)
            if slips > allowed:
                return None
            total += slips
        return total


def _stems(word: str) -> list[str]:
    """Return what a word may be the plural of."""
    return [word.removesuffix(ending) for ending in _PLURALS if word.endswith(ending)]


def near_words(names: Iterable[str], words: Iterable[str]) -> list[str]:
    """Return those of the words that would be taken for a slip in a name, and are none."""
    parts = {part for name in names for part in _WORD.findall(name.lower()) if len(part) >= _LEAST_LETTERS}
    by_letter: dict[str, list[str]] = defaultdict(list)
    for part in parts:
        by_letter[part[0]].append(part)
    return sorted(
        word
        for word in words
        if word
        and word not in parts
        and any(
            OSA.distance(word, part, score_cutoff=_slips_in(part)) <= _slips_in(part) for part in by_letter[word[0]]
        )
    )


def whole_words(tokenizer: Path) -> set[str]:
    """Return the words that an encoder's word pieces hold whole; none where there is no encoder."""
    if not tokenizer.is_file():
        return set()
    pieces: dict[str, int] = json.loads(tokenizer.read_text("utf-8"))["model"]["vocab"]
    return {piece for piece in pieces if piece.isalpha()}


def _slips_in(name: str) -> int:
    return min(_SLIPS_MAX, len(name) // _LETTERS_OF_A_SLIP)
