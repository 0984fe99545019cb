"""Giving out what waits in the queues of teams that take turns."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import structlog
from sqlalchemy import Connection

from bot.domain.desk import DeskPost, DeskPostKind
from bot.domain.routing import choose
from bot.domain.rules import Assignment, Team
from bot.domain.shifts import MayWork, anybody
from bot.domain.tickets import Agent, TicketId, TicketState
from bot.pipeline import notices
from bot.pipeline.outgoing import Writer
from bot.pipeline.overdue import give
from bot.store import agents, conversations, tickets
from bot.store.database import Database
from bot.store.ids import new_message_id

log = structlog.get_logger()


async def drain(database: Database, writer: Writer, may_work: MayWork = anybody) -> int:
    """Give what waits to those who are there and have room, one ticket in a transaction; return how many that were.

    Out of hours nothing is given out: whoever forgot to say that they have left is not there. Who may not work here any
    more is away from then on.
    """
    given_count = 0
    if not writer.rules.hours.is_open(writer.now):
        return given_count
    for team in writer.rules.teams:
        if team.assign is Assignment.ROUND_ROBIN:
            waiting = await database.read(_given_out, writer, team)
            if waiting:
                there = await database.read(agents.colleagues, team, writer.now)
                await _dismiss(database, [colleague.agent for colleague in there], may_work)
            for ticket_id in waiting:
                if not await database.write(give_out, writer, ticket_id):
                    break
                given_count += 1
    return given_count


async def dismiss_leavers(database: Database, now: datetime, may_work: MayWork) -> None:
    """Note that of those who are there, of whatever team, those are away who may not work here any more."""
    known = await database.read(agents.known)
    await _dismiss(database, [agent for agent, availability in known if availability.is_there(now)], may_work)


async def _dismiss(database: Database, there: Iterable[Agent], may_work: MayWork) -> None:
    for agent in there:
        if not await may_work(agent):
            log.warning("agent_gone", agent=agent.id)
            await database.write(agents.dismiss, agent.id)


def give_out(connection: Connection, writer: Writer, ticket_id: TicketId) -> bool:
    """Give a ticket of the queue to the last agent of this customer, or whose turn it is; false: nobody has room."""
    known = tickets.get(connection, ticket_id)
    if known is None:
        return True
    conversations.lock(connection, known.conversation_id)
    ticket = tickets.get(connection, ticket_id) or known
    if ticket.state is not TicketState.QUEUED or ticket.snoozed_until is not None:
        return True
    team = writer.rules.team(ticket.team)
    last = tickets.last_agent_of(connection, ticket.conversation_id)
    agent = choose(agents.colleagues(connection, team, writer.now), last.id if last else None)
    if agent is None:
        return False
    give(connection, writer, ticket, agent)
    post = DeskPost(
        ticket_id=ticket.id,
        kind=DeskPostKind.NOTICE,
        text=notices.assigned(agent.name),
        mentions=agent.mentions,
    )
    writer.post(connection, post, f"notice:{new_message_id()}")
    return True


def _given_out(connection: Connection, writer: Writer, team: Team) -> list[TicketId]:
    """Return the team's waiting tickets, most urgent first; none where nobody has room."""
    if choose(agents.colleagues(connection, team, writer.now), None) is None:
        return []
    rules = writer.rules
    return [ticket.id for ticket in tickets.waiting(connection) if rules.team(ticket.team).name == team.name]
