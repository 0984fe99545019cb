"""How long a customer will wait for a person, as honestly as what happened lately allows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import comb

from bot.domain.hours import BusinessHours

#: Working time that is looked back on.
LOOKED_BACK = timedelta(hours=1)
#: With fewer tickets claimed in that time nothing can be said.
CLAIMS_MIN = 3
#: Of ten waits seven lie in between; when that is rounded outwards, more than eight do.
_TOO_SHORT, _TOO_LONG = 0.15, 0.85
#: Minutes that are told.
_STEPS = (0, 1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Spell:
    """A time in which a ticket waited for somebody to claim it."""

    since: datetime
    #: none: it still waits
    until: datetime | None


@dataclass(frozen=True, kw_only=True)
class Wait:
    """How long it will probably take, in working time."""

    shortest: timedelta
    longest: timedelta


def looked_back(now: datetime, hours: BusinessHours) -> datetime:
    """Return when the last working hour began."""
    long_ago = now - timedelta(days=14)
    worked = hours.between(long_ago, now)
    return hours.add(long_ago, max(worked - LOOKED_BACK, timedelta()))


def estimate(place: int, spells: Iterable[Spell], now: datetime, hours: BusinessHours) -> Wait | None:
    """Return how long whoever has that place will wait, 1 being next; none: there is nothing to tell it from.

    Only the time counts in which somebody waited: that a quiet hour had few claims says nothing about the pace.
    """
    since, known = looked_back(now, hours), tuple(spells)
    claim_count = sum(1 for spell in known if spell.until is not None and since <= spell.until <= now)
    busy = _busy(known, since, now, hours)
    if claim_count < CLAIMS_MIN or not busy:
        return None
    shortest, longest = (_quantile(share, place, claim_count) * busy for share in (_TOO_SHORT, _TOO_LONG))
    told = next((step for step in _STEPS if step * _MINUTE >= longest), None)
    if told is None:
        return None
    return Wait(
        shortest=max(step for step in _STEPS if step * _MINUTE <= shortest) * _MINUTE,
        longest=max(told, 1) * _MINUTE,
    )


def _busy(spells: Iterable[Spell], since: datetime, now: datetime, hours: BusinessHours) -> timedelta:
    """Return the working time in which at least one ticket waited."""
    total, covered = timedelta(), since
    for spell in sorted(spells, key=lambda spell: spell.since):
        until = min(spell.until or now, now)
        if until > covered:
            total += hours.between(max(spell.since, covered), until)
            covered = until
    return total


def _quantile(share: float, place: int, claim_count: int) -> float:
    """Return the time, in units of that which was looked back on, by which `place` claims come in a share of cases.

    Claims that came by chance `claim_count` times in one unit are negatively binomial in the next ones.
    """
    low, high = 0.0, 1.0
    while _reached(place, claim_count, high) < share:
        high *= 2
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _reached(place, claim_count, middle) < share else (low, middle)
    return high


def _reached(place: int, claim_count: int, time: float) -> float:
    """Return how probable it is that `place` claims or more come in that time."""
    goes_on = time / (1 + time)
    fewer = sum(comb(count + claim_count - 1, count) * goes_on**count for count in range(place))
    return 1 - float(fewer) * (1 - goes_on) ** claim_count
