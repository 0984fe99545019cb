"""What happens when a moment comes that a ticket waits for: warnings, broken promises, ends of snoozes.

All functions but `sweep` are transaction bodies.
"""

from __future__ import annotations

from dataclasses import replace

import structlog
from sqlalchemy import Connection

from bot.domain.clocks import ClockKind, ClockState, TicketClock
from bot.domain.conversations import Owner
from bot.domain.desk import DeskPost, DeskPostKind
from bot.domain.rules import Assignment
from bot.domain.tickets import Agent, Ticket, TicketId, TicketState
from bot.pipeline import notices, promises
from bot.pipeline.desk.handling import Doing
from bot.pipeline.desk.ownership import take
from bot.pipeline.outgoing import Writer
from bot.pipeline.watch import ASK_ON_CALL, Watch
from bot.store import agents, clocks, conversations, tickets
from bot.store.database import Database
from bot.store.ids import new_message_id

log = structlog.get_logger()

#: Tickets that one sweep looks after at most.
SWEEP_MAX = 200


async def sweep(database: Database, writer: Writer) -> int:
    """Do what is due by `writer.now`, one ticket in a transaction; return how many tickets there were."""
    due = await database.read(clocks.due, writer.now, SWEEP_MAX)
    for ticket_id in due:
        try:
            await database.write(look_after, writer, ticket_id)
        except Exception:
            # One ticket must not keep all others from being looked after.
            log.exception("ticket_not_looked_after", ticket=ticket_id)
    return len(due)


def look_after(connection: Connection, writer: Writer, ticket_id: TicketId) -> None:
    """Do what is due for one ticket, and what has to be warned of."""
    known = tickets.get(connection, ticket_id)
    if known is None:
        return
    conversations.lock(connection, known.conversation_id)
    ticket = tickets.get(connection, ticket_id) or known
    # Another worker may have been here first.
    due = [clock for clock in clocks.of(connection, ticket_id) if clock.is_due(writer.now) or clock.warns(writer.now)]
    for clock in due:
        if clock.is_due(writer.now):
            _fall_due(connection, writer, ticket, clock)
        else:
            _warn(connection, writer, ticket, clock)
    if due:
        writer.post_card(connection, ticket_id)


def _warn(connection: Connection, writer: Writer, ticket: Ticket, clock: TicketClock) -> None:
    _set(connection, writer, ticket, replace(clock, state=ClockState.WARNED))
    _tell(connection, writer, ticket, notices.warned(clock, writer.now, writer.rules.hours.zone), _owner(ticket))


def _fall_due(connection: Connection, writer: Writer, ticket: Ticket, clock: TicketClock) -> None:
    match clock.kind:
        case ClockKind.SNOOZE:
            promises.ticket_woken(connection, writer, ticket)
            _tell(connection, writer, ticket, notices.woken(), _owner(ticket))
        case ClockKind.UNCLAIMED:
            _ask_more_people(connection, writer, ticket, clock)
        case ClockKind.PROMISE if not ticket.state.is_open:
            _set(connection, writer, ticket, replace(clock, state=ClockState.MET))
            _reopen(connection, writer, ticket, clock)
        case _:
            _set(connection, writer, ticket, replace(clock, state=ClockState.BROKEN))
            log.warning("promise_broken", ticket=ticket.id, number=ticket.number, what=clock.kind.value)
            said = notices.broken(clock, writer.now, writer.rules.hours.zone)
            _tell(connection, writer, ticket, said, (*_owner(ticket), *writer.rules.leads))


def _ask_more_people(connection: Connection, writer: Writer, ticket: Ticket, clock: TicketClock) -> None:
    team, is_last = writer.rules.team(ticket.team), clock.detail == ASK_ON_CALL
    asked = team.on_call or writer.rules.leads if is_last else tuple(filter(None, [team.user_group]))
    watch = Watch(connection, writer, ticket)
    watch.ask_on_call()
    watch.save()
    log.warning("ticket_unclaimed", ticket=ticket.id, number=ticket.number, asked=clock.detail)
    _tell(connection, writer, ticket, notices.unclaimed(ticket, team, writer.now, is_last=is_last), asked)


def _reopen(connection: Connection, writer: Writer, ticket: Ticket, clock: TicketClock) -> None:
    """Take a closed ticket up again for what was promised: for its agent if they are there, else for the queue."""
    other = tickets.open_of(connection, ticket.conversation_id)
    if other is not None:
        _tell(connection, writer, other, notices.broken(clock, writer.now, writer.rules.hours.zone), _owner(other))
        return
    conversation = conversations.get(connection, ticket.conversation_id)
    conversations.give_to(connection, conversation, Owner.QUEUE)
    queued = {"state": TicketState.QUEUED.value, "closed_at": None, "closing": None, "outcome": ""}
    ticket = tickets.change(connection, ticket.id, **queued)
    promises.ticket_reopened(connection, writer, ticket, is_customer_waiting=False)
    _tell(connection, writer, ticket, notices.reopened(clock), _owner(ticket))
    give_to_last_agent(connection, writer, ticket)


def give_to_last_agent(connection: Connection, writer: Writer, ticket: Ticket) -> bool:
    """Give a ticket that was opened again to whom it belonged, if they are there and have room; return whether.

    As where tickets are given out in turn: out of hours nobody is there, whoever forgot to say that they have left.
    """
    if ticket.state is not TicketState.QUEUED or ticket.agent is None or not writer.rules.hours.is_open(writer.now):
        return False
    team = writer.rules.team(ticket.team)
    there = {each.agent.id: each for each in agents.colleagues(connection, team, writer.now)}
    last = there.get(ticket.agent.id)
    if last is None or (team.assign is Assignment.ROUND_ROBIN and not last.has_room):
        return False
    give(connection, writer, ticket, ticket.agent)
    return True


def give(connection: Connection, writer: Writer, ticket: Ticket, agent: Agent) -> None:
    """Make the agent the owner of a ticket of the queue, whose conversation is locked."""
    conversation = conversations.get(connection, ticket.conversation_id)
    key = f"given:{ticket.id}:{conversation.epoch}"
    take(Doing(connection=connection, writer=writer, ticket=ticket, conversation=conversation, agent=agent, key=key))
    agents.note_assigned(connection, agent.id, writer.now)


def _set(connection: Connection, writer: Writer, ticket: Ticket, clock: TicketClock) -> None:
    watch = Watch(connection, writer, ticket)
    watch.put(clock)
    watch.save()


def _owner(ticket: Ticket) -> tuple[str, ...]:
    return ticket.agent.mentions if ticket.agent is not None else ()


def _tell(connection: Connection, writer: Writer, ticket: Ticket, text: str, mentions: tuple[str, ...]) -> None:
    post = DeskPost(ticket_id=ticket.id, kind=DeskPostKind.NOTICE, text=text, mentions=mentions)
    writer.post(connection, post, f"notice:{new_message_id()}")
