"""How languages say amounts, days, times and lists."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Tongue:
    """The small words of one language; in patterns, `{…}` is filled in."""

    #: Monday first
    weekdays: tuple[str, ...]
    #: the same in a table of hours
    short_weekdays: tuple[str, ...]
    #: January first
    months: tuple[str, ...]
    #: {weekday}, {day}, {month}
    day: str
    #: what today, tomorrow and yesterday are called, by days from today
    nearby: dict[int, str]
    #: {day}, as it follows a verb
    on: str
    #: {day} and {time} of one moment
    at: str
    #: {symbol}, {whole}, {part}
    money: str
    #: what follows a time, where clocks go to 24; empty where they go to 12
    hours: str
    #: between the last two of a list
    and_: str
    #: of a shop
    closed: str


ENGLISH = Tongue(
    weekdays=("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    short_weekdays=("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    months=(
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ),
    day="{weekday} {day} {month}",
    nearby={0: "today", 1: "tomorrow", -1: "yesterday"},
    on="on {day}",
    at="{day} at {time}",
    money="{symbol}{whole}.{part}",
    hours="",
    and_="and",
    closed="closed",
)  # fmt: skip
GERMAN = Tongue(
    weekdays=("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"),
    short_weekdays=("Mo", "Di", "Mi", "Do", "Fr", "Sa", "So"),
    months=(
        "Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November",
        "Dezember",
    ),
    day="{weekday}, {day}. {month}",
    nearby={0: "heute", 1: "morgen", -1: "gestern"},
    on="am {day}",
    at="{day} um {time}",
    money="{whole},{part} {symbol}",
    hours="Uhr",
    and_="und",
    closed="geschlossen",
)  # fmt: skip
#: By the code that the slot `language` holds; any other is spoken to in English.
TONGUES = {"en": ENGLISH, "de": GERMAN}

#: What the action at work speaks.
speaking: ContextVar[Tongue] = ContextVar("speaking", default=ENGLISH)
