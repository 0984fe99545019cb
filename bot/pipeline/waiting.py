"""What customers are told about how long they will wait."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

from sqlalchemy import Connection

from bot.domain.tickets import Ticket
from bot.domain.waiting import Wait, estimate, looked_back
from bot.pipeline.outgoing import Writer
from bot.pipeline.phrases import CANNOT_SAY
from bot.store import agents, numbers, tickets

#: Who claimed something is there so long, whatever they said about it.
HERE_FOR = timedelta(minutes=30)
NOBODY_HERE = "None of my colleagues is here right now; somebody will answer as soon as they are back."


def outlook(connection: Connection, writer: Writer, ticket: Ticket) -> str:
    """Return a sentence on how long the customer of a queued ticket will wait, as far as it can be known.

    The body of a transaction that only reads.
    """
    now, hours = writer.now, writer.rules.hours
    opening = hours.next_opening(now)
    if opening is None:
        return CANNOT_SAY
    if opening > now:
        return f"Our team is away right now and will be back {_when(opening, now, hours.zone)}."
    spells = numbers.spells_since(connection, ticket.team, looked_back(now, hours))
    was_just_here = any(spell.until is not None and now - spell.until < HERE_FOR for spell in spells)
    if not was_just_here and agents.is_deserted(connection, writer.rules.team(ticket.team).name, now):
        return NOBODY_HERE
    wait = estimate(tickets.place_in_queue(connection, ticket) or 1, spells, now, hours)
    if wait is None:
        return CANNOT_SAY
    closing = hours.next_closing(now)
    next_opening = hours.next_opening(closing) if closing is not None and now + wait.longest > closing else None
    if closing is not None and next_opening is not None:
        until, back = _when(closing, now, hours.zone), _when(next_opening, now, hours.zone)
        return f"Our team is here until {until.removeprefix('today at ')}, so it may take until we are back {back}."
    return f"It should take {words(wait)}."


def words(wait: Wait) -> str:
    """Return `about a minute`, `5 to 15 minutes`, `45 minutes to 2 hours`."""
    shortest, longest = (round(time.total_seconds() / 60) for time in (wait.shortest, wait.longest))
    if longest <= 1:
        return "about a minute"
    if not shortest:
        return f"up to {_minutes(longest)}"
    if longest <= 90:
        return f"{shortest} to {longest} minutes"
    if shortest < 60:
        return f"{_minutes(shortest)} to {_minutes(longest)}"
    return f"{_hours(shortest)} to {_minutes(longest)}"


def _minutes(count: int) -> str:
    if count > 90:
        return f"{_hours(count)} hours"
    return "1 minute" if count == 1 else f"{count} minutes"


def _hours(minutes: int) -> str:
    return f"{minutes // 60}" + ("½" if minutes % 60 == 30 else "")


def _when(at: datetime, now: datetime, zone: tzinfo) -> str:
    """Return `today at 17:30`, `tomorrow at 09:00`, `on Monday at 09:00`, `on Monday, 30 March at 09:00`."""
    local, today = at.astimezone(zone), now.astimezone(zone).date()
    match (local.date() - today) // timedelta(days=1):
        case 0:
            return f"today at {local:%H:%M}"
        case 1:
            return f"tomorrow at {local:%H:%M}"
        case days if days < 7:
            return f"on {local:%A} at {local:%H:%M}"
        case _:
            return f"on {local:%A}, {local.day} {local:%B} at {local:%H:%M}"
