"""What became of each message, by the database: asked only about messages without an answer, and for the figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from sqlalchemy import Connection, func, select

from bot.store.schema import conversations, inbox, outbox, tickets
from tests.databases import run_in
from tests.faults.history import Asked

#: What the bot decided and nobody sent.
_UNSENT = ("held", "dead", "withheld")


def with_people(url: str, asked: Collection[Asked]) -> list[tuple[str, str]]:
    """Return which messages are visibly with a person: given up on or left to people, and a ticket stands open."""

    def body(connection: Connection) -> list[tuple[str, str]]:
        return [(each.conversation, each.external_id) for each in asked if _is_with_people(connection, each)]

    return run_in(url, body)


def is_idle(url: str) -> bool:
    """Return whether nothing waits in either box."""

    def body(connection: Connection) -> bool:
        return not any(_count(connection, state) for state in ("pending", "claimed"))

    return run_in(url, body)


def counts(url: str) -> dict[str, Counter[str]]:
    """Return how many rows of each box stand in which state."""

    def body(connection: Connection) -> dict[str, Counter[str]]:
        found = {}
        for table in (inbox, outbox):
            rows = connection.execute(select(table.c.state, func.count().label("row_count")).group_by(table.c.state))
            found[table.name] = Counter({row.state: row.row_count for row in rows})
        return found

    return run_in(url, body)


def ambiguous_count(url: str) -> int:
    """Return how many messages may or may not have been sent, or were held for that reason."""

    def body(connection: Connection) -> int:
        unsure = (outbox.c.state == "held") | outbox.c.is_ambiguous.is_(True)
        return int(connection.scalar(select(func.count()).where(unsure, outbox.c.state != "sent")) or 0)

    return run_in(url, body)


def open_ticket_count(url: str) -> int:
    """Return how many tickets stand open."""
    query = select(func.count()).select_from(tickets).where(tickets.c.state.in_(("queued", "claimed")))
    return run_in(url, lambda connection: int(connection.scalar(query) or 0))


def _count(connection: Connection, state: str) -> int:
    return sum(
        int(connection.scalar(select(func.count()).where(table.c.state == state)) or 0) for table in (inbox, outbox)
    )


def _is_with_people(connection: Connection, asked: Asked) -> bool:
    row = connection.execute(select(inbox).where(inbox.c.external_id == asked.external_id)).one_or_none()
    if row is None:
        return False
    ticket = (
        select(tickets.c.id)
        .join(conversations, conversations.c.id == tickets.c.conversation_id)
        .where(conversations.c.address == row.address, tickets.c.state.in_(("queued", "claimed")))
    )
    if connection.execute(ticket).first() is None:
        return False
    mine = outbox.c.key.startswith(f"{row.message_id}:")
    answers = connection.execute(select(outbox.c.key, outbox.c.state).where(mine)).all()
    if row.state == "dead" or any(each.state in _UNSENT or each.key.endswith(":failed") for each in answers):
        return True
    # What the bot is not sure of, it leaves to the people whose queue the conversation is in.
    return row.state == "done" and not answers
