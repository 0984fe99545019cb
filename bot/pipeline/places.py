"""Telling customers who wait that they have come forward, seldom enough that it is news."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from sqlalchemy import Connection

from bot.domain.conversations import Owner
from bot.domain.messages import Author, OutboundMessage
from bot.domain.tickets import TicketId, TicketState
from bot.pipeline import phrases
from bot.pipeline.outgoing import Writer
from bot.pipeline.waiting import outlook
from bot.store import conversations, tickets
from bot.store.database import Database

#: Unasked, nobody is told their place more often.
TOLD_EVERY = timedelta(minutes=10)


async def tell(database: Database, writer: Writer) -> int:
    """Tell everybody whose place has got much better since they were told, and return how many that were."""
    due = await database.read(_forward, writer)
    for ticket_id in due:
        await database.write(tell_place, writer, ticket_id)
    return len(due)


def is_much_better(place: int, told: int) -> bool:
    """Whether a place is worth a message to somebody who was told another: half as far, or the next."""
    return place < told and (place == 1 or place <= told // 2)


def tell_place(connection: Connection, writer: Writer, ticket_id: TicketId) -> None:
    """Tell the customer of a ticket that waits their place, if it still is worth it; a transaction body."""
    known = tickets.get(connection, ticket_id)
    if known is None:
        return
    conversation = conversations.lock(connection, known.conversation_id)
    ticket, told = tickets.get(connection, ticket_id), tickets.told_place(connection, ticket_id)
    place = tickets.place_in_queue(connection, ticket) if ticket else None
    if ticket is None or place is None or conversation.owner is not Owner.QUEUE:
        return
    if told is not None and (told.at > writer.now - TOLD_EVERY or not is_much_better(place, told.place)):
        return
    tickets.note_told(connection, ticket_id, place, writer.now)
    if told is not None:
        text = phrases.place_in_queue(place, outlook(connection, writer, ticket), conversation.language)
        key = f"place:{ticket_id}:{writer.now.timestamp()}"
        writer.say(connection, conversation, OutboundMessage(author=Author.SYSTEM, text=text), key)


def _forward(connection: Connection, writer: Writer) -> list[TicketId]:
    """Return the tickets whose place was never noted, or is much better than the one that was told some time ago."""
    told = tickets.told_places(connection)
    places: Counter[str] = Counter()
    due = []
    for ticket in tickets.waiting(connection):
        places[ticket.team] += 1
        last = told.get(ticket.id)
        if ticket.state is TicketState.QUEUED and (
            last is None or (last.at <= writer.now - TOLD_EVERY and is_much_better(places[ticket.team], last.place))
        ):
            due.append(ticket.id)
    return due
