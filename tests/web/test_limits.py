from __future__ import annotations

import pytest

from bot.web.limits import Limiter, Rate


def test_a_burst_passes_and_then_one_each_so_often() -> None:
    """Three at once, then one every two seconds; the refusal says how long to wait."""
    limiter = Limiter(Rate(burst=3, every=2.0))
    assert [limiter.wait_for("a", 100.0) for _ in range(3)] == [0, 0, 0]
    assert limiter.wait_for("a", 100.0) == pytest.approx(2.0)
    assert limiter.wait_for("a", 101.5) == pytest.approx(0.5)
    assert limiter.wait_for("a", 102.0) == 0
    assert limiter.wait_for("a", 102.0) > 0


def test_refused_calls_cost_nothing() -> None:
    """Whoever keeps calling is let in at the same moment as whoever waits."""
    limiter = Limiter(Rate(burst=1, every=10.0))
    limiter.wait_for("a", 0.0)
    for second in range(1, 10):
        assert limiter.wait_for("a", float(second)) == pytest.approx(10 - second)
    assert limiter.wait_for("a", 10.0) == 0


def test_callers_do_not_share() -> None:
    """One caller's burst leaves another's whole."""
    limiter = Limiter(Rate(burst=1, every=10.0))
    assert limiter.wait_for("a", 0.0) == 0
    assert limiter.wait_for("b", 0.0) == 0


def test_memory_is_bounded() -> None:
    """Past the limit the caller not heard of for longest is forgotten."""
    limiter = Limiter(Rate(burst=1, every=10.0), callers_max=2)
    for caller in "abc":
        limiter.wait_for(caller, 0.0)
    assert limiter.wait_for("c", 0.0) > 0
    assert limiter.wait_for("a", 0.0) == 0
    assert len(limiter._full_at) == 2
