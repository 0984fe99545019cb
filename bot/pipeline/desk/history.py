"""What a ticket's history says of an act."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from bot.domain.acts import (
    Act,
    Amend,
    Assign,
    Claim,
    HandBack,
    LinkCustomer,
    Note,
    Promise,
    Reply,
    ReplyElsewhere,
    Resolve,
    SetPriority,
    SetTags,
    Snooze,
    Transfer,
)

_NAMES: dict[type[Act], str] = {Claim: "claimed", Resolve: "resolved", HandBack: "handed_back"}


def name_of(act: Act) -> str:
    """Return the kind of the line in the history: `claimed`, `set_priority`."""
    return _NAMES.get(type(act)) or re.sub(r"(?<!^)(?=[A-Z])", "_", type(act).__name__).lower()


def words_of(act: Act) -> str:
    """Return what the line says besides who did it; empty when the name says all."""
    words = _WORDS.get(type(act))
    return words(act) if words else ""


def _joined(what: str, remark: str) -> str:
    return f"{what}: {remark.strip()}" if remark.strip() else what


def _moment(at: datetime) -> str:
    return f"{at:%d %b, %H:%M} UTC"


_WORDS: dict[type[Act], Callable[[Any], str]] = {
    Note: lambda act: act.text.strip(),
    ReplyElsewhere: lambda act: act.text.strip(),
    Reply: lambda act: act.text.strip(),
    Amend: lambda act: (act.text or "").strip(),
    Resolve: lambda act: act.outcome.strip(),
    HandBack: lambda act: act.outcome.strip(),
    Assign: lambda act: _joined(f"to {act.agent.name}", act.remark),
    Transfer: lambda act: _joined(f"to {act.team}", act.remark),
    Snooze: lambda act: f"until {_moment(act.until)}",
    SetPriority: lambda act: act.priority.value,
    SetTags: lambda act: ", ".join(act.tags),
    Promise: lambda act: f"{act.text.strip()} (by {_moment(act.due_at)})",
    LinkCustomer: lambda act: act.evidence.strip(),
}
