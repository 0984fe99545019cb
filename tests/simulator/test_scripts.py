from __future__ import annotations

import random

from simulator.scripts import Doing, draw
from simulator.weather import FAULTS


def test_drawn_conversations_are_whole() -> None:
    """Every conversation that the dice draw has words for each step, and no blank is left in them."""
    for seed in range(300):
        for step in draw(random.Random(seed)):
            assert step.texts or step.doing is Doing.WITHDRAWS
            assert not any("{" in text or not text.strip() for text in step.texts)


def test_same_seed_same_conversation() -> None:
    """The same dice draw the same conversation."""
    assert draw(random.Random(7)) == draw(random.Random(7))
    assert len({draw(random.Random(seed)) for seed in range(50)}) > 25


def test_weather_is_a_chance() -> None:
    """In no weather more can happen to one call than surely; only fair weather is fair."""
    for name, weather in FAULTS.items():
        of_calls = weather.refuses_for_now + weather.breaks + weather.cuts_before + weather.cuts_after
        assert 0 <= of_calls < 1
        assert weather.is_fair == (name == "none")
