"""Who is there and how the day goes: `bot.domain.shifts.DeskShifts` over the database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from statistics import median

from sqlalchemy import Connection

from bot.domain.acts import Claim
from bot.domain.desk import DeskActs, Done
from bot.domain.errors import DeskError
from bot.domain.rules import Assignment, Rules, Team
from bot.domain.shifts import AgentLoad, Availability, Numbers, TeamLoad
from bot.domain.tickets import Agent, AgentId, TeamName, Ticket, TicketId, TicketState
from bot.pipeline import routing
from bot.pipeline.desk.acts import DeskParts
from bot.pipeline.outgoing import Writer
from bot.pipeline.watch import BROKEN_EVENT
from bot.store import acts as past_acts
from bot.store import agents, numbers, tickets


class Shifts:
    """Knows who is there, what they have, and what comes next."""

    def __init__(self, parts: DeskParts, acts: DeskActs) -> None:
        """Use `parts`, and claim by `acts`."""
        self._parts = parts
        self._acts = acts

    async def availability(self, agent: Agent) -> Availability:
        """Return whether the agent takes tickets; somebody new is away."""
        return await self._parts.database.read(agents.availability, agent.id)

    async def set_availability(self, agent: Agent, availability: Availability) -> None:
        """Note that the agent is there or away, and give them what waits for somebody who is there."""
        now = self._parts.clock.now()
        await self._parts.database.write(agents.set_availability, agent, availability, now)
        if availability.is_there(now):
            writer = Writer(now=now, desk=self._parts.desk, rules=self._parts.rules)
            await routing.drain(self._parts.database, writer, self._parts.may_work)
        self._parts.changed()

    async def next_for(self, agent: Agent, key: str) -> Done | None:
        """Claim for the agent what is most urgent in their teams' queues; none: nothing waits."""
        for ticket_id in await self._parts.database.read(_candidates, self._parts.rules, agent, key):
            try:
                return await self._acts.do(ticket_id, agent, Claim(), key)
            except DeskError:
                # Somebody else was faster.
                continue
        return None

    async def numbers(self, agent: Agent | None = None) -> Numbers:
        """Return the numbers of today, the agent's or everybody's; the day begins where the hours are kept."""
        since = _morning(self._parts.rules, self._parts.clock.now())
        return await self._parts.database.read(_numbers, self._parts.rules, since, agent.id if agent else None)

    async def people(self) -> list[Agent]:
        """Return everybody who ever said whether they are there, by name."""
        return [agent for agent, _ in await self._parts.database.read(agents.known)]

    async def load(self) -> list[TeamLoad]:
        """Return what each team has, in the order of the settings."""
        return await self._parts.database.read(_load, self._parts.rules, self._parts.clock.now())


def _candidates(connection: Connection, rules: Rules, agent: Agent, key: str) -> list[TicketId]:
    """Return what the agent could claim, most urgent first; what they claimed by the same act alone, if they did."""
    known = past_acts.find(connection, key)
    if known is not None:
        return [known.ticket_id]
    teams = agents.availability(connection, agent.id).teams
    waiting = tickets.waiting(connection)
    return [ticket.id for ticket in waiting if teams is None or rules.team(ticket.team).name in teams]


def _numbers(connection: Connection, rules: Rules, since: datetime, agent_id: AgentId | None) -> Numbers:
    closed = numbers.closed_since(connection, since, agent_id, BROKEN_EVENT)
    answered = numbers.first_answers_since(connection, since, agent_id)
    waits = [rules.hours.between(opened_at, answered_at).total_seconds() for opened_at, answered_at in answered]
    return Numbers(
        handled_count=closed.handled,
        first_response=timedelta(seconds=median(waits)) if waits else None,
        promised_count=closed.promised,
        kept_count=closed.kept,
        rated_count=closed.rated,
        rating=None if closed.rating is None else float(closed.rating),
    )


def _morning(rules: Rules, now: datetime) -> datetime:
    """Return when today began where the hours are kept."""
    return datetime.combine(now.astimezone(rules.hours.zone).date(), time(0), tzinfo=rules.hours.zone)


@dataclass(frozen=True, kw_only=True)
class _People:
    """Everybody who ever said whether they are there, and what they have of all teams' tickets."""

    known: list[tuple[Agent, Availability]]
    loads: Mapping[AgentId, int]
    now: datetime


def _load(connection: Connection, rules: Rules, now: datetime) -> list[TeamLoad]:
    open_tickets = [ticket for ticket in tickets.all_open(connection) if ticket.snoozed_until is None]
    people = _People(known=agents.known(connection), loads=agents.loads_of(connection), now=now)
    broken: Counter[TeamName] = Counter()
    for name, count in numbers.broken_since(connection, _morning(rules, now), BROKEN_EVENT).items():
        broken[rules.team(name).name] += count
    return [
        _load_of(
            team,
            [ticket for ticket in open_tickets if rules.team(ticket.team).name == team.name],
            people,
            broken[team.name],
        )
        for team in rules.teams
    ]


def _load_of(team: Team, mine: list[Ticket], people: _People, broken_count: int) -> TeamLoad:
    queued = [ticket for ticket in mine if ticket.state is TicketState.QUEUED]
    overdue = sorted((ticket for ticket in mine if _is_overdue(ticket, people.now)), key=lambda ticket: ticket.urgency)
    return TeamLoad(
        team=team.name,
        title=team.title,
        queued_count=len(queued),
        waiting_since=min((ticket.waiting_since for ticket in queued if ticket.waiting_since), default=None),
        overdue=tuple(ticket.id for ticket in overdue),
        broken_count=broken_count,
        agents=_agents_of(team, mine, people),
    )


def _agents_of(team: Team, mine: list[Ticket], people: _People) -> tuple[AgentLoad, ...]:
    """Return those who are there for the team or have tickets of it."""
    now, away = people.now, Availability(is_available=False)
    known = {agent.id: availability for agent, availability in people.known}
    there = [agent for agent, known_ in people.known if known_.is_there(now) and _works_for(known_, team)]
    busy = [ticket.agent for ticket in mine if ticket.agent is not None and ticket.state is TicketState.CLAIMED]
    loads = []
    for agent in {agent.id: agent for agent in (*busy, *there)}.values():
        availability = known.get(agent.id, away)
        theirs = [ticket for ticket in mine if ticket.is_of(agent)]
        capacity = team.capacity if availability.capacity is None else availability.capacity
        loads.append(
            AgentLoad(
                agent=agent,
                is_there=availability.is_there(now),
                back_at=availability.back_at,
                ticket_count=len(theirs),
                overdue_count=sum(_is_overdue(ticket, now) for ticket in theirs),
                load_count=people.loads.get(agent.id, 0),
                capacity=capacity if team.assign is Assignment.ROUND_ROBIN else None,
            )
        )
    return tuple(sorted(loads, key=lambda load: (load.agent.name, load.agent.id)))


def _works_for(availability: Availability, team: Team) -> bool:
    return availability.teams is None or team.name in availability.teams


def _is_overdue(ticket: Ticket, now: datetime) -> bool:
    return ticket.next_due_at is not None and ticket.next_due_at < now
