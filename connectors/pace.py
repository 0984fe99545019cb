"""Sending no faster than a channel likes it, before it has to say so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable


class Pace:
    """So many calls at once, then one each `every` seconds, of one process; `clock` is in seconds."""

    def __init__(
        self, burst: int, every: float, sleep: Callable[[float], Awaitable[None]], clock: Callable[[], float]
    ) -> None:
        """Let the first `burst` calls through."""
        self._ahead_max = (burst - 1) * every
        self._every = every
        self._sleep = sleep
        self._clock = clock
        #: when all calls so far would have been made, evenly spread
        self._spread_until = float("-inf")

    async def wait(self) -> None:
        """Return when the next call may be made; calls are let through in the order in which they wait."""
        now = self._clock()
        starts_at = max(self._spread_until, now)
        self._spread_until = starts_at + self._every
        if (pause := starts_at - now - self._ahead_max) > 0:
            await self._sleep(pause)
