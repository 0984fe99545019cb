from __future__ import annotations

import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.retry import SEND_RETRY, TURN_RETRY, RetryPolicy


@pytest.mark.parametrize("policy", [SEND_RETRY, TURN_RETRY])
def test_patience_ends(policy: RetryPolicy) -> None:
    """After its last attempt a row is given up, whatever the other side asks for."""
    dice = random.Random(1)
    assert policy.delay(policy.attempts_max - 1, None, dice) is not None
    assert policy.delay(policy.attempts_max, None, dice) is None
    assert policy.delay(policy.attempts_max, timedelta(hours=1), dice) is None


@given(st.integers(min_value=1, max_value=29), st.integers())
def test_pauses_grow_and_are_spread(attempt: int, seed: int) -> None:
    """A pause lies between half the exponential delay and the whole, and never above the longest."""
    pause = SEND_RETRY.delay(attempt, None, random.Random(seed))
    whole = min(SEND_RETRY.first * 2 ** (attempt - 1), SEND_RETRY.longest)
    assert pause is not None
    assert whole / 2 <= pause <= whole


def test_what_the_other_side_asks_for_is_kept() -> None:
    """A pause is never shorter than what the other side asked for."""
    dice = random.Random(1)
    assert SEND_RETRY.delay(1, timedelta(hours=3), dice) == timedelta(hours=3)
    longer = SEND_RETRY.delay(20, timedelta(seconds=1), dice)
    assert longer is not None
    assert longer > timedelta(minutes=4)


def test_an_outage_of_hours_is_waited_out() -> None:
    """Sending is tried for more than two hours, a turn for more than a minute, before people are asked."""
    for policy, at_least in ((SEND_RETRY, timedelta(hours=2)), (TURN_RETRY, timedelta(minutes=1))):
        dice = random.Random(1)
        pauses = [policy.delay(n, None, dice) for n in range(1, policy.attempts_max)]
        assert sum((pause for pause in pauses if pause is not None), timedelta()) > at_least
