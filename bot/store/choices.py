"""What the choices we offered stand for; customers only ever see a key."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from bot.domain.conversations import ConversationId
from bot.domain.messages import Choice, Meaning
from bot.store.ids import new_choice_key
from bot.store.schema import choices


def add(connection: Connection, conversation_id: ConversationId, title: str, meaning: Meaning, now: datetime) -> Choice:
    """Keep the meaning and return the choice to show."""
    key = new_choice_key()
    connection.execute(
        choices.insert().values(
            key=key,
            conversation_id=conversation_id,
            title=title,
            intent=meaning.intent,
            entities=meaning.entities,
            words=meaning.words,
            created_at=now,
        )
    )
    return Choice(title=title, payload=key)


def meaning_of(connection: Connection, conversation_id: ConversationId, key: str) -> tuple[str, Meaning] | None:
    """Return title and meaning of a choice that was offered in this conversation; none for any other key."""
    mine = (choices.c.key == key) & (choices.c.conversation_id == conversation_id)
    row = connection.execute(select(choices).where(mine)).one_or_none()
    return (row.title, Meaning(intent=row.intent, entities=row.entities, words=row.words)) if row else None
