"""Timers: intents that are triggered later, kept until they fire."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from bot.domain.conversations import ConversationId
from bot.domain.messages import Meaning
from bot.store.schema import timers


@dataclass(frozen=True, kw_only=True)
class Timer:
    """An intent that is triggered at a moment; a conversation has one per name."""

    conversation_id: ConversationId
    name: str
    fire_at: datetime
    meaning: Meaning


def set_timer(connection: Connection, timer: Timer) -> None:
    """Set a timer, in place of one of the same name."""
    cancel(connection, timer.conversation_id, timer.name)
    connection.execute(
        timers.insert().values(
            conversation_id=timer.conversation_id,
            name=timer.name,
            fire_at=timer.fire_at,
            intent=timer.meaning.intent,
            entities=timer.meaning.entities,
        )
    )


def cancel(connection: Connection, conversation_id: ConversationId, name: str | None) -> None:
    """Drop the timer of that name; none: all of the conversation."""
    mine = timers.c.conversation_id == conversation_id
    connection.execute(delete(timers).where(mine if name is None else mine & (timers.c.name == name)))


def take_due(connection: Connection, now: datetime, limit: int) -> list[Timer]:
    """Remove timers that are due and return them with their row ids, for the caller to make inbox rows of."""
    query = (
        select(timers)
        .where(timers.c.fire_at <= now)
        .order_by(timers.c.fire_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = connection.execute(query).all()
    connection.execute(delete(timers).where(timers.c.id.in_([row.id for row in rows])))
    return [_timer(row) for row in rows]


def _timer(row: Row[Any]) -> Timer:
    return Timer(
        conversation_id=ConversationId(row.conversation_id),
        name=row.name,
        fire_at=row.fire_at,
        meaning=Meaning(intent=row.intent, entities=row.entities),
    )
