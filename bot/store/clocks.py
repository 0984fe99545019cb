"""The clocks of tickets, and what was promised about each ticket."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, Row, delete, or_, select, update

from bot.domain.clocks import ClockKind, ClockState, TicketClock
from bot.domain.promises import PromisePolicy
from bot.domain.tickets import Ticket, TicketId
from bot.store.codec import to_json
from bot.store.schema import ticket_clocks, tickets

_POLICY: TypeAdapter[PromisePolicy] = TypeAdapter(PromisePolicy)
_RUNNING = (ClockState.RUNNING.value, ClockState.WARNED.value)


def of(connection: Connection, ticket_id: TicketId) -> tuple[TicketClock, ...]:
    """Return a ticket's clocks, the earliest first."""
    query = select(ticket_clocks).where(ticket_clocks.c.ticket_id == ticket_id)
    rows = connection.execute(query.order_by(ticket_clocks.c.due_at, ticket_clocks.c.kind))
    return tuple(_clock(row) for row in rows)


def write(connection: Connection, ticket_id: TicketId, clocks: Iterable[TicketClock]) -> None:
    """Make these a ticket's clocks, in place of all it had; the caller has locked the conversation."""
    connection.execute(delete(ticket_clocks).where(ticket_clocks.c.ticket_id == ticket_id))
    values = [
        {
            "ticket_id": ticket_id,
            "kind": clock.kind.value,
            "state": clock.state.value,
            "due_at": clock.due_at,
            "warn_at": clock.warn_at,
            "left_seconds": None if clock.left is None else clock.left.total_seconds(),
            "detail": clock.detail,
        }
        for clock in clocks
    ]
    if values:
        connection.execute(ticket_clocks.insert(), values)


def due(connection: Connection, now: datetime, limit: int) -> list[TicketId]:
    """Return tickets with a clock that is due or to be warned of, those that are due longest first."""
    is_due = ticket_clocks.c.state.in_(_RUNNING) & (ticket_clocks.c.due_at <= now)
    is_to_warn = (ticket_clocks.c.state == ClockState.RUNNING.value) & (ticket_clocks.c.warn_at <= now)
    query = select(ticket_clocks.c.ticket_id).where(or_(is_due, is_to_warn)).order_by(ticket_clocks.c.due_at)
    return list(dict.fromkeys(TicketId(ticket_id) for ticket_id in connection.scalars(query.limit(limit))))


def note(connection: Connection, ticket: Ticket) -> None:
    """Write what follows from a ticket's clocks; that is no act, so the version stays."""
    values = {
        "waiting_since": ticket.waiting_since,
        "first_replied_at": ticket.first_replied_at,
        "snoozed_until": ticket.snoozed_until,
        "next_due_at": ticket.next_due_at,
    }
    connection.execute(update(tickets).where(tickets.c.id == ticket.id).values(**values))


def set_policy(connection: Connection, ticket_id: TicketId, policy: PromisePolicy | None) -> None:
    """Keep what is promised about a ticket, whatever the settings say later; none: nothing is."""
    kept = None if policy is None else to_json(_POLICY, policy)
    connection.execute(update(tickets).where(tickets.c.id == ticket_id).values(policy=kept))


def policy_of(connection: Connection, ticket_id: TicketId) -> PromisePolicy | None:
    """Return what is promised about a ticket; none: nothing is."""
    kept = connection.scalar(select(tickets.c.policy).where(tickets.c.id == ticket_id))
    return None if kept is None else _POLICY.validate_python(kept)


def _clock(row: Row[Any]) -> TicketClock:
    return TicketClock(
        kind=ClockKind(row.kind),
        state=ClockState(row.state),
        due_at=row.due_at,
        warn_at=row.warn_at,
        left=None if row.left_seconds is None else timedelta(seconds=row.left_seconds),
        detail=row.detail,
    )
