"""How a customer seems to feel, from what the bot understood of their last messages; a word for people, no verdict."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum

#: Messages that are looked back on, and for how long before the customer's last one.
LOOKED_BACK = 5
LOOKED_BACK_FOR = timedelta(hours=24)


class Mood(StrEnum):
    """How a customer seems to feel."""

    ANGRY = "angry"
    UNHAPPY = "unhappy"
    THANKFUL = "thankful"
    PLEASED = "pleased"


#: What an intent tells; the others tell nothing.
_TOLD_BY = {
    "express_anger": Mood.ANGRY,
    "complaint": Mood.UNHAPPY,
    "thank": Mood.THANKFUL,
    "praise": Mood.PLEASED,
}


def mood(intents: Sequence[str | None]) -> Mood | None:
    """Return what the newest of the last intents that tells anything tells; none: nobody knows. Oldest first."""
    told = [_TOLD_BY[intent] for intent in intents[-LOOKED_BACK:] if intent in _TOLD_BY]
    return told[-1] if told else None
