"""Finding tickets by what people know of them."""

from __future__ import annotations

import re

from sqlalchemy import Connection, false, or_, select

from bot.domain.tickets import Ticket
from bot.store import tickets as stored
from bot.store.schema import conversations, identities, messages, tickets

_ESCAPE = "\\"
_NUMBER_MAX = 9
#: What a visitor without a name is called by.
_CALLED = re.compile(r"[0-9a-f]{4,32}")


def find(connection: Connection, words: str, limit: int) -> list[Ticket]:
    """Return the newest tickets of that number, order or customer, or in whose conversation that was said.

    A customer is found by their name, or by what one without a name is called by.
    """
    said = " ".join(words.split())
    if not said:
        return []
    bare = said.removeprefix("#")
    if bare.isascii() and bare.isdigit() and len(bare) <= _NUMBER_MAX:
        exact = connection.scalar(select(tickets.c.id).where(tickets.c.number == int(bare)))
        if exact is not None:
            return [ticket for ticket in [stored.get(connection, exact)] if ticket is not None]
    pattern = f"%{_literal(said)}%"
    in_conversation = select(messages.c.conversation_id).where(messages.c.text.ilike(pattern, escape=_ESCAPE))
    of_customer = (
        select(conversations.c.id)
        .join(identities, identities.c.address == conversations.c.address)
        .where(identities.c.display_name.ilike(pattern, escape=_ESCAPE))
    )
    found = connection.scalars(
        select(tickets.c.id)
        .where(
            or_(
                tickets.c.order_number.ilike(f"%{_literal(bare)}", escape=_ESCAPE),
                tickets.c.topic.ilike(pattern, escape=_ESCAPE),
                tickets.c.summary.ilike(pattern, escape=_ESCAPE),
                tickets.c.conversation_id.in_(in_conversation),
                tickets.c.conversation_id.in_(of_customer),
                tickets.c.conversation_id.like(f"{bare.lower()}%") if _CALLED.fullmatch(bare.lower()) else false(),
            )
        )
        .order_by(tickets.c.number.desc())
        .limit(limit)
    ).all()
    return [ticket for ticket in (stored.get(connection, ticket_id) for ticket_id in found) if ticket is not None]


def _literal(said: str) -> str:
    """Return text for `LIKE` that stands for itself."""
    for sign in (_ESCAPE, "%", "_"):
        said = said.replace(sign, _ESCAPE + sign)
    return said
