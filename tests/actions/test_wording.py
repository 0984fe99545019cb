from __future__ import annotations

from datetime import UTC, date, datetime, time

import pytest

from actions.tongues import GERMAN, speaking
from actions.wording import clock, day, listing, local_day, money, on_day
from bot.domain.customers import Money

MONDAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        (Money(minor=1250), "£12.50"),
        (Money(minor=5), "£0.05"),
        (Money(minor=-300), "-£3.00"),
        (Money(minor=1999, currency="EUR"), "€19.99"),
        (Money(minor=100, currency="SEK"), "SEK 1.00"),
    ],
)
def test_amounts_read_like_price_tags(amount: Money, said: str) -> None:
    """An amount has its currency's sign and two places."""
    assert money(amount) == said


@pytest.mark.parametrize(
    ("when", "said"),
    [
        (date(2026, 11, 23), "today, Monday 23 November"),
        (date(2026, 11, 24), "tomorrow, Tuesday 24 November"),
        (date(2026, 11, 22), "yesterday, Sunday 22 November"),
        (date(2026, 11, 27), "on Friday 27 November"),
        (date(2026, 1, 2), "on Friday 2 January"),
        (date(2025, 12, 24), "on Wednesday 24 December 2025"),
    ],
)
def test_days_are_said_as_people_say_them(when: date, said: str) -> None:
    """Near days have names, other days their date, days of another year the year."""
    assert on_day(when, MONDAY) == said
    assert day(when, MONDAY) == said.removeprefix("on ")


@pytest.mark.parametrize(
    ("at", "said"), [(time(8), "8am"), (time(17, 30), "5:30pm"), (time(0), "12am"), (time(12), "12pm")]
)
def test_times_of_day_are_short(at: time, said: str) -> None:
    """Full hours have no minutes."""
    assert clock(at) == said


def test_the_brands_day_is_that_of_its_clock() -> None:
    """An hour before midnight UTC in summer is the next day in London."""
    assert local_day(datetime(2026, 7, 1, 23, 30, tzinfo=UTC)) == date(2026, 7, 2)


def test_lists_end_with_and() -> None:
    """Two things are joined by a word, more by commas too."""
    assert [listing([]), listing(["a"]), listing(["a", "b"]), listing(["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]


def test_in_german_all_of_it_is_said_as_germans_do() -> None:
    """Days, times, amounts and lists follow the language that is spoken."""
    before = speaking.set(GERMAN)
    said = [
        on_day(date(2026, 11, 24), MONDAY), on_day(date(2025, 12, 24), MONDAY), clock(time(17, 30)), clock(time(8)),
        money(Money(minor=-1250)), listing(["a", "b", "c"]),
    ]  # fmt: skip
    speaking.reset(before)
    assert said == [
        "morgen, Dienstag, 24. November", "am Mittwoch, 24. Dezember 2025", "17:30 Uhr", "8 Uhr", "-12,50 £",
        "a, b und c",
    ]  # fmt: skip
