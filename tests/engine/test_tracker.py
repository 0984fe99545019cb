from __future__ import annotations

from typing import Any

from rasa.shared.core.events import ActionExecuted, Event, SlotSet
from rasa.shared.core.trackers import DialogueStateTracker

from bot.engine.processor import StepProcessor
from bot.engine.tracker import StepTracker
from tests.engine.conftest import Talk

#: Choices that open a form, leave it, come back, and end it; no text, so nothing needs the encoder.
WAYS: list[list[dict[str, Any]]] = [
    [{"name": "greet"}, {"name": "order_status"}, {"name": "goodbye"}],
    [
        {"name": "return_start"},
        {"name": "inform", "entities": {"order_number": "CL-104233"}},
        {"name": "opening_hours"},
        {"name": "inform", "entities": {"return_item": "tea"}},
        {"name": "greet"},
    ],
    [{"name": "order_cancel"}, {"name": "nevermind"}, {"name": "nlu_fallback"}, {"name": "affirm"}],
]


async def _events(processor: StepProcessor, intents: list[dict[str, Any]]) -> list[Event]:
    talk = Talk(processor)
    for intent in intents:
        await talk.say(intent["name"], intent=intent)
    return [Event.from_parameters(raw) for raw in talk.events]


def _seen(tracker: DialogueStateTracker) -> dict[str, Any]:
    state = tracker.current_state()
    return {key: value for key, value in state.items() if key != "followup_action"}


async def test_states_are_those_of_a_replay(processor: StepProcessor) -> None:
    """After each event, the states asked for one after the other are those that Rasa's own tracker replays."""
    for intents in WAYS:
        events = await _events(processor, intents)
        kept = StepTracker("c", processor.domain.slots)
        plain = DialogueStateTracker("c", processor.domain.slots)
        for event in events:
            kept.update(event, processor.domain)
            plain.update(event, processor.domain)
            states = kept.past_states(processor.domain)
            assert states == plain.past_states(processor.domain)
            # What asks for them changes them.
            for state in states:
                for part in state.values():
                    part.clear()
        assert len(states) > len(intents)


async def test_copy_is_that_of_a_replay(processor: StepProcessor) -> None:
    """At any event a copy is what a replay would give, and goes its own way from there."""
    for intents in WAYS:
        tracker = StepTracker("c", processor.domain.slots)
        plain = DialogueStateTracker("c", processor.domain.slots)
        for event in await _events(processor, intents):
            tracker.update(event, processor.domain)
            plain.update(event, processor.domain)
            before = _seen(tracker)
            twin = tracker.copy()
            assert _seen(twin) == _seen(plain.copy()) == before
            assert twin.past_states(processor.domain) == plain.past_states(processor.domain)

            twin.update_with_events([SlotSet("order_number", "CL-1"), ActionExecuted("action_listen")], None)
            twin.change_loop_to(None)
            assert _seen(tracker) == before
            assert tracker.past_states(processor.domain) == plain.past_states(processor.domain)


async def test_states_for_policies_that_learn(processor: StepProcessor) -> None:
    """What policies that learn from stories ask for is left to Rasa."""
    events = await _events(processor, WAYS[1])
    trackers = [
        kind.from_events("c", events, processor.domain.slots, domain=processor.domain)
        for kind in (StepTracker, DialogueStateTracker)
    ]
    ours, theirs = (
        tracker.past_states(processor.domain, omit_unset_slots=True, ignore_rule_only_turns=True, rule_only_data={})
        for tracker in trackers
    )
    assert ours == theirs
