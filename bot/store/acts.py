"""What acts changed on tickets, and putting it back. All functions are transaction bodies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, delete, select, update

from bot.domain.conversations import Owner
from bot.domain.tickets import Agent, AgentId, TicketId
from bot.store.database import Moment
from bot.store.schema import ticket_clocks, ticket_events, tickets

#: What no act of an agent's is about.
_KEPT = frozenset({"number", "id", "conversation_id", "desk_reference", "version"})


@dataclass(frozen=True, kw_only=True)
class State:
    """All that an act can change about a ticket, as JSON."""

    owner: Owner
    columns: Mapping[str, object]
    #: rows of its clocks
    clocks: tuple[Mapping[str, object], ...]


@dataclass(frozen=True, kw_only=True)
class Past:
    """An act that was done."""

    ticket_id: TicketId
    #: its name in the ticket's history
    kind: str
    agent: Agent | None
    #: until when it can be undone; none: it cannot
    until: datetime | None
    #: of the conversation, before it
    owner: Owner
    #: the ticket's columns that it changed, as they were before it
    columns: Mapping[str, Any]
    #: the ticket's clocks before it; none: it changed none
    clocks: tuple[Mapping[str, Any], ...] | None
    #: the ticket's after it
    version: int | None
    is_undone: bool


def state_of(connection: Connection, ticket_id: TicketId, owner: Owner) -> State:
    """Return what an act can change about a ticket, as it is now."""
    row = connection.execute(select(tickets).where(tickets.c.id == ticket_id)).mappings().one()
    of_ticket = select(ticket_clocks).where(ticket_clocks.c.ticket_id == ticket_id).order_by(ticket_clocks.c.kind)
    clocks = connection.execute(of_ticket).mappings().all()
    return State(
        owner=owner,
        columns={name: value for name, value in _as_json(row).items() if name not in _KEPT},
        clocks=tuple(_as_json(clock) for clock in clocks),
    )


def seal(connection: Connection, key: str, before: State, after: State, until: datetime) -> None:
    """Keep what the act of that key changed, so that it can be undone until then."""
    changed = {name: value for name, value in before.columns.items() if after.columns[name] != value}
    kept: dict[str, object] = {"until": until.isoformat(), "owner": before.owner.value, "columns": changed}
    if before.clocks != after.clocks:
        kept["clocks"] = list(before.clocks)
    ticket = select(tickets.c.version).where(tickets.c.id == ticket_events.c.ticket_id).scalar_subquery()
    sealed = update(ticket_events).where(ticket_events.c.key == key)
    connection.execute(sealed.values(before=kept, version=ticket))


def find(connection: Connection, key: str) -> Past | None:
    """Return the act of that key, or none."""
    row = connection.execute(select(ticket_events).where(ticket_events.c.key == key)).one_or_none()
    if row is None:
        return None
    before: dict[str, Any] = row.before or {}
    return Past(
        ticket_id=TicketId(row.ticket_id),
        kind=row.kind,
        agent=Agent(id=AgentId(row.agent_id), name=row.agent_name or "") if row.agent_id else None,
        until=datetime.fromisoformat(before["until"]) if "until" in before else None,
        owner=Owner(before.get("owner", Owner.BOT)),
        columns=before.get("columns", {}),
        clocks=before.get("clocks"),
        version=row.version,
        is_undone=row.undone_at is not None,
    )


def columns_before(past: Past) -> dict[str, object]:
    """Return the ticket's columns that an act changed, as `bot.store.tickets.change` takes them."""
    return _from_json(tickets, past.columns)


def restore_clocks(connection: Connection, past: Past) -> None:
    """Put the ticket's clocks back as they were before an act."""
    if past.clocks is None:
        return
    connection.execute(delete(ticket_clocks).where(ticket_clocks.c.ticket_id == past.ticket_id))
    if past.clocks:
        connection.execute(ticket_clocks.insert(), [_from_json(ticket_clocks, row) for row in past.clocks])


def mark_undone(connection: Connection, key: str, now: datetime) -> None:
    """Note that the act of that key was undone."""
    connection.execute(update(ticket_events).where(ticket_events.c.key == key).values(undone_at=now))


def _as_json(row: Mapping[Any, Any]) -> dict[str, object]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}


def _from_json(table: Table, values: Mapping[str, Any]) -> dict[str, object]:
    return {
        name: datetime.fromisoformat(value) if value is not None and isinstance(table.c[name].type, Moment) else value
        for name, value in values.items()
    }
