"""Circuit breakers: what keeps failing is not called for a while, then tried by one call.

A breaker is *closed* while calls pass, *open* while none is made, and *half open* while one call finds out whether the
trouble is over (Nygard, Release It!, 2018). It goes by a clock that nobody sets, and says when it may be asked again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import IntEnum


class State(IntEnum):
    """How much a breaker lets through; the higher, the less."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


@dataclass(frozen=True, kw_only=True)
class Temper:
    """When a breaker opens, and for how long."""

    #: so many different things fail, one after the other with nothing coming through in between: one thing that fails
    #: again and again may be to blame itself
    trips_after: int = 3
    #: seconds until the first probe, and between probes at most; twice as long each time
    first: float = 1.0
    longest: float = 30.0
    #: a probe of which nothing is heard for so many seconds is taken for lost
    probes_for: float = 60.0
    #: an open breaker that nobody asks for so many seconds is closed: nothing shows any more that the trouble goes on
    forgets_after: float = 300.0


class Breaker:
    """The breaker of one thing that is called; for one thread."""

    def __init__(
        self,
        temper: Temper,
        changed: Callable[[State, str], None] = lambda _state, _reason: None,
        now: Callable[[], float] = time.monotonic,
        dice: random.Random | None = None,
    ) -> None:
        """Begin closed. `changed` is told each new state with the last failure's reason; `now` returns seconds."""
        self.changed = changed
        self._temper = temper
        self._now = now
        self._dice = dice or random.Random()  # noqa: S311 - spreads probes, keeps no secret
        self._state = State.CLOSED
        self._failed: set[Hashable] = set()
        self._open_count = 0
        #: when the next probe may be made; while one is, when it is taken for lost
        self._until = 0.0
        self._since = 0.0
        self.reason = ""

    @property
    def state(self) -> State:
        """What it is now."""
        if self._state is not State.CLOSED and self._now() - self._until > self._temper.forgets_after:
            self.succeeded()
        return self._state

    @property
    def pauses_for(self) -> float:
        """Seconds until a call may be let through; 0 when one may be now."""
        return 0.0 if self._state is State.CLOSED else max(self._until - self._now(), 0.0)

    @property
    def away_for(self) -> float:
        """Seconds since calls began not to come through; 0 while they do."""
        return 0.0 if self._state is State.CLOSED else self._now() - self._since

    def admit(self) -> bool:
        """Whether this call may be made; whoever is admitted has to tell what came of it."""
        if self._state is State.CLOSED:
            return True
        if self.pauses_for:
            return False
        self._until = self._now() + self._temper.probes_for
        self._become(State.HALF_OPEN)
        return True

    def succeeded(self) -> None:
        """A call came through."""
        self._failed.clear()
        # What began before the breaker opened, and ends well, is as good as a probe.
        self._open_count = 0
        self._become(State.CLOSED)

    def failed(self, what: Hashable, reason: str) -> None:
        """A call that was about `what` did not come through."""
        self.reason = reason
        if self._state is State.OPEN:
            return
        self._failed.add(what)
        if self._state is State.HALF_OPEN or len(self._failed) >= self._temper.trips_after:
            self.trip(reason)

    def trip(self, reason: str) -> None:
        """Open, whatever failed before: it is known that no call can come through now."""
        self.reason = reason
        pause = min(self._temper.first * (1 << min(self._open_count, 20)), self._temper.longest)
        self._open_count += 1
        self._until = self._now() + pause * self._dice.uniform(0.5, 1.0)
        self._become(State.OPEN)

    def _become(self, state: State) -> None:
        if state is not self._state:
            if self._state is State.CLOSED:
                self._since = self._now()
            self._state = state
            self.changed(state, self.reason)
