"""Steps as the pinned Rasa ran them, replayed. To record them anew, delete the file and run the test twice."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from bot.engine.processor import StepProcessor
from bot.engine.step import step
from tests.engine.conftest import Actions, Talk

RECORDED = Path(__file__).parent / "recorded_steps.json"

#: Choices and events of the desk. Choices need no understanding, so nothing here differs from machine to machine.
SCRIPT: list[dict[str, Any]] = [
    {"intent": "greet"},
    {"intent": "return_start"},
    {"intent": "inform", "entities": {"order_number": "CL-104233"}},
    {"intent": "opening_hours"},
    {"intent": "nevermind"},
    {"intent": "order_cancel"},
    {"intent": "nlu_fallback"},
    {"intent": "affirm"},
    {"intent": "order_status"},
    {"events": [{"event": "pause"}], "intent": "greet"},
    {"events": [{"event": "resume"}, {"event": "action", "name": "action_listen"}], "intent": "goodbye"},
    {"intent": "greet", "channel": "telegram"},
]


async def play(processor: StepProcessor) -> list[dict[str, Any]]:
    """Run the script and return each outcome without what differs from run to run."""
    talk, outcomes = Talk(processor), []
    for line in SCRIPT:
        talk.events = [*talk.events, *line.get("events", [])]
        intent = {"name": line["intent"], "entities": line.get("entities", {})}
        request = talk.request(line["intent"], intent=intent, channel=line.get("channel", "web"))
        outcome = json.loads(json.dumps(await step(processor, request)))
        talk.events = [*talk.events, *outcome["events"]]
        talk.turns += 1
        outcome.pop("model_id")
        outcomes.append(_lasting(outcome))
    return outcomes


def _lasting(value: Any) -> Any:
    """Drop moments and identities, which differ from run to run."""
    if isinstance(value, dict):
        return {key: _lasting(inner) for key, inner in value.items() if key not in {"timestamp", "model_id"}}
    return [_lasting(inner) for inner in value] if isinstance(value, list) else value


async def test_recorded_steps_still_run_the_same(processor: StepProcessor, actions: Actions) -> None:
    """Every event, answer, slot and action of the recorded dialogue comes out of the pinned Rasa as it did."""
    outcomes = await play(processor)
    if not RECORDED.exists():
        await asyncio.to_thread(RECORDED.write_text, json.dumps(outcomes, indent=1) + "\n", "utf-8")
        pytest.fail("recorded anew: read what changed, then run again")
    assert outcomes == json.loads(RECORDED.read_text("utf-8"))
    assert [call["next_action"] for call in actions.calls] == ["action_order_status"]
    assert set(actions.calls[0]) == {"next_action", "sender_id", "tracker", "domain_digest", "version"}
