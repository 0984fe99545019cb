"""Tickets and their history."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, literal, literal_column, select, tuple_, update

from bot.domain.conversations import ConversationId
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.routing import Route
from bot.domain.tickets import (
    AT_ONCE,
    NEVER,
    Agent,
    AgentId,
    Priority,
    TeamName,
    Ticket,
    TicketEvent,
    TicketId,
    TicketState,
)
from bot.store.database import Moment, insert_once
from bot.store.ids import new_ticket_id
from bot.store.prepared import Prepared
from bot.store.schema import conversations, identities, ticket_events, tickets

_OPEN = (TicketState.QUEUED.value, TicketState.CLAIMED.value)
_IS_OPEN = tickets.c.state.in_([literal_column(f"'{state}'") for state in _OPEN])
# `Ticket.urgency`
_URGENCY = (
    case(
        (tickets.c.reason == Reason.IN_DANGER.value, literal(AT_ONCE, Moment())),
        else_=func.coalesce(tickets.c.next_due_at, literal(NEVER, Moment())),
    ),
    case({priority.value: priority.rank for priority in Priority}, value=tickets.c.priority),
    tickets.c.number,
)
_OPEN_ONE = select(tickets).where(tickets.c.conversation_id == bindparam("conversation"), tickets.c.state.in_(_OPEN))
_NEWEST = Prepared(
    select(tickets)
    .where(tickets.c.conversation_id == bindparam("conversation"))
    .order_by(_IS_OPEN.desc(), tickets.c.number.desc())
    .limit(1)
)


@dataclass(frozen=True, kw_only=True)
class ToldPlace:
    """What a customer who waits was told about their place in the queue."""

    place: int
    at: datetime


def open_ticket(
    connection: Connection, conversation_id: ConversationId, request: HandoffRequest, now: datetime, route: Route
) -> Ticket:
    """Open a ticket for a conversation that has none open; the caller has locked the conversation."""
    values = {
        "id": new_ticket_id(),
        "conversation_id": conversation_id,
        "state": TicketState.QUEUED.value,
        "reason": request.reason.value,
        "topic": request.topic[:200],
        "summary": request.summary,
        "tried": list(request.tried),
        "order_number": request.order_number,
        "opened_at": now,
        "team": route.team.name,
        "priority": route.priority.value,
    }
    row = connection.execute(tickets.insert().values(**values).returning(*tickets.c)).one()
    ticket = _ticket(row)
    log(connection, ticket.id, TicketEvent(at=now, kind="opened", agent=None, detail=request.summary))
    return ticket


def get(connection: Connection, ticket_id: TicketId) -> Ticket | None:
    """Return a ticket, or none."""
    row = connection.execute(select(tickets).where(tickets.c.id == ticket_id)).one_or_none()
    return _ticket(row) if row else None


def open_of(connection: Connection, conversation_id: ConversationId) -> Ticket | None:
    """Return the open ticket of a conversation, or none."""
    row = connection.execute(_OPEN_ONE, {"conversation": conversation_id}).one_or_none()
    return _ticket(row) if row else None


def last_of(connection: Connection, conversation_id: ConversationId) -> Ticket | None:
    """Return the open ticket of a conversation, else its newest one, or none."""
    row = _NEWEST.one(connection, {"conversation": conversation_id})
    return _ticket(row) if row else None


def by_reference(connection: Connection, desk_reference: str) -> TicketId | None:
    """Return the ticket whose card the desk calls so, or none."""
    found: str | None = connection.scalar(select(tickets.c.id).where(tickets.c.desk_reference == desk_reference))
    return TicketId(found) if found else None


def all_open(connection: Connection) -> list[Ticket]:
    """Return the queue, what is due first before the rest, then the claimed tickets."""
    rows = connection.execute(
        select(tickets).where(tickets.c.state.in_(_OPEN)).order_by(tickets.c.state.desc(), *_URGENCY)
    )
    return [_ticket(row) for row in rows]


def waiting(connection: Connection) -> list[Ticket]:
    """Return what waits for a person now, of all teams, what is due first before the rest."""
    is_waiting = (tickets.c.state == TicketState.QUEUED.value) & tickets.c.snoozed_until.is_(None)
    return [_ticket(row) for row in connection.execute(select(tickets).where(is_waiting).order_by(*_URGENCY))]


def last_agent_of(connection: Connection, conversation_id: ConversationId) -> Agent | None:
    """Return who had the newest ticket of this customer that anybody had, on whatever channel, or none."""
    address = select(conversations.c.address).where(conversations.c.id == conversation_id).scalar_subquery()
    customer = select(identities.c.customer_id).where(identities.c.address == address).scalar_subquery()
    theirs = select(conversations.c.id).join(identities, identities.c.address == conversations.c.address)
    of_customer = tickets.c.conversation_id.in_(theirs.where(identities.c.customer_id == customer))
    mine = (tickets.c.conversation_id == conversation_id) | of_customer
    had = select(tickets).where(mine, tickets.c.agent_id.is_not(None)).order_by(tickets.c.number.desc()).limit(1)
    row = connection.execute(had).first()
    return _agent(row.agent_id, row.agent_name) if row else None


def place_in_queue(connection: Connection, ticket: Ticket) -> int | None:
    """Return the ticket's place in its team's queue, 1 being next; none when it is not in the queue."""
    if ticket.state is not TicketState.QUEUED:
        return None
    due_at, rank, number = ticket.urgency
    mine = tuple_(literal(due_at, Moment()), literal(rank), literal(number))
    ahead = connection.scalar(
        select(func.count()).where(
            tickets.c.state == TicketState.QUEUED.value,
            tickets.c.team == ticket.team,
            tickets.c.snoozed_until.is_(None),
            tuple_(*_URGENCY) < mine,
        )
    )
    return int(ahead or 0) + 1


def told_places(connection: Connection) -> dict[TicketId, ToldPlace]:
    """Return what those who wait were told last about their place."""
    is_told = (tickets.c.state == TicketState.QUEUED.value) & tickets.c.told_place.is_not(None)
    rows = connection.execute(select(tickets.c.id, tickets.c.told_place, tickets.c.told_at).where(is_told))
    return {TicketId(row.id): ToldPlace(place=row.told_place, at=row.told_at) for row in rows}


def told_place(connection: Connection, ticket_id: TicketId) -> ToldPlace | None:
    """Return what the customer of one ticket was told last about their place, or none."""
    query = select(tickets.c.told_place, tickets.c.told_at).where(tickets.c.id == ticket_id)
    row = connection.execute(query).one()
    return ToldPlace(place=row.told_place, at=row.told_at) if row.told_place is not None else None


def note_told(connection: Connection, ticket_id: TicketId, place: int, now: datetime) -> None:
    """Remember what a customer was told about their place; that is no act, so the version stays."""
    connection.execute(update(tickets).where(tickets.c.id == ticket_id).values(told_place=place, told_at=now))


def change(connection: Connection, ticket_id: TicketId, **values: object) -> Ticket:
    """Write columns of a ticket and return it as it is now."""
    row = connection.execute(
        update(tickets)
        .where(tickets.c.id == ticket_id)
        .values(version=tickets.c.version + 1, **values)
        .returning(*tickets.c)
    )
    return _ticket(row.one())


def refer(connection: Connection, ticket_id: TicketId, desk_reference: str | None) -> Ticket:
    """Keep what the desk calls the ticket's card; that is no act, so the version stays."""
    referred = update(tickets).where(tickets.c.id == ticket_id).values(desk_reference=desk_reference)
    return _ticket(connection.execute(referred.returning(*tickets.c)).one())


