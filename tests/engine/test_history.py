from __future__ import annotations

from typing import Any

import pytest

from bot.dialogue.memory import recall
from bot.engine.processor import StepProcessor
from bot.engine.step import step
from tests.engine.conftest import Talk

#: Forms that end, are dropped, are interrupted, are switched and meet nonsense; questions between them.
SCRIPT = (
    "hello", "when do you close", "I want to return something", "what time do you open", "CL-104233", "never mind",
    "cancel my order", "qwzx blorp", "no", "where is my order", "what is the capital of france", "return please",
    "the lid is broken", "hi", "cancel my order", "yes", "bye", "hello", "I want to return something", "never mind",
    "where is my order", "cancel order 104871", "what time do you close", "yes", "what is the capital of france",
    "flurb", "return order 104871", "it leaks", "hello", "return please", "opening times please", "never mind",
    "cancel my order", "no", "where is my parcel and what time do you close?", "goodbye",
)  # fmt: skip


@pytest.mark.parametrize("kept", [10, 5, 3, 2, 1])
async def test_a_shortened_history_changes_nothing(processor: StepProcessor, kept: int) -> None:
    """With only the last turns and the state before them the bot says and does what it does with the whole dialogue."""
    whole, shortened = Talk(processor), Talk(processor)
    turns: list[dict[str, Any]] = []
    for text in SCRIPT:
        request = shortened.request(text)
        before = turns[-kept - 1] if len(turns) > kept else None
        state = {"slots": before["slots"], "active_loop": before["active_loop"]} if before else None
        events = recall(state, [turn["events"] for turn in turns[-kept:]])
        outcome = await step(processor, shortened.request(text, events=events, message_id=request.message_id))
        expected = await whole.say(text)
        shortened.turns += 1
        turns.append(outcome)
        for field in ("answers", "actions", "slots", "active_loop", "fallback", "parts"):
            assert outcome[field] == expected[field], (text, field)
