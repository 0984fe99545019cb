from __future__ import annotations

from datetime import time, timedelta

import pytest

from bot.domain.acts import Claim
from bot.domain.hours import BusinessHours, Span
from bot.domain.rules import Rules
from bot.domain.shifts import Availability
from bot.domain.waiting import Wait
from bot.pipeline import phrases
from bot.pipeline.turns import ASKS_WAIT
from bot.pipeline.waiting import NOBODY_HERE, words
from bot.store import agents
from tests.pipeline.rig import SAM, Rig, handoff, turn


@pytest.fixture
def rules() -> Rules:
    """Return office hours until one on the day of the tests, a Wednesday, and from ten on the day after."""
    return Rules(
        hours=BusinessHours(
            week=(
                Span(weekday=2, opens=time(8), closes=time(13)),
                Span(weekday=3, opens=time(10), closes=time(13)),
                Span(weekday=0, opens=time(9), closes=time(13)),
            )
        )
    )


async def _told(rig: Rig, customer: str) -> str:
    """Return what a customer is told who asks for a person."""
    rig.engine.by_text["person please"] = handoff()
    await rig.writes("person please", customer)
    return rig.seen(customer)[-1]


async def _claims(rig: Rig, count: int, every: float) -> None:
    """Let so many customers ask and be claimed, one after the other."""
    for number in range(count):
        customer = f"before{number}"
        await _told(rig, customer)
        rig.clock.pass_(minutes=every)
        ticket = await rig.open_ticket(customer)
        assert ticket is not None
        await rig.desk.do(ticket.id, SAM, Claim(), f"claim-{customer}")


async def test_without_a_basis_nothing_is_promised(rig: Rig) -> None:
    """Who comes first is told that nobody can say how long it takes."""
    assert await _told(rig, "ann") == phrases.place_in_queue(1, phrases.CANNOT_SAY)


async def test_who_asks_is_told_place_and_time_as_they_are_now(rig: Rig) -> None:
    """In the queue a question after the wait is answered with both; with the bot it is the bot's to answer."""
    rig.engine.by_text["how long?"] = turn("You are somewhere in the queue.", intent=ASKS_WAIT)
    await rig.writes("how long?", "ann")
    assert rig.seen("ann")[-1] == "You are somewhere in the queue."
    await _claims(rig, 6, 4)
    await _told(rig, "bob")
    await _told(rig, "ann")
    await rig.writes("how long?", "ann")
    assert rig.seen("ann")[-1] == phrases.place_in_queue(2, "It should take 2 to 20 minutes.")
    rig.clock.pass_(minutes=1)
    await rig.act(Claim(), SAM, customer="bob")
    await rig.writes("how long?", "ann")
    assert rig.seen("ann")[-1] == phrases.place_in_queue(1, "It should take up to 10 minutes.")


async def test_the_pace_of_the_last_hour_is_told(rig: Rig) -> None:
    """Once some were claimed, a customer is told from how long that took; further back it takes longer."""
    await _claims(rig, 6, 4)
    assert await _told(rig, "ann") == phrases.place_in_queue(1, "It should take up to 10 minutes.")
    assert await _told(rig, "bob") == phrases.place_in_queue(2, "It should take 2 to 20 minutes.")


async def test_who_comes_before_closing_is_told(rig: Rig) -> None:
    """When it may take longer than people are there, the customer is told when they are back."""
    await _claims(rig, 6, 8)
    rig.clock.pass_(minutes=8)
    assert await _told(rig, "ann") == phrases.place_in_queue(
        1, "Our team is here until 13:00, so it may take until we are back tomorrow at 10:00."
    )


@pytest.mark.parametrize(
    ("hours", "back"),
    [(2, "tomorrow at 10:00"), (26, "on Monday at 09:00"), (14, "today at 10:00"), (-5, "today at 08:00")],
)
async def test_out_of_hours_the_next_opening_is_told(rig: Rig, hours: int, back: str) -> None:
    """While nobody works the customer is told when somebody does."""
    rig.clock.pass_(hours=hours)
    told = await _told(rig, "ann")
    assert told == phrases.place_in_queue(1, f"Our team is away right now and will be back {back}.")


async def test_where_everybody_is_away_that_is_said(rig: Rig) -> None:
    """When all who take tickets are away, the customer is told so, but not when one of them has just claimed one."""
    await rig.database.write(agents.set_availability, SAM, Availability(is_available=False), rig.clock.now())
    assert await _told(rig, "ann") == phrases.place_in_queue(1, NOBODY_HERE)
    await _claims(rig, 1, 1)
    assert await _told(rig, "bob") == phrases.place_in_queue(2, phrases.CANNOT_SAY)


@pytest.mark.parametrize(
    ("shortest", "longest", "said"),
    [
        (0, 1, "about a minute"),
        (0, 5, "up to 5 minutes"),
        (5, 15, "5 to 15 minutes"),
        (45, 90, "45 to 90 minutes"),
        (45, 120, "45 minutes to 2 hours"),
        (90, 180, "1½ to 3 hours"),
    ],
)
def test_waits_are_told_in_words(shortest: int, longest: int, said: str) -> None:
    """A range is told as people say it."""
    wait = Wait(shortest=timedelta(minutes=shortest), longest=timedelta(minutes=longest))
    assert words(wait) == said
