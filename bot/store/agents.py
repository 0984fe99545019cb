"""Agents: who is there, and what they have."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, or_, select, update

from bot.domain.routing import Colleague
from bot.domain.rules import Team
from bot.domain.shifts import Availability
from bot.domain.tickets import Agent, AgentId, TeamName, TicketState
from bot.store.database import insert_once
from bot.store.schema import agents, tickets


def availability(connection: Connection, agent_id: AgentId) -> Availability:
    """Return whether the agent takes tickets; somebody new is away."""
    row = connection.execute(select(agents).where(agents.c.id == agent_id)).one_or_none()
    return _availability(row) if row else Availability(is_available=False)


def set_availability(connection: Connection, agent: Agent, availability: Availability, now: datetime) -> None:
    """Note that the agent is there or away."""
    teams = availability.teams
    values: dict[str, object] = {
        "name": agent.name,
        "is_available": availability.is_available,
        "available_at": availability.back_at,
        "capacity": availability.capacity,
        "teams": None if teams is None else list(teams),
        "seen_at": now,
    }
    if not insert_once(connection, agents, {"id": agent.id} | values):
        connection.execute(update(agents).where(agents.c.id == agent.id).values(**values))


def dismiss(connection: Connection, agent_id: AgentId) -> None:
    """Note that an agent is away until they say otherwise."""
    gone = {"is_available": False, "available_at": None}
    connection.execute(update(agents).where(agents.c.id == agent_id).values(**gone))


def known(connection: Connection) -> list[tuple[Agent, Availability]]:
    """Return everybody who ever said whether they are there, by name."""
    rows = connection.execute(select(agents).order_by(agents.c.name, agents.c.id))
    return [(Agent(id=AgentId(row.id), name=row.name), _availability(row)) for row in rows]


def is_deserted(connection: Connection, team: TeamName, now: datetime) -> bool:
    """Whether everybody who takes tickets of the team is away; not where nobody ever said that they do."""
    theirs = [availability for _, availability in known(connection) if _is_in(team, availability.teams)]
    return bool(theirs) and not any(availability.is_there(now) for availability in theirs)


def colleagues(connection: Connection, team: Team, now: datetime) -> list[Colleague]:
    """Return the team's agents who are there, with what they have."""
    is_there = or_(agents.c.is_available, agents.c.available_at <= now)
    loads = loads_of(connection)
    return [
        Colleague(
            agent=Agent(id=AgentId(row.id), name=row.name),
            load=loads.get(AgentId(row.id), 0),
            capacity=team.capacity if row.capacity is None else row.capacity,
            last_assigned_at=row.last_assigned_at,
        )
        for row in connection.execute(select(agents).where(is_there).order_by(agents.c.id).with_for_update())
        if _is_in(team.name, _availability(row).teams)
    ]


def loads_of(connection: Connection) -> dict[AgentId, int]:
    """Return how many open tickets each agent has, without those put aside."""
    mine = (tickets.c.state == TicketState.CLAIMED.value) & tickets.c.snoozed_until.is_(None)
    rows = connection.execute(select(tickets.c.agent_id, func.count()).where(mine).group_by(tickets.c.agent_id))
    return {AgentId(agent_id): count for agent_id, count in rows}


def note_assigned(connection: Connection, agent_id: AgentId, now: datetime) -> None:
    """Remember that it was this agent's turn."""
    connection.execute(update(agents).where(agents.c.id == agent_id).values(last_assigned_at=now))


def _availability(row: Row[Any]) -> Availability:
    return Availability(
        is_available=row.is_available,
        back_at=row.available_at,
        capacity=row.capacity,
        teams=None if row.teams is None else tuple(TeamName(name) for name in row.teams),
    )


def _is_in(team: TeamName, names: Iterable[TeamName] | None) -> bool:
    return names is None or team in names
