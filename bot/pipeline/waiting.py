"""What customers are told about how long they will wait."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

from sqlalchemy import Connection

from bot.domain.tickets import Ticket
from bot.domain.waiting import Wait, estimate, looked_back
from bot.pipeline import phrases
from bot.pipeline.outgoing import Writer
from bot.pipeline.phrases import told
from bot.store import agents, conversations, numbers, tickets

#: Who claimed something is there so long, whatever they said about it.
HERE_FOR = timedelta(minutes=30)
NOBODY_HERE = phrases.NOBODY_HERE


def outlook(connection: Connection, writer: Writer, ticket: Ticket) -> str:
    """Return a sentence on how long the customer of a queued ticket will wait, in their language, as far as is known.

    The body of a transaction that only reads.
    """
    language = conversations.get(connection, ticket.conversation_id).language
    now, hours = writer.now, writer.rules.hours
    opening = hours.next_opening(now)
    if opening is None:
        return told(phrases.CANNOT_SAY, language)
    if opening > now:
        return told(phrases.AWAY, language).format(when=_when(opening, now, hours.zone, language))
    spells = numbers.spells_since(connection, ticket.team, looked_back(now, hours))
    was_just_here = any(spell.until is not None and now - spell.until < HERE_FOR for spell in spells)
    if not was_just_here and agents.is_deserted(connection, writer.rules.team(ticket.team).name, now):
        return told(phrases.NOBODY_HERE, language)
    wait = estimate(tickets.place_in_queue(connection, ticket) or 1, spells, now, hours)
    if wait is None:
        return told(phrases.CANNOT_SAY, language)
    closing = hours.next_closing(now)
    next_opening = hours.next_opening(closing) if closing is not None and now + wait.longest > closing else None
    if closing is not None and next_opening is not None:
        back = _when(next_opening, now, hours.zone, language)
        is_today = closing.astimezone(hours.zone).date() == now.astimezone(hours.zone).date()
        until = f"{closing.astimezone(hours.zone):%H:%M}" if is_today else _when(closing, now, hours.zone, language)
        return told(phrases.UNTIL_BACK, language).format(until=until, when=back)
    return told(phrases.TAKES, language).format(time=words(wait, language))


def words(wait: Wait, language: str | None = None) -> str:
    """Return `about a minute`, `5 to 15 minutes`, `45 minutes to 2 hours`."""
    shortest, longest = (round(time.total_seconds() / 60) for time in (wait.shortest, wait.longest))
    if longest <= 1:
        return told(phrases.A_MINUTE, language)
    if not shortest:
        return told(phrases.UP_TO, language).format(longest=_minutes(longest, language))
    between = told(phrases.BETWEEN, language)
    if longest <= 90:
        return between.format(shortest=shortest, longest=_minutes(longest, language))
    if shortest < 60:
        return between.format(shortest=_minutes(shortest, language), longest=_minutes(longest, language))
    return between.format(shortest=_hours(shortest), longest=_minutes(longest, language))


def _minutes(count: int, language: str | None) -> str:
    if count > 90:
        return told(phrases.HOURS, language).format(count=_hours(count))
    form = phrases.ONE_MINUTE if count == 1 else phrases.MINUTES
    return told(form, language).format(count=count)


def _hours(minutes: int) -> str:
    return f"{minutes // 60}" + ("½" if minutes % 60 == 30 else "")


def _when(at: datetime, now: datetime, zone: tzinfo, language: str | None) -> str:
    """Return `today at 17:30`, `tomorrow at 09:00`, `on Monday at 09:00`, `on Monday, 30 March at 09:00`."""
    local, today = at.astimezone(zone), now.astimezone(zone).date()
    ahead = (local.date() - today) // timedelta(days=1)
    form = {0: phrases.TODAY_AT, 1: phrases.TOMORROW_AT}.get(ahead, phrases.WEEKDAY_AT if ahead < 7 else phrases.DAY_AT)
    weekday = told(phrases.WEEKDAYS, language).split()[local.weekday()]
    month = told(phrases.MONTHS, language).split()[local.month - 1]
    return told(form, language).format(time=f"{local:%H:%M}", weekday=weekday, day=local.day, month=month)
