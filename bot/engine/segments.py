"""Splits a message that asks two things into the parts that ask one each."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

#: Parts shorter than this many words ask nothing by themselves ("hi", "thanks", "please").
LEAST_WORDS = 2
#: More parts than this are a story, not a list of questions.
MOST_PARTS = 6

# Words that begin a request.
_OPENERS = (
    "also|can|could|do|does|did|how|i|i'd|is|are|please|pls|when|where|what|what's|whats|wheres|which|who|why|will"
    "|would|you|my|tell|cancel|change"
)
_GERMAN_OPENERS = (
    "bitte|geht|gibt|habt|haben|hat|ich|ihr|ist|kann|könnt|können|kommt|liefert|sind|wann|warum|was|welche|wer|wie|wo"
    "|wohin|wurde"
)
# Gaps are narrowed first: at a wide one the border below would be looked for from each of its spaces.
_GAP = re.compile(r"[^\S\r\n]+")
# The end of a sentence (a full stop inside a number or an e-mail address has no space after it), a line break, or an
# "and" before words that begin a request.
_BORDER = re.compile(
    rf"(?<=[.?!…])\s+|[\r\n;]+|,?\s(?:and|also|plus|oh and|&)\s+(?=(?:{_OPENERS})\b)"
    rf"|,?\s(?:und|sowie|außerdem|&)\s+(?=(?:{_GERMAN_OPENERS})\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What understanding made of a piece of text."""

    #: The name of the intent.
    intent: str
    #: Whether it is surely a request that the bot can answer by itself.
    is_question: bool


def clauses(text: str) -> list[str]:
    """Return the parts of a text that could each ask something, in order; where there is one, the whole text."""
    parts = [part.strip(" ,") for part in _BORDER.split(_GAP.sub(" ", text))]
    parts = [part for part in parts if len(part.split()) >= LEAST_WORDS]
    return parts if 1 < len(parts) <= MOST_PARTS else [text]


def questions(text: str, read: Callable[[str], Reading]) -> list[str]:
    """Return the two parts of a text that ask different things the bot can answer, or the whole text.

    Neighbouring parts of one intent stay together ("My parcel is late. It should have come Monday."), and parts that
    say nothing answerable go with the part before them, so no word is lost. Only exactly two sure questions are split.
    """
    groups: list[tuple[str, str]] = []
    leading = ""
    parts = clauses(text)
    if len(parts) == 1:
        return [text]
    for part in parts:
        reading = read(part)
        if reading.is_question and (not groups or groups[-1][0] != reading.intent):
            groups.append((reading.intent, f"{leading} {part}".strip()))
            leading = ""
        elif groups:
            groups[-1] = (groups[-1][0], f"{groups[-1][1]} {part}")
        else:
            leading = f"{leading} {part}".strip()
    if len(groups) != 2 or groups[0][0] == groups[1][0]:
        return [text]
    return [question for _, question in groups]
