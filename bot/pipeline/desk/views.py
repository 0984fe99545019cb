"""What agents see of tickets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Connection

from bot.domain.assurance import Assurance, Level
from bot.domain.conversations import Conversation
from bot.domain.customers import CustomerRecord
from bot.domain.errors import DirectoryUnavailableError
from bot.domain.moods import LOOKED_BACK, LOOKED_BACK_FOR, Mood, mood
from bot.domain.ports import Clock, CustomerDirectory
from bot.domain.public import pick
from bot.domain.rules import Rules
from bot.domain.suggestions import Suggestion
from bot.domain.tickets import Agent, TeamName, Ticket, TicketId, TicketState, TicketView
from bot.pipeline.desk.identity import linked
from bot.pipeline.desk.publicly import read_joined
from bot.store import clocks, conversations, quotes, searching, suggestions, tickets, transcript, turns, ways
from bot.store.database import Database

#: Lines of the transcript that an agent sees at once.
TRANSCRIPT_MAX = 200
#: Tickets that a search shows.
FOUND_MAX = 10


class Views:
    """Reads tickets with everything an agent needs to see."""

    def __init__(self, database: Database, directory: CustomerDirectory, clock: Clock, rules: Rules) -> None:
        """Read tickets from `database` and customer records from `directory`; teams are called as `rules` say."""
        self._database = database
        self._directory = directory
        self._clock = clock
        self._rules = rules

    async def one(self, ticket_id: TicketId) -> TicketView | None:
        """Return the ticket, or none."""
        found = await self._database.read(read_one, ticket_id)
        if found is None:
            return None
        joined = await self._database.read(read_joined, found.conversation.id, self._rules.public)
        return replace(await self._with_record(found), joined=joined)

    async def listed(self) -> list[TicketView]:
        """Return all open tickets as a list shows them: with the last line alone, so that a thousand are no matter.

        Of those that only their record gives a name, the record is read.
        """
        views = await self._database.read(_listed)
        named = (self._with_record(view) if view.level > Level.L0 else _as_it_is(view) for view in views)
        return [self._titled(view) for view in await asyncio.gather(*named)]

    async def mine(self, agent: Agent) -> list[TicketView]:
        """Return the open tickets that the agent has, what is due first before the rest."""
        views = await self._open(lambda ticket: ticket.is_of(agent))
        return sorted(views, key=lambda view: view.ticket.urgency)

    async def queue(self, team: TeamName) -> list[TicketView]:
        """Return a team's tickets that wait for a person, next one first."""
        return await self._open(lambda ticket: ticket.state is TicketState.QUEUED and ticket.team == team)

    async def waiting(self, skip: int, limit: int) -> tuple[list[TicketView], int]:
        """Return a part of all teams' queues, next one first, and how many wait in all; without records."""
        views, count = await self._database.read(_waiting_views, skip, limit)
        return [self._titled(view) for view in views], count

    async def found(self, words: str) -> list[TicketView]:
        """Return the newest tickets of that number, order or customer, or in which that was said."""
        views = await self._database.read(_found_views, words)
        return list(await asyncio.gather(*(self._with_record(view) for view in views)))

    async def _open(self, is_wanted: Callable[[Ticket], bool]) -> list[TicketView]:
        views = await self._database.read(_open_views, is_wanted)
        return list(await asyncio.gather(*(self._with_record(view) for view in views)))

    async def _with_record(self, view: TicketView) -> TicketView:
        assurance = await self._database.read(conversations.read_assurance, view.conversation.id)
        link = await self._database.read(linked, view.ticket) if assurance.customer_id is None else None
        customer_id = link.customer_id if link else assurance.customer_id
        record: CustomerRecord | None = None
        note = "The customer has not been identified."
        if customer_id is not None:
            try:
                record = await self._directory.record(customer_id)
                note = "" if record else "The brand's records do not know this customer any more."
            except DirectoryUnavailableError as error:
                note = f"The brand's records cannot be read now: {error}"
        level = assurance.level_at(self._clock.now())
        evidence = f"{link.evidence}, not proved" if link else ""
        shown = replace(view, record=record, record_note=note, level=level, linked_evidence=evidence)
        return replace(self._titled(shown), proved_at=assurance.proved_at if assurance.customer_id else None)

    def _titled(self, view: TicketView) -> TicketView:
        public, address = self._rules.public, view.conversation.address
        closings = public.texts.spoken(view.conversation.language).closings if public.covers(address) else ()
        return replace(
            view,
            team_title=self._rules.team(view.ticket.team).title,
            is_public=public.covers(address),
            public_closing=pick(closings, view.ticket.id).template if closings else "",
            can_invite=public.can_invite(address),
            other_ways=tuple(way for way in view.other_ways if not public.covers(way.address)),
        )


def read_one(connection: Connection, ticket_id: TicketId) -> TicketView | None:
    """Return the ticket without what only the brand's records know; a transaction body."""
    ticket = tickets.get(connection, ticket_id)
    if ticket is None:
        return None
    return replace(_view_of(connection, ticket), other_ways=ways.of(connection, ticket.conversation_id))


def _waiting_views(connection: Connection, skip: int, limit: int) -> tuple[list[TicketView], int]:
    queued = tickets.waiting(connection)
    return [_view_of(connection, ticket) for ticket in queued[skip : skip + limit]], len(queued)


def _found_views(connection: Connection, words: str) -> list[TicketView]:
    return [_view_of(connection, ticket) for ticket in searching.find(connection, words, FOUND_MAX)]


def _open_views(connection: Connection, is_wanted: Callable[[Ticket], bool]) -> list[TicketView]:
    return [_view_of(connection, ticket) for ticket in tickets.all_open(connection) if is_wanted(ticket)]


def _listed(connection: Connection) -> list[TicketView]:
    return [_entry_of(connection, ticket) for ticket in tickets.all_open(connection)]


async def _as_it_is(view: TicketView) -> TicketView:
    return view


def _entry_of(connection: Connection, ticket: Ticket) -> TicketView:
    conversation = conversations.get(connection, ticket.conversation_id)
    is_nameless = conversation.display_name is None
    known = conversations.read_assurance(connection, conversation.id) if is_nameless else Assurance()
    return TicketView(
        ticket=ticket,
        conversation=conversation,
        transcript=tuple(transcript.last(connection, ticket.conversation_id, 1)),
        events=(),
        record=None,
        record_note="",
        level=known.level,
        place_in_queue=None,
    )


def _view_of(connection: Connection, ticket: Ticket) -> TicketView:
    conversation = conversations.get(connection, ticket.conversation_id)
    drafts = suggestions.of(connection, ticket.id)
    return TicketView(
        ticket=ticket,
        conversation=conversation,
        transcript=quotes.with_quotes(connection, transcript.last(connection, ticket.conversation_id, TRANSCRIPT_MAX)),
        events=tuple(tickets.events(connection, ticket.id)),
        record=None,
        record_note="",
        level=Level.L0,
        place_in_queue=tickets.place_in_queue(connection, ticket),
        clocks=clocks.of(connection, ticket.id),
        suggestions=drafts,
        mood=_mood(connection, conversation, drafts),
    )


def _mood(connection: Connection, conversation: Conversation, drafts: tuple[Suggestion, ...]) -> Mood | None:
    """Return how the customer seems to feel, from what was said to the bot and what it read along."""
    since = conversation.last_inbound_at - LOOKED_BACK_FOR
    said = turns.intents(connection, conversation.id, since, LOOKED_BACK)
    read = [(draft.at, draft.intent) for draft in drafts if draft.intent and draft.at >= since]
    return mood([intent for _, intent in sorted([*said, *read])])
