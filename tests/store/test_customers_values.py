from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import partial
from zoneinfo import ZoneInfo

import pytest

from bot.store.customers.values import UnreadableError, day, hour, minor_units, moment, whole

BERLIN = ZoneInfo("Europe/Berlin")
EAST = timezone(timedelta(hours=9))


@pytest.mark.parametrize(
    ("cell", "read"),
    [
        (datetime(2026, 7, 1, 12, tzinfo=EAST), datetime(2026, 7, 1, 3, tzinfo=UTC)),
        (datetime(2026, 7, 1, 12), datetime(2026, 7, 1, 10, tzinfo=UTC)),  # noqa: DTZ001 - told in local time
        ("2026-01-01 12:00:00.5", datetime(2026, 1, 1, 11, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-01-01T12:00:00Z", datetime(2026, 1, 1, 12, tzinfo=UTC)),
        (date(2026, 1, 1), datetime(2025, 12, 31, 23, tzinfo=UTC)),
        (None, None),
        ("", None),
    ],
)
def test_moments_are_read_in_the_brands_time_zone(cell: object, read: datetime | None) -> None:
    """A zone in the cell counts; without one it is the brand's, summer time included."""
    assert moment(cell, BERLIN) == read


@pytest.mark.parametrize(
    ("cell", "read"),
    [
        (date(2026, 1, 1), date(2026, 1, 1)),
        ("2026-01-01", date(2026, 1, 1)),
        (datetime(2026, 1, 1, 23, 30, tzinfo=UTC), date(2026, 1, 2)),
        (datetime(2026, 1, 1, 23, 30), date(2026, 1, 1)),  # noqa: DTZ001 - told in local time
        (None, None),
    ],
)
def test_dates_are_the_brands_local_ones(cell: object, read: date | None) -> None:
    """A moment of another zone falls on the date it is at the brand's."""
    assert day(cell, BERLIN) == read


@pytest.mark.parametrize(
    ("cell", "read"),
    [
        ("9:00", time(9)),
        ("9:00:30", time(9, 0, 30)),
        ("09:00:30", time(9, 0, 30)),
        (time(9, tzinfo=UTC), time(9)),
        (None, None),
        (" ", None),
    ],
)
def test_hours_are_times_or_texts(cell: object, read: time | None) -> None:
    """A text is an hour of the day, with or without the leading zero."""
    assert hour(cell) == read


@pytest.mark.parametrize(
    ("cell", "digits", "minor"),
    [
        (Decimal("12.50"), 2, 1250),
        (12.5, 2, 1250),
        ("12.5", 2, 1250),
        (0.29, 2, 29),
        (Decimal("0.005"), 2, 1),
        (980, 0, 980),
    ],
)
def test_decimal_amounts_become_minor_units(cell: object, digits: int, minor: int) -> None:
    """Decimals, floats and texts are amounts, exact to the minor unit."""
    assert minor_units(cell, digits, is_decimal=True) == minor


@pytest.mark.parametrize(
    "read",
    [
        partial(moment, "yesterday", BERLIN),
        partial(moment, 1_767_225_600, BERLIN),
        partial(day, 20_260_101, BERLIN),
        partial(day, "01/02/2026", BERLIN),
        partial(hour, "nine"),
        partial(hour, 9),
        partial(whole, 1.5),
        partial(whole, None),
        partial(whole, "NaN"),
        partial(whole, "Infinity"),
        partial(minor_units, "£12.50", 2, is_decimal=True),
        partial(minor_units, "NaN", 2, is_decimal=True),
        partial(minor_units, None, 2, is_decimal=True),
        partial(minor_units, Decimal("12.50"), 2, is_decimal=False),
    ],
)
def test_what_a_cell_should_not_hold_is_an_error(read: Callable[[], object]) -> None:
    """Nothing is guessed from a value of another kind, and the value is not repeated."""
    with pytest.raises(UnreadableError, match=r"^expected .*, found \w+$"):
        read()
