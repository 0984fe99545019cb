from __future__ import annotations

import random

import pytest

from bot.domain.breakers import Breaker, State, Temper

TEMPER = Temper(trips_after=3, first=1.0, longest=8.0, probes_for=20.0, forgets_after=100.0)


class Bench:
    """A breaker, the time it goes by, and what it told."""

    def __init__(self) -> None:
        """Begin at nought."""
        self.at = 0.0
        self.told: list[tuple[State, str]] = []
        self.breaker = Breaker(TEMPER, lambda *news: self.told.append(news), lambda: self.at, random.Random(1))

    def fails(self, *what: str) -> None:
        """Let calls about these fail."""
        for each in what:
            self.breaker.failed(each, f"{each} failed")


@pytest.fixture
def bench() -> Bench:
    """Return a closed breaker."""
    return Bench()


def test_it_opens_when_several_things_fail_in_a_row(bench: Bench) -> None:
    """One thing that fails again and again may be to blame itself; what comes through in between clears all."""
    bench.fails("a", "a", "a", "a", "b")
    assert bench.breaker.admit()
    bench.breaker.succeeded()
    bench.fails("c", "d")
    assert bench.breaker.admit()
    bench.fails("e")
    assert not bench.breaker.admit()
    assert bench.told == [(State.OPEN, "e failed")]


def test_one_call_finds_out_whether_it_is_over(bench: Bench) -> None:
    """After the pause one call passes, and the others when it came through."""
    bench.fails("a", "b", "c")
    assert 0.5 <= bench.breaker.pauses_for <= 1.0
    bench.at = 1.0
    assert [bench.breaker.admit(), bench.breaker.admit()] == [True, False]
    bench.breaker.succeeded()
    assert [bench.breaker.admit(), bench.breaker.admit()] == [True, True]
    assert [state for state, _ in bench.told] == [State.OPEN, State.HALF_OPEN, State.CLOSED]


def test_pauses_grow_while_probes_fail(bench: Bench) -> None:
    """Each failed probe doubles the pause up to the longest; the end of the trouble makes it short again."""
    bench.fails("a", "b", "c")
    pauses = []
    for _ in range(6):
        pauses.append(bench.breaker.pauses_for)
        bench.at += bench.breaker.pauses_for
        assert bench.breaker.admit()
        bench.fails("a")
    wholes = (1.0, 2.0, 4.0, 8.0, 8.0, 8.0)
    assert all(whole / 2 <= pause <= whole for pause, whole in zip(pauses, wholes, strict=True))
    bench.breaker.succeeded()
    bench.fails("a", "b", "c")
    assert bench.breaker.pauses_for <= 1.0


def test_a_probe_that_is_never_heard_of_holds_nobody_up(bench: Bench) -> None:
    """Whoever was admitted may have died over it: another one is admitted in the end."""
    bench.fails("a", "b", "c")
    bench.at = 1.0
    assert bench.breaker.admit()
    bench.at = 20.9
    assert not bench.breaker.admit()
    bench.at = 21.0
    assert bench.breaker.admit()


def test_what_nobody_asks_for_is_forgotten(bench: Bench) -> None:
    """A breaker that nobody has used for long is closed: it stands for no trouble of today."""
    bench.fails("a", "b", "c")
    seen = []
    for bench.at in (100.0, 102.0):
        seen.append(bench.breaker.state)
    assert seen == [State.OPEN, State.CLOSED]
