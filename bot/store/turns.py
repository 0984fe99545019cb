"""The dialogue of a conversation, turn by turn: what the engine is given back with the next message."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from bot.domain.conversations import ConversationId
from bot.domain.messages import MessageId
from bot.store.prepared import Prepared
from bot.store.schema import turns

#: Turns whose events the engine sees whole; of earlier ones it sees the state they left.
TURNS_KEPT = 10
# The statements of every turn are built once.
_IS_MINE = turns.c.conversation_id == bindparam("conversation")
_NEXT_NUMBER = select(func.coalesce(func.max(turns.c.number), 0) + 1).where(_IS_MINE).scalar_subquery()
_ADDING = Prepared(turns.insert().values(number=_NEXT_NUMBER).inline())
_LAST_TURNS = Prepared(
    select(turns.c.events, turns.c.state).where(_IS_MINE).order_by(turns.c.number.desc()).limit(TURNS_KEPT + 1)
)


@dataclass(frozen=True, kw_only=True)
class TurnRecord:
    """One turn as it is kept."""

    id: MessageId
    conversation_id: ConversationId
    #: the engine's events, as it gave them
    events: list[dict[str, Any]]
    #: the dialogue's state after the turn: {"slots": {...}, "active_loop": name or none}
    state: dict[str, Any]
    intent: str | None = None
    confidence: float | None = None
    ranking: tuple[tuple[str, float], ...] = ()
    is_fallback: bool = False
    model_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class History:
    """What the next turn builds on."""

    #: state before the first of `turns`; none: nothing was left out
    state_before: dict[str, Any] | None
    #: events of the last turns, oldest first
    turns: tuple[list[dict[str, Any]], ...]
    #: state now
    state: dict[str, Any]


def add(connection: Connection, turn: TurnRecord, now: datetime) -> None:
    """Append a turn to its conversation, which the caller has locked."""
    values = {
        "id": turn.id,
        "conversation": turn.conversation_id,
        "conversation_id": turn.conversation_id,
        "events": turn.events,
        "state": turn.state,
        "intent": turn.intent,
        "confidence": turn.confidence,
        "ranking": [list(entry) for entry in turn.ranking],
        "is_fallback": turn.is_fallback,
        "model_id": turn.model_id,
        "created_at": now,
    }
    _ADDING.count(connection, values)


def intents(
    connection: Connection, conversation_id: ConversationId, since: datetime, limit: int
) -> list[tuple[datetime, str]]:
    """Return the last intents that the bot was sure of in a conversation, with their moments, oldest first."""
    query = (
        select(turns.c.created_at, turns.c.intent)
        .where(turns.c.conversation_id == conversation_id, turns.c.created_at >= since)
        .where(turns.c.intent.is_not(None), turns.c.is_fallback.is_(False))
        .order_by(turns.c.number.desc())
        .limit(limit)
    )
    return [(row.created_at, row.intent) for row in reversed(connection.execute(query).all())]


def history(connection: Connection, conversation_id: ConversationId) -> History:
    """Return the last `TURNS_KEPT` turns of a conversation and the state before them."""
    rows = _LAST_TURNS.all(connection, {"conversation": conversation_id})
    kept = rows[:TURNS_KEPT]
    return History(
        state_before=rows[TURNS_KEPT].state if len(rows) > TURNS_KEPT else None,
        turns=tuple(row.events for row in reversed(kept)),
        state=rows[0].state if rows else {},
    )
