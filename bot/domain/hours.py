"""When people work: the week's hours in one time zone, holidays, and counting in working time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

#: How far ahead an opening is looked for.
_HORIZON_DAYS = 3660
_MINUTE = timedelta(minutes=1)
_DAY_MINUTES = 24 * 60
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, kw_only=True)
class Span:
    """Open from one time of a day until another, by the clock on the wall."""

    #: 0 is Monday, as in `date.weekday`
    weekday: int
    opens: time
    #: not later than `opens`: on the next day
    closes: time

    @property
    def is_over_midnight(self) -> bool:
        """Whether it ends on the next day."""
        return self.closes <= self.opens

    def minutes(self) -> set[int]:
        """Return the minutes of the week it covers, counted from Monday's first."""
        first = self.weekday * _DAY_MINUTES
        start = self.opens.hour * 60 + self.opens.minute
        end = self.closes.hour * 60 + self.closes.minute + (_DAY_MINUTES if self.is_over_midnight else 0)
        return {(first + minute) % (7 * _DAY_MINUTES) for minute in range(start, end)}


@dataclass(frozen=True, kw_only=True)
class BusinessHours:
    """The hours in which people work.

    Where clocks are put forward, a time that is skipped is the moment of the jump; where they are put back, a time
    that comes twice is its first. Raises `ValueError` that names the day where two spans overlap.
    """

    zone: tzinfo = UTC
    #: what is not in here is closed
    week: tuple[Span, ...] = tuple(Span(weekday=day, opens=time(0), closes=time(0)) for day in range(7))
    #: closed from midnight to midnight
    holidays: frozenset[date] = frozenset()

    def __post_init__(self) -> None:
        """Refuse spans that overlap: their time would count twice."""
        taken: set[int] = set()
        for span in self.week:
            minutes = span.minutes()
            if taken & minutes:
                raise ValueError(f"two spans overlap on {_DAYS[min(taken & minutes) // _DAY_MINUTES]}")
            taken |= minutes

    def is_open(self, at: datetime) -> bool:
        """Whether people work at that moment."""
        return self.next_opening(at) == at

    def next_opening(self, after: datetime) -> datetime | None:
        """Return the first open moment, `after` itself if it is one; none when it never opens again."""
        return next((opens for opens, _ in self._open_from(after)), None)

    def next_closing(self, after: datetime) -> datetime | None:
        """Return when it closes after being open at `after` or later; none: not within a week of that."""
        closing: datetime | None = None
        for opens, closes in self._open_from(after):
            if closing is not None and opens > closing:
                return closing
            if closes - after > timedelta(days=8):
                return None
            closing = closes
        return closing

    def add(self, start: datetime, working: timedelta) -> datetime:
        """Return the first moment until which `working` time has passed; raises `ValueError` when it never will."""
        if working < timedelta():
            raise ValueError("time is not taken back")
        if not working:
            return start
        left = working
        for opens, closes in self._open_from(start):
            if closes - opens >= left:
                return opens + left
            left -= closes - opens
        raise ValueError("it is never open for so long")

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Return the working time from `start` to `end`; nothing when `end` is not later."""
        total = timedelta()
        for opens, closes in self._open_from(start):
            if opens >= end:
                break
            total += min(closes, end) - opens
        return total

    def _open_from(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield what is open from `start` on, in order, in UTC."""
        first = start.astimezone(self.zone).date() - timedelta(days=1)
        for number in range(_HORIZON_DAYS if self.week else 0):
            for opens, closes in self._open_on(first + timedelta(days=number)):
                if closes > start:
                    yield max(opens, start), closes

    def _open_on(self, day: date) -> list[tuple[datetime, datetime]]:
        """Return what is open between a day's midnights, in order."""
        if day in self.holidays:
            return []
        open_ = []
        for span in self.week:
            if span.weekday == day.weekday():
                closing_day = day + timedelta(days=1) if span.is_over_midnight else day
                closes = time(0) if span.is_over_midnight else span.closes
                open_.append((self._moment(day, span.opens), self._moment(closing_day, closes)))
            elif span.is_over_midnight and (span.weekday + 1) % 7 == day.weekday():
                open_.append((self._moment(day, time(0)), self._moment(day, span.closes)))
        return sorted((opens, closes) for opens, closes in open_ if opens < closes)

    def _moment(self, day: date, at: time) -> datetime:
        """Return when the clock on the wall first shows that time, or jumps over it."""
        local = datetime.combine(day, at, tzinfo=self.zone)
        moment, jumped = local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)
        if jumped >= moment:
            return moment
        # The clock skips it: of the two offsets the earlier one ends somewhere between.
        after = moment.astimezone(self.zone).utcoffset()
        while moment - jumped > _MINUTE:
            middle = jumped + (moment - jumped) // 2
            if middle.astimezone(self.zone).utcoffset() == after:
                moment = middle
            else:
                jumped = middle
        return moment.replace(second=0, microsecond=0)


#: Around the clock, every day.
ALWAYS = BusinessHours()
