"""When to try again, and when to give up."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """Exponential backoff with full jitter above a floor, up to a number of attempts.

    The shape is "full jitter" of the AWS Architecture Blog (2015), kept above half the exponential delay so that a
    retry never comes at once.
    """

    first: timedelta
    longest: timedelta
    #: attempts after which the row becomes a dead letter
    attempts_max: int

    def delay(self, attempt_count: int, asked: timedelta | None, dice: random.Random) -> timedelta | None:
        """Return how long to wait after that many attempts (≥ 1); none: give up.

        `asked` is what the other side told us to wait: never less.
        """
        if attempt_count >= self.attempts_max:
            return None
        ceiling = min(self.first * (1 << min(attempt_count - 1, 30)), self.longest)
        ours = ceiling * dice.uniform(0.5, 1.0)
        return max(ours, asked) if asked is not None else ours


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long something waits for what is away: attempts say nothing about it, so only time counts."""

    first: timedelta
    longest: timedelta
    #: after so long it waits no more
    ends_after: timedelta

    def delay(self, waited: timedelta, dice: random.Random) -> timedelta | None:
        """Return how long to wait after `waited`, about half as long again; none: it has waited long enough."""
        if waited >= self.ends_after:
            return None
        return min(max(waited / 2, self.first), self.longest) * dice.uniform(0.5, 1.0)


#: A turn while no engine answers: one restarts within seconds, so be quick, then patient; then people get the message.
ENGINE_OUTAGE = Patience(first=timedelta(seconds=0.5), longest=timedelta(seconds=30), ends_after=timedelta(minutes=10))
#: A turn that failed: the engine restarts within seconds, so be quick, then patient.
TURN_RETRY = RetryPolicy(first=timedelta(seconds=0.5), longest=timedelta(seconds=30), attempts_max=12)
#: A message that could not be sent.
SEND_RETRY = RetryPolicy(first=timedelta(seconds=1), longest=timedelta(minutes=10), attempts_max=30)
#: A post on the desk that could not be made while others could: it is to blame itself.
POST_RETRY = RetryPolicy(first=timedelta(seconds=1), longest=timedelta(seconds=30), attempts_max=10)
#: What an agent did, which may need the desk to be carried out: the desk may be gone for a day.
DESK_RETRY = RetryPolicy(first=timedelta(seconds=0.5), longest=timedelta(minutes=1), attempts_max=2_000)
#: A row is set aside when its worker or engine died this often, each time but the first while it was the only suspect
#: in work (`bot.store.lanes`): one bad message must not silence a customer.
CRASHES_MAX = 4
