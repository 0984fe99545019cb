"""Drafts that the bot makes for an agent while a person owns the conversation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from bot.domain.messages import MessageId

#: Opaque random hex.
SuggestionId = NewType("SuggestionId", str)


class SuggestionState(StrEnum):
    """What became of a draft."""

    OFFERED = "offered"
    #: sent as it was
    SENT = "sent"
    #: sent after changes
    EDITED = "edited"
    WRONG = "wrong"


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """What the bot would have answered, from records that it only read."""

    id: SuggestionId
    #: the customer's message it answers
    message_id: MessageId
    text: str
    intent: str | None
    confidence: float | None
    state: SuggestionState
    at: datetime
