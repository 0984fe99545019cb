"""Timers that are due become messages to work on."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from bot.store import conversations, inbox, timers
from bot.store.ids import new_message_id
from bot.store.inbox import Arrival, InboxKind


def fire_timers(connection: Connection, now: datetime) -> int:
    """Turn timers that are due into rows of the inbox; return how many."""
    due = timers.take_due(connection, now, 50)
    for timer in due:
        try:
            conversation = conversations.get(connection, timer.conversation_id)
        except LookupError:
            continue
        message_id = new_message_id()
        arrival = Arrival(
            account="timer",
            # Not the timer's row: a database may give that number again once the row is gone.
            external_id=message_id,
            address=str(conversation.address),
            kind=InboxKind.TRIGGER,
            body={"intent": timer.meaning.intent, "entities": timer.meaning.entities},
            message_id=message_id,
        )
        inbox.add(connection, arrival, now)
    return len(due)
