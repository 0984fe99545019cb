from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.hours import ALWAYS, BusinessHours, Span

LONDON = ZoneInfo("Europe/London")
OFFICE = BusinessHours(
    zone=LONDON,
    week=tuple(Span(weekday=day, opens=time(9), closes=time(17, 30)) for day in range(5)),
    holidays=frozenset({date(2026, 12, 25)}),
)
#: Both hemispheres, half hours, changes at midnight, and none at all.
ZONES = ("Europe/London", "America/Santiago", "Australia/Lord_Howe", "America/New_York", "Asia/Kolkata", "Asia/Beirut")
#: Around them lie the changes of 2026.
CHANGES = (
    date(2026, 3, 29),
    date(2026, 10, 25),
    date(2026, 4, 5),
    date(2026, 9, 6),
    date(2026, 3, 8),
    date(2026, 11, 1),
)

times = st.builds(time, st.integers(0, 23), st.sampled_from((0, 15, 30, 45)))
near_changes = st.builds(
    lambda day, minutes: datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=minutes),
    st.sampled_from(CHANGES),
    st.integers(-3 * 1440, 3 * 1440),
)
durations = st.integers(0, 60 * 24 * 3).map(lambda minutes: timedelta(minutes=minutes))


@st.composite
def hours(draw: st.DrawFn) -> BusinessHours:
    """Return some week, open on one day at least, in some zone, with a holiday or none."""
    week: list[Span] = []
    for day in draw(st.sets(st.integers(0, 6), min_size=1)):
        span = Span(weekday=day, opens=draw(times), closes=draw(times))
        if not any(span.minutes() & known.minutes() for known in week):
            week.append(span)
    holidays = draw(st.frozensets(st.sampled_from(CHANGES), max_size=1))
    return BusinessHours(zone=ZoneInfo(draw(st.sampled_from(ZONES))), week=tuple(week), holidays=holidays)


@given(hours(), near_changes, durations)
def test_what_is_added_is_what_lies_between(week: BusinessHours, start: datetime, working: timedelta) -> None:
    """Counting from a moment to the one that lies so much working time later gives that time again."""
    assert week.between(start, week.add(start, working)) == working


@given(hours(), near_changes, durations)
def test_what_lies_between_is_what_was_added(week: BusinessHours, start: datetime, after: timedelta) -> None:
    """Adding the working time up to a moment leads to that moment, or to where it closed before."""
    end = start + after
    reached = week.add(start, week.between(start, end))
    assert reached <= end
    assert week.between(reached, end) == timedelta()


@given(hours(), near_changes, durations, durations)
def test_more_time_ends_later(week: BusinessHours, start: datetime, one: timedelta, two: timedelta) -> None:
    """Of two durations the longer one ends later, and a later start never ends earlier."""
    shorter, longer = sorted((one, two))
    assert week.add(start, shorter) <= week.add(start, longer)
    assert week.add(start, longer) <= week.add(start + shorter, longer)


@given(hours(), near_changes)
def test_it_is_open_when_the_clock_on_the_wall_says_so(week: BusinessHours, at: datetime) -> None:
    """But for the hour that comes twice, it is open exactly while the local time lies in a span."""
    local = at.astimezone(week.zone)
    if local.replace(fold=1).astimezone(UTC) != local.replace(fold=0).astimezone(UTC):
        return
    minute = local.weekday() * 1440 + local.hour * 60 + local.minute
    is_covered = any(minute in span.minutes() for span in week.week)
    assert week.is_open(at) == (is_covered and local.date() not in week.holidays)


def test_nights_and_weekends_do_not_count() -> None:
    """Two hours from Friday at half past four end on Monday at half past nine and an hour."""
    friday = datetime(2026, 3, 6, 16, 30, tzinfo=UTC)
    assert OFFICE.add(friday, timedelta(hours=2)) == datetime(2026, 3, 9, 10, tzinfo=UTC)
    assert OFFICE.add(friday, timedelta(hours=1)) == datetime(2026, 3, 6, 17, 30, tzinfo=UTC)
    assert OFFICE.next_opening(datetime(2026, 3, 7, tzinfo=UTC)) == datetime(2026, 3, 9, 9, tzinfo=UTC)


def test_a_holiday_is_closed() -> None:
    """What is promised on Christmas Eve is due after Christmas and the weekend."""
    eve = datetime(2026, 12, 24, 17, tzinfo=UTC)
    assert OFFICE.add(eve, timedelta(hours=1)) == datetime(2026, 12, 28, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "worked"), [(date(2026, 3, 29), timedelta(hours=3)), (date(2026, 10, 25), timedelta(hours=5))]
)
def test_a_night_shift_is_as_long_as_the_night(day: date, worked: timedelta) -> None:
    """From midnight to four is an hour less where the clocks go forward, and one more where they go back."""
    night = BusinessHours(zone=LONDON, week=(Span(weekday=6, opens=time(0), closes=time(4)),))
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    assert night.between(noon - timedelta(days=1), noon) == worked


def test_a_span_that_begins_in_the_skipped_hour_begins_with_the_jump() -> None:
    """At half past one on that Sunday the clocks already show half past two."""
    week = BusinessHours(zone=LONDON, week=(Span(weekday=6, opens=time(1, 30), closes=time(3)),))
    jump = datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert week.next_opening(jump - timedelta(hours=3)) == jump
    assert week.between(jump - timedelta(hours=3), jump + timedelta(days=1)) == timedelta(hours=1)


def test_spans_go_over_midnight() -> None:
    """A late shift goes on into the next day, Sunday's into Monday; a holiday ends it at midnight."""
    late = BusinessHours(
        week=(Span(weekday=6, opens=time(22), closes=time(2)),), holidays=frozenset({date(2026, 3, 16)})
    )
    assert late.is_open(datetime(2026, 3, 9, 1, 59, tzinfo=UTC))
    assert not late.is_open(datetime(2026, 3, 9, 2, tzinfo=UTC))
    assert not late.is_open(datetime(2026, 3, 16, 1, tzinfo=UTC))


def test_around_the_clock_is_plain_time() -> None:
    """Where it is always open, working time is time."""
    start = datetime(2026, 3, 4, 12, 34, 56, tzinfo=UTC)
    assert ALWAYS.add(start, timedelta(days=40, seconds=1)) == start + timedelta(days=40, seconds=1)
    assert ALWAYS.between(start, start + timedelta(days=9)) == timedelta(days=9)
    assert ALWAYS.between(start, start - timedelta(days=9)) == timedelta()


def test_what_cannot_be_is_refused() -> None:
    """Spans that overlap, time taken back, and a week that never opens are errors with a reason."""
    with pytest.raises(ValueError, match="overlap on Monday"):
        BusinessHours(
            week=(Span(weekday=6, opens=time(22), closes=time(6)), Span(weekday=0, opens=time(5), closes=time(9)))
        )
    with pytest.raises(ValueError, match="never open"):
        BusinessHours(week=()).add(datetime(2026, 3, 4, tzinfo=UTC), timedelta(minutes=1))
    with pytest.raises(ValueError, match="taken back"):
        ALWAYS.add(datetime(2026, 3, 4, tzinfo=UTC), timedelta(minutes=-1))
    assert BusinessHours(week=()).next_opening(datetime(2026, 3, 4, tzinfo=UTC)) is None
