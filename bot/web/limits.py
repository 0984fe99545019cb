"""Token buckets: how often a caller may do something."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Rate:
    """So many at once, then one each so often."""

    burst: int
    #: seconds until one more is allowed
    every: float


class Limiter:
    """Counts the calls of each caller in memory; callers not heard of for longest are forgotten first."""

    def __init__(self, rate: Rate, callers_max: int = 50_000) -> None:
        """Allow each caller `rate`."""
        self._rate = rate
        self._callers_max = callers_max
        #: for each caller the moment at which their bucket is full again
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def wait_for(self, caller: str, now: float) -> float:
        """Count a call made at `now`, on a clock in seconds, and return 0; or the seconds after which it is allowed."""
        full_at = max(self._full_at.get(caller, now), now)
        excess = full_at + self._rate.every - now - self._rate.burst * self._rate.every
        if excess > 1e-9:
            return excess
        self._full_at[caller] = full_at + self._rate.every
        self._full_at.move_to_end(caller)
        if len(self._full_at) > self._callers_max:
            self._full_at.popitem(last=False)
        return 0.0
