from __future__ import annotations

import heapq
import random
from datetime import UTC, datetime, time, timedelta

import pytest

from bot.domain.hours import ALWAYS, BusinessHours, Span
from bot.domain.waiting import Spell, Wait, estimate, looked_back

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def _claimed(*minutes_ago: float, waited: float = 60) -> list[Spell]:
    return [Spell(since=NOW - (ago + waited) * MINUTE, until=NOW - ago * MINUTE) for ago in minutes_ago]


def test_too_little_is_no_basis() -> None:
    """Where hardly anything was claimed within the last working hour, nothing is said; long ago does not count."""
    assert estimate(1, [], NOW, ALWAYS) is None
    assert estimate(1, _claimed(5, 10), NOW, ALWAYS) is None
    assert estimate(1, _claimed(5, 10, 61, 62, 63), NOW, ALWAYS) is None
    assert estimate(1, _claimed(5, 10, 59), NOW, ALWAYS) is not None
    assert estimate(400, _claimed(5, 10, 59), NOW, ALWAYS) is None


def test_a_steady_pace_is_told() -> None:
    """Where somebody is claimed every five minutes, the sixth in line waits about half an hour."""
    wait = estimate(6, _claimed(*range(0, 60, 5)), NOW, ALWAYS)
    assert wait == Wait(shortest=15 * MINUTE, longest=60 * MINUTE)


def test_a_quiet_hour_is_no_slow_hour() -> None:
    """Where each of a few was claimed within a minute, the next one is too."""
    wait = estimate(1, _claimed(5, 20, 40, 55, waited=0.5), NOW, ALWAYS)
    assert wait is not None
    assert wait.longest <= 2 * MINUTE


def test_the_last_working_hour_may_be_yesterday() -> None:
    """Early in the morning the pace is that of the evening before."""
    office = BusinessHours(week=tuple(Span(weekday=day, opens=time(9), closes=time(17)) for day in range(5)))
    morning = datetime(2026, 3, 4, 9, 10, tzinfo=UTC)
    assert looked_back(morning, office) == datetime(2026, 3, 3, 16, 10, tzinfo=UTC)
    evening = [datetime(2026, 3, 3, 16, minute, tzinfo=UTC) for minute in (20, 30, 40, 50)]
    wait = estimate(1, [Spell(since=at - 10 * MINUTE, until=at) for at in evening], morning, office)
    assert wait is not None
    assert wait.longest <= 45 * MINUTE


@pytest.mark.no_cover
@pytest.mark.parametrize("agents", [1, 3, 8])
@pytest.mark.parametrize("load", [0.7, 0.95, 1.15])
def test_of_ten_customers_eight_wait_as_long_as_they_are_told(agents: int, load: float) -> None:
    """In simulated queues, idle to overrun, the real wait lies in the range that was told at least 8 times of 10."""
    told, kept = 0, 0
    for seed in range(30):
        dice = random.Random(seed)
        for wait, estimated in _simulate(dice, agents, load):
            told += 1
            kept += estimated.shortest <= wait <= estimated.longest
    assert told > 60
    assert kept / told >= 0.8, f"{kept} of {told}"


def _simulate(dice: random.Random, agents: int, load: float) -> list[tuple[timedelta, Wait]]:
    """Let customers come for four hours to agents who take six minutes each, and return waits and what was told."""
    served, clock = 6.0, 0.0
    free_at = [0.0] * agents
    heapq.heapify(free_at)
    spells: list[tuple[float, float]] = []
    found: list[tuple[timedelta, Wait]] = []
    while clock < 240:
        clock += dice.expovariate(load * agents / served)
        # Somebody who is free needs a moment to see that there is a ticket.
        claimed = max(clock, heapq.heappop(free_at)) + dice.expovariate(1 / 0.4)
        heapq.heappush(free_at, claimed + dice.lognormvariate(1.6, 0.6))
        place = 1 + sum(until > clock for _, until in spells)
        spells.append((clock, claimed))
        if clock < 60 or dice.random() > 0.15:
            continue
        seen = [
            Spell(since=NOW + since * MINUTE, until=NOW + until * MINUTE if until <= clock else None)
            for since, until in spells
            if until > clock - 60
        ]
        estimated = estimate(place, seen, NOW + clock * MINUTE, ALWAYS)
        if estimated is not None:
            found.append(((claimed - clock) * MINUTE, estimated))
    return found
