"""What agents do: each act is one transaction that changes owner, ticket and outbox together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from sqlalchemy import Connection

from bot.domain.acts import UNDO_FOR, Act
from bot.domain.customers import Candidate
from bot.domain.desk import Done
from bot.domain.errors import DeskError, DirectoryUnavailableError
from bot.domain.messages import message_id_of
from bot.domain.ports import Clock, CustomerDirectory
from bot.domain.rules import Rules
from bot.domain.shifts import MayWork, anybody
from bot.domain.tickets import Agent, TeamName, Ticket, TicketEvent, TicketId, TicketView
from bot.pipeline.desk import another_way, arranging, closing, identity, ownership, publicly, talking, undoing
from bot.pipeline.desk.handling import Doing, Handlers
from bot.pipeline.desk.history import name_of, words_of
from bot.pipeline.desk.publicly import PublicReplies
from bot.pipeline.desk.views import Views
from bot.pipeline.outgoing import DeskAddress, Writer
from bot.store import acts, conversations, tickets, transcript
from bot.store.database import Database

_HANDLERS: Handlers = {
    **ownership.HANDLERS,
    **arranging.HANDLERS,
    **talking.HANDLERS,
    **another_way.HANDLERS,
    **closing.HANDLERS,
    **publicly.HANDLERS,
    **identity.HANDLERS,
    **undoing.HANDLERS,
}


@dataclass(frozen=True, kw_only=True)
class DeskParts:
    """What the desk's acts need."""

    database: Database
    clock: Clock
    directory: CustomerDirectory
    #: none: agents read the database itself
    desk: DeskAddress | None
    #: how tickets are worked
    rules: Rules = field(default_factory=Rules)
    #: how long acts can be taken back at the most
    undo_for: timedelta = UNDO_FOR
    #: how long replies are held back, so that they can be taken back
    hold_replies: timedelta = timedelta()
    #: whether an agent whom a ticket could be given to still works here
    may_work: MayWork = anybody
    #: called after each act
    changed: Callable[[], None] = lambda: None


class Desk:
    """`bot.domain.desk.DeskActs` over the database."""

    def __init__(self, parts: DeskParts) -> None:
        """Use `parts`."""
        self._parts = parts
        self._replies = PublicReplies(parts.database, parts.directory, parts.rules.public)
        self._views = Views(parts.database, parts.directory, parts.clock, parts.rules)

    async def do(self, ticket_id: TicketId, agent: Agent, act: Act, key: str) -> Done:
        """Carry out an act, once for each key; raises `DeskError` with a sentence for the agent."""
        await self._replies.check(ticket_id, act)
        writer = Writer(now=self._parts.clock.now(), desk=self._parts.desk, rules=self._parts.rules)
        undo_for = min(self._parts.undo_for, undoing.undo_for(act, self._parts.hold_replies))
        asked = _Asked(ticket_id=ticket_id, agent=agent, act=act, key=key, undo_for=undo_for)
        done = await self._parts.database.write(_do, writer, asked)
        self._parts.changed()
        return done

    async def exposed(self, ticket_id: TicketId, text: str) -> tuple[str, ...]:
        """Return what of somebody's alone a reply would tell everybody; nothing where the conversation is private."""
        return await self._replies.exposed(ticket_id, text) or ()

    async def view(self, ticket_id: TicketId) -> TicketView | None:
        """Return the ticket with all an agent needs to see, or none."""
        return await self._views.one(ticket_id)

    async def open_tickets(self) -> list[TicketView]:
        """Return the open tickets as lists show them: the queue, next one first, then the claimed ones."""
        return await self._views.listed()

    async def mine(self, agent: Agent) -> list[TicketView]:
        """Return the open tickets that the agent has, what is due first before the rest."""
        return await self._views.mine(agent)

    async def queue(self, team: TeamName) -> list[TicketView]:
        """Return a team's tickets that wait for a person, next one first."""
        return await self._views.queue(team)

    async def waiting(self, skip: int, limit: int) -> tuple[list[TicketView], int]:
        """Return a part of all teams' queues, next one first, and how many wait in all; without records."""
        return await self._views.waiting(skip, limit)

    async def find(self, words: str) -> list[TicketView]:
        """Return the newest tickets of that number, order or customer, or in which that was said."""
        return await self._views.found(words)

    async def candidates(self, ticket_id: TicketId) -> list[Candidate]:
        """Return whom the ticket's customer may be, with the evidence; raises `DeskError`."""
        try:
            return await identity.candidates(self._parts.database, self._parts.directory, ticket_id)
        except DirectoryUnavailableError as error:
            raise DeskError("The brand's records cannot be read now: try again in a while.") from error

    async def by_reference(self, desk_reference: str) -> TicketId | None:
        """Return the ticket whose card the desk calls so, or none."""
        return await self._parts.database.read(tickets.by_reference, desk_reference)


@dataclass(frozen=True, kw_only=True)
class _Asked:
    ticket_id: TicketId
    agent: Agent
    act: Act
    key: str
    #: how long it can be taken back
    undo_for: timedelta


def _do(connection: Connection, writer: Writer, asked: _Asked) -> Done:
    conversation = conversations.lock(connection, _ticket(connection, asked.ticket_id).conversation_id)
    ticket = _ticket(connection, asked.ticket_id)
    event = TicketEvent(at=writer.now, kind=name_of(asked.act), agent=asked.agent, detail=words_of(asked.act))
    if not tickets.log(connection, ticket.id, event, asked.key):
        return _done_before(connection, ticket, asked)
    before = acts.state_of(connection, ticket.id, conversation.owner)
    doing = Doing(
        connection=connection,
        writer=writer,
        ticket=ticket,
        conversation=conversation,
        agent=asked.agent,
        key=asked.key,
        undo_for=asked.undo_for,
    )
    done = _HANDLERS[type(asked.act)](doing, asked.act)
    done = replace(done, ticket=_ticket(connection, ticket.id))
    if done.ticket.version == ticket.version:
        return done
    return replace(done, can_undo_until=undoing.hold(doing, before))


def _done_before(connection: Connection, ticket: Ticket, asked: _Asked) -> Done:
    """Return what came of the act when it was handed in first."""
    sent = transcript.get(connection, message_id_of(asked.key))
    past = undoing.past_of(connection, asked.key)
    until = past.until if past is not None and not past.is_undone else None
    return Done(ticket=ticket, message_id=sent.id if sent else None, can_undo_until=until)


def _ticket(connection: Connection, ticket_id: TicketId) -> Ticket:
    ticket = tickets.get(connection, ticket_id)
    if ticket is None:
        raise DeskError("There is no such ticket.")
    return ticket
