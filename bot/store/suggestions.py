"""Drafts of the bot for agents, and what became of them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select, update

from bot.domain.messages import MessageId
from bot.domain.suggestions import Suggestion, SuggestionId, SuggestionState
from bot.domain.tickets import TicketId
from bot.store.database import insert_once
from bot.store.schema import suggestions

#: Drafts that an agent is shown at once.
SHOWN_MAX = 5


def add(connection: Connection, ticket_id: TicketId, suggestion: Suggestion) -> bool:
    """Keep a draft; return false, and keep nothing, when the message it answers has one."""
    values: dict[str, object] = {
        "id": suggestion.id,
        "ticket_id": ticket_id,
        "message_id": suggestion.message_id,
        "text": suggestion.text,
        "intent": suggestion.intent,
        "confidence": suggestion.confidence,
        "state": suggestion.state.value,
        "at": suggestion.at,
    }
    return insert_once(connection, suggestions, values)


def get(connection: Connection, ticket_id: TicketId, suggestion_id: SuggestionId) -> Suggestion | None:
    """Return a draft of a ticket, or none."""
    mine = (suggestions.c.id == suggestion_id) & (suggestions.c.ticket_id == ticket_id)
    row = connection.execute(select(suggestions).where(mine)).one_or_none()
    return _suggestion(row) if row else None


def of(connection: Connection, ticket_id: TicketId) -> tuple[Suggestion, ...]:
    """Return the newest drafts of a ticket, oldest first."""
    mine = select(suggestions).where(suggestions.c.ticket_id == ticket_id)
    rows = connection.execute(mine.order_by(suggestions.c.at.desc(), suggestions.c.id).limit(SHOWN_MAX)).all()
    return tuple(_suggestion(row) for row in reversed(rows))


def answering(connection: Connection, message_id: MessageId) -> Suggestion | None:
    """Return the draft that answers a message of the customer's, or none."""
    row = connection.execute(select(suggestions).where(suggestions.c.message_id == message_id)).one_or_none()
    return _suggestion(row) if row else None


def settle(connection: Connection, suggestion_id: SuggestionId, state: SuggestionState) -> None:
    """Record what became of a draft."""
    connection.execute(update(suggestions).where(suggestions.c.id == suggestion_id).values(state=state.value))


def _suggestion(row: Row[Any]) -> Suggestion:
    return Suggestion(
        id=SuggestionId(row.id),
        message_id=MessageId(row.message_id),
        text=row.text,
        intent=row.intent,
        confidence=row.confidence,
        state=SuggestionState(row.state),
        at=row.at,
    )
