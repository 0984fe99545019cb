"""Finds which of several things a customer means: by its place in the list or by its name, however it is spelt."""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz import fuzz
from rapidfuzz.utils import default_process

from actions.context import TurnContext

#: How alike (of 100) words must be to be taken for a name, and how far ahead of the second best.
_ALIKE = 80.0
_AHEAD = 8.0
#: What the entity `position` says, besides the numbers from 1.
FIRST_IS_NEWEST = "latest"
LAST = "last"


def by_position(context: TurnContext, count: int) -> int | None:
    """Return the index among `count` listed things that the message names by its place, or none."""
    position = context.entity("position")
    if position == FIRST_IS_NEWEST:
        return 0 if count else None
    if position == LAST:
        return count - 1 if count else None
    if position is not None and position.isdigit() and 1 <= int(position) <= count:
        return int(position) - 1
    return None


def by_name(context: TurnContext, labels: Sequence[str]) -> int | None:
    """Return the index of the label that the message names, or none when none or several come near."""
    words = context.entity("product") or context.text
    scores = [_likeness(words, label) for label in labels]
    if not scores:
        return None
    best = max(range(len(scores)), key=scores.__getitem__)
    second = max((score for place, score in enumerate(scores) if place != best), default=0.0)
    return best if scores[best] >= _ALIKE and scores[best] - second >= _AHEAD else None


def is_named(context: TurnContext, label: str) -> bool:
    """Whether a word of the message comes near to one of the label."""
    return _likeness(context.entity("product") or context.text, label) >= _ALIKE


def _likeness(words: str, label: str) -> float:
    """Return how well the best word of `words` and the best of `label` agree, the longer ones counting more."""
    label_words = [word for word in default_process(label).split() if len(word) > 2]
    scores = [
        fuzz.ratio(word, other) + min(len(other), 8) * (fuzz.ratio(word, other) >= _ALIKE)
        for word in default_process(words).split()
        for other in label_words
        if len(word) > 2
    ]
    return max(scores, default=0.0)
