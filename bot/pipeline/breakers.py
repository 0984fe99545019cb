"""The breakers of one process: of its database, its engine, the brand's records, and each account it sends by.

Each process finds out for itself: what one cannot reach another may. The desk's channels have gates instead, which all
processes share (`bot.store.gates`).
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from bot import metrics
from bot.domain.breakers import Breaker, State, Temper

log = structlog.get_logger()

#: Of calls to others' servers: outages last for minutes, and of the messages that are tried some are in doubt after it.
ACCOUNT_TEMPER = Temper(trips_after=3, first=1.0, longest=30.0, probes_for=60.0)


class Breakers:
    """All breakers, by the name of what they guard."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """Know of none; those that are made here go by `now`, in seconds."""
        self._now = now
        self._all: dict[str, Breaker] = {}

    def adopt(self, name: str, breaker: Breaker, mended: Callable[[], object] = lambda: None) -> None:
        """Show a breaker, and call `mended` whenever calls pass again."""

        def changed(state: State, reason: str) -> None:
            if state is State.OPEN:
                log.warning("breaker_open", what=name, reason=reason, pauses_for=round(breaker.pauses_for, 1))
            elif state is State.CLOSED:
                log.info("breaker_closed", what=name)
                mended()

        breaker.changed = changed
        self._all[name] = breaker
        metrics.BREAKERS.labels(name).set_function(lambda: float(breaker.state))

    def of(self, account: str) -> Breaker:
        """Return the breaker of an account, `channel/account`; it is made when it is first asked for."""
        if account not in self._all:
            self.adopt(account, Breaker(ACCOUNT_TEMPER, now=self._now))
        return self._all[account]

    def shut(self) -> tuple[str, ...]:
        """Return what no call may be made to at this moment."""
        return tuple(name for name, breaker in list(self._all.items()) if breaker.pauses_for)

    def states(self) -> dict[str, str]:
        """Return how each breaker is, in words."""
        return {name: breaker.state.name.lower().replace("_", " ") for name, breaker in sorted(self._all.items())}

    def alarming(self) -> dict[str, str]:
        """Return why calls are held back, by what they are made to."""
        return {
            name: f"no call came through for {breaker.away_for:.0f} s, so hardly any is made: {breaker.reason}"
            for name, breaker in self._all.items()
            if breaker.state is not State.CLOSED
        }
