"""How amounts, days, times and lists are said to customers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from actions.tongues import speaking
from bot.domain.customers import Money, Order, OrderItem

#: The brand's clock on the wall.
LOCAL_ZONE = ZoneInfo("Europe/London")
_SYMBOLS = {"GBP": "£", "EUR": "€", "USD": "$"}
_ITEMS_SHOWN = 3
#: From here on a weekday's name alone would be taken for another week's.
_WEEK = 7


def money(amount: Money) -> str:
    """Return an amount as a price tag shows it: `£12.50`."""
    symbol = _SYMBOLS.get(amount.currency, f"{amount.currency} ")
    sign = "-" if amount.minor < 0 else ""
    whole, part = abs(amount.minor) // 100, f"{abs(amount.minor) % 100:02d}"
    return sign + speaking.get().money.format(symbol=symbol, whole=whole, part=part).strip()


def local_day(moment: datetime) -> date:
    """Return the brand's local date of an aware moment."""
    return moment.astimezone(LOCAL_ZONE).date()


def day(when: date, today: date) -> str:
    """Return a day as people say it: `tomorrow, Tuesday 24 November`; the year only when it is another one."""
    tongue = speaking.get()
    name = tongue.day.format(weekday=tongue.weekdays[when.weekday()], day=when.day, month=tongue.months[when.month - 1])
    if abs((when - today).days) >= _WEEK and when.year != today.year:
        name += f" {when.year}"
    nearby = tongue.nearby.get((when - today).days)
    return f"{nearby}, {name}" if nearby else name


def on_day(when: date, today: date) -> str:
    """Return a day as it follows a verb: `today, Monday 23 November` or `on Friday 27 November`."""
    text = day(when, today)
    return text if abs((when - today) / timedelta(days=1)) <= 1 else speaking.get().on.format(day=text)


def clock(at: time) -> str:
    """Return a time of day: `8am`, `5:30pm`."""
    if hours := speaking.get().hours:
        return f"{at.hour}:{at.minute:02d} {hours}" if at.minute else f"{at.hour} {hours}"
    hour = at.hour % 12 or 12
    half = "am" if at.hour < 12 else "pm"
    return f"{hour}:{at.minute:02d}{half}" if at.minute else f"{hour}{half}"


def listing(parts: Sequence[str]) -> str:
    """Return `a, b and c`."""
    if len(parts) <= 1:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {speaking.get().and_} {parts[-1]}"


def item(line: OrderItem) -> str:
    """Return one line of an order: `2 × Earl Grey Blue Flower`."""
    return f"{line.quantity} × {line.name}" if line.quantity > 1 else line.name


def items(order: Order) -> str:
    """Return what is in an order, the first few things by name."""
    names = [item(line) for line in order.items]
    rest = len(names) - _ITEMS_SHOWN
    if rest > 0:
        names = [*names[:_ITEMS_SHOWN], f"{rest} more"]
    return listing(names)
