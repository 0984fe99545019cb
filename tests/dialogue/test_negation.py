"""What messages deny is not answered, through the real understanding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.dialogue.world import LocalActions

CORPUS = Path(__file__).parents[1] / "corpus"
SENTENCES = [
    one
    for name in ("negation", "negation_blind")
    for one in yaml.safe_load((CORPUS / f"{name}.yml").read_text("utf-8"))
]
#: Messages that get an answer to what they deny, of 48 that deny something.
WRONG_MAX = 2
#: Of the messages, so many at least get or are offered what they ask for.
REACHED_MIN = 0.9
#: Topics that are offered to tap at most.
_OFFERED = 3
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning"),
]


def heard(processor: Any, text: str) -> dict[str, Any]:
    """Return what the first message of a conversation is taken for."""
    from bot.engine.hearing import hear
    from bot.engine.tracker import StepTracker

    tracker = StepTracker.from_events("c", [], processor.domain.slots, domain=processor.domain)
    parsed = processor.understand(text, tracker)
    return hear(text, parsed, lambda part: processor.understand(part, tracker), in_form=False)[0]


def offered(parsed: dict[str, Any]) -> list[str]:
    """Return what the customer gets an answer to, or may tap."""
    names = [guess["name"] for guess in parsed["intent_ranking"] if guess["name"] != "nlu_fallback"]
    if parsed["decision"] == "answer":
        return names[:1]
    return names[:_OFFERED] if parsed["decision"] == "clarify" else []


def test_what_a_message_denies_is_not_answered(engine: tuple[Any, LocalActions]) -> None:
    """Hardly a message gets an answer to what it turns down, and nearly all get what they ask for, or may tap it."""
    wrong, missed = [], []
    for one in SENTENCES:
        parsed = heard(engine[0], one["text"])
        got = offered(parsed)
        if parsed["decision"] == "answer" and got[0] == one.get("denied"):
            wrong.append(one["text"])
        if not set(got) & set(one["asked"]):
            missed.append((one["text"], parsed["decision"], got))
    assert len(wrong) <= WRONG_MAX, wrong
    assert len(missed) <= (1 - REACHED_MIN) * len(SENTENCES), missed


def test_what_only_looks_like_a_denial_is_answered_as_before(engine: tuple[Any, LocalActions]) -> None:
    """A message that denies nothing is taken for the same as without any care for denials."""
    from bot.engine.tracker import StepTracker

    processor = engine[0]
    tracker = StepTracker.from_events("c", [], processor.domain.slots, domain=processor.domain)
    for one in SENTENCES:
        if "denied" not in one:
            alone = processor.understand(one["text"], tracker)["intent"]["name"]
            assert heard(processor, one["text"])["intent"]["name"] == alone, one["text"]
