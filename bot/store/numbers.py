"""Counting what came of tickets."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, exists, func, or_, select

from bot.domain.tickets import AgentId, TeamName, TicketState
from bot.domain.waiting import Spell
from bot.store.schema import ticket_events, tickets


def closed_since(connection: Connection, since: datetime, agent_id: AgentId | None, broken_kind: str) -> Row[Any]:
    """Return `handled`, `promised`, `kept`, `rated` and `rating` of what was closed since then, by whom or by all.

    `broken_kind` is the kind of the line in a ticket's history for a promise that was not kept.
    """
    is_broken = exists().where(ticket_events.c.ticket_id == tickets.c.id, ticket_events.c.kind == broken_kind)
    is_promised = tickets.c.policy.is_not(None)
    query = select(
        func.count().label("handled"),
        func.count().filter(is_promised).label("promised"),
        func.count().filter(is_promised, ~is_broken).label("kept"),
        func.count(tickets.c.rating).label("rated"),
        func.avg(tickets.c.rating).label("rating"),
    )
    return connection.execute(query.where(tickets.c.closed_at >= since, *_whose(agent_id))).one()


def first_answers_since(
    connection: Connection, since: datetime, agent_id: AgentId | None
) -> list[tuple[datetime, datetime]]:
    """Return when tickets were opened and when they were first answered, of those first answered since then."""
    query = select(tickets.c.opened_at, tickets.c.first_replied_at)
    rows = connection.execute(query.where(tickets.c.first_replied_at >= since, *_whose(agent_id)))
    return [(row.opened_at, row.first_replied_at) for row in rows]


def broken_since(connection: Connection, since: datetime, broken_kind: str) -> dict[TeamName, int]:
    """Return how many promises about each team's tickets were broken since then, where any was."""
    query = (
        select(tickets.c.team, func.count())
        .join(ticket_events, ticket_events.c.ticket_id == tickets.c.id)
        .where(ticket_events.c.kind == broken_kind, ticket_events.c.at >= since)
        .group_by(tickets.c.team)
    )
    return {TeamName(team): count for team, count in connection.execute(query)}


def spells_since(connection: Connection, team: TeamName, since: datetime) -> list[Spell]:
    """Return when tickets of a team waited: those that were claimed since then, and those that wait now."""
    waits = (tickets.c.state == TicketState.QUEUED.value) & tickets.c.snoozed_until.is_(None)
    query = select(tickets.c.opened_at, tickets.c.claimed_at).where(
        tickets.c.team == team, or_(tickets.c.claimed_at >= since, waits)
    )
    return [Spell(since=row.opened_at, until=row.claimed_at) for row in connection.execute(query)]


def _whose(agent_id: AgentId | None) -> tuple[ColumnElement[bool], ...]:
    return () if agent_id is None else (tickets.c.agent_id == agent_id,)