def log(connection: Connection, ticket_id: TicketId, event: TicketEvent, key: str | None = None) -> bool:
    """Append to a ticket's history; return false, and change nothing, when the act of that key is there already."""
    values = {
        "ticket_id": ticket_id,
        "at": event.at,
        "kind": event.kind,
        "agent_id": event.agent.id if event.agent else None,
        "agent_name": event.agent.name if event.agent else None,
        "detail": event.detail,
        "key": key,
    }
    return insert_once(connection, ticket_events, values)


def events(connection: Connection, ticket_id: TicketId) -> list[TicketEvent]:
    """Return a ticket's history, oldest first."""
    rows = connection.execute(
        select(ticket_events).where(ticket_events.c.ticket_id == ticket_id).order_by(ticket_events.c.id)
    )
    return [
        TicketEvent(
            at=row.at,
            kind=row.kind,
            agent=_agent(row.agent_id, row.agent_name),
            detail=row.detail,
            is_undone=row.undone_at is not None,
        )
        for row in rows
    ]


def last_event(connection: Connection, ticket_id: TicketId, kinds: Collection[str]) -> TicketEvent | None:
    """Return the newest line of one of these kinds in a ticket's history, or none."""
    mine = (ticket_events.c.ticket_id == ticket_id) & ticket_events.c.kind.in_(kinds)
    row = connection.execute(select(ticket_events).where(mine).order_by(ticket_events.c.id.desc()).limit(1)).first()
    if row is None:
        return None
    return TicketEvent(at=row.at, kind=row.kind, agent=_agent(row.agent_id, row.agent_name), detail=row.detail)


def _agent(agent_id: str | None, name: str | None) -> Agent | None:
    return Agent(id=AgentId(agent_id), name=name or "") if agent_id else None


def _ticket(row: Any) -> Ticket:
    return Ticket(
        id=TicketId(row.id),
        number=row.number,
        conversation_id=ConversationId(row.conversation_id),
        state=TicketState(row.state),
        request=HandoffRequest(
            reason=Reason(row.reason),
            topic=row.topic,
            summary=row.summary,
            tried=tuple(row.tried),
            order_number=row.order_number,
        ),
        opened_at=row.opened_at,
        agent=_agent(row.agent_id, row.agent_name),
        claimed_at=row.claimed_at,
        closed_at=row.closed_at,
        outcome=row.outcome,
        desk_reference=row.desk_reference,
        team=TeamName(row.team),
        priority=Priority(row.priority),
        tags=tuple(row.tags or ()),
        closing=row.closing or "",
        snoozed_until=row.snoozed_until,
        waiting_since=row.waiting_since,
        first_replied_at=row.first_replied_at,
        next_due_at=row.next_due_at,
        rating=row.rating,
        bot_may_act=row.bot_may_act,
        version=row.version,
    )
