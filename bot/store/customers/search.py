"""Finds names however people spell them: every word typed is held against every word of a name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from itertools import pairwise

from rapidfuzz import fuzz

#: Likeness, from 0 to 100, from which on a name counts as meant; "Brighton" is 67 like "Bristol".
NEAR = 75.0
#: What is this much less like than the best was not meant.
_SPREAD = 12.0
#: A typed word that begins a word of the name is as good as this; shorter beginnings say nothing.
_BEGINNING = 90.0
_BEGINNING_MIN = 4
_TYPED_WORDS_MAX = 12
#: Words that name nothing.
_FILLERS = (
    "a an and any are at buy can do does for get got have i in is it me my near of on one or please sell shop some "
    "stock store still the there to want with you your"
)


def words_of(text: str) -> list[str]:
    """Return the words of a text in plain lower case letters and digits."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower().replace("'", "")
    return re.findall(r"[0-9]+|[a-z]+", plain)


def typed_words(text: str) -> list[str]:
    """Return the words a customer typed without those that name nothing."""
    fillers = set(_FILLERS.split())
    return [word for word in words_of(text[:200]) if word not in fillers][:_TYPED_WORDS_MAX]


def likeness(typed: list[str], name: str, details: str = "") -> float:
    """Return from 0 to 100 how well the typed words name something; a word found only in its details counts less.

    Two neighbours of the name also count as one word: "dragonwell" is "Dragon Well". Longer words weigh more.
    """
    in_name = words_of(name)
    in_name += [first + second for first, second in pairwise(in_name)]
    in_details = words_of(details)
    letter_count = sum(map(len, typed))
    if not letter_count:
        return 0.0
    score = sum(len(word) * max(_best(word, in_name), 0.85 * _best(word, in_details)) for word in typed)
    return score / letter_count


def mentions(typed: list[str], name: str) -> float:
    """Return from 0 to 100 how surely `name` is among the typed words, whatever else they say."""
    likely = (max((_word_likeness(said, word) for said in typed), default=0.0) for word in words_of(name))
    return min(likely, default=0.0)


def nearest(scores: Iterable[float]) -> list[int]:
    """Return the positions of the scores that are near, and about as near as the best; best first, else as given."""
    numbered = list(enumerate(scores))
    least = max(max((score for _, score in numbered), default=0.0) - _SPREAD, NEAR)
    return [position for position, score in sorted(numbered, key=lambda pair: -pair[1]) if score >= least]


def _best(word: str, candidates: list[str]) -> float:
    return max((_word_likeness(word, candidate) for candidate in candidates), default=0.0)


def _word_likeness(typed: str, word: str) -> float:
    if len(typed) >= _BEGINNING_MIN and word.startswith(typed):
        return 100.0 if typed == word else _BEGINNING
    return fuzz.ratio(typed, word)
