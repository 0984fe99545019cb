"""A shift of two agents and a lead, who see and use nothing but Slack, and of two customers on two channels.

All of Tandem runs as `python -m bot run` builds it: engine, database, pipeline, routes. What Slack shows is read from
the emulator; `tests/shift/front.py` says what of Slack had to be made beside it. Each step is one line of the story,
which a failing test prints as far as it came.
"""

from __future__ import annotations

import pytest

from tests.shift import afternoon, morning
from tests.shift.day import Day

STEPS_MIN = 40


@pytest.mark.slow
async def test_a_shift(day: Day) -> None:
    """Slack and the customers show after each step what is so, from the first "I am there" to the day's numbers."""
    await morning.the_shift_begins(day)
    await morning.a_ticket_finds_its_agent(day)
    await morning.words_in_a_thread(day)
    await morning.replies_with_a_modal(day)
    await morning.another_customer(day)
    await afternoon.put_aside(day)
    await afternoon.promised(day)
    await afternoon.passed_on(day)
    await afternoon.whose_ticket_is_it(day)
    await afternoon.what_does_not_arrive(day)
    await afternoon.the_end_and_after_it(day)
    await afternoon.the_shift_ends(day)
    assert len(day.story) >= STEPS_MIN
