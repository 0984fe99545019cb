"""What the choices we offered stand for; customers only ever see a key."""

from __future__ import annotations

import re
from datetime import datetime
from itertools import dropwhile, takewhile

from sqlalchemy import Connection, select

from bot.domain.conversations import ConversationId
from bot.domain.messages import Author, Choice, DeliveryState, Meaning
from bot.store.ids import new_choice_key
from bot.store.schema import choices, messages

#: A number and nothing else: "2", "2.", "#2".
_NUMBER = re.compile(r"#?([1-9][0-9]?)[.)]?")
#: More than are said between two answers of the customer's.
_LINES = 20
_OURS = {Author.BOT.value, Author.SYSTEM.value}
_SEEN = {DeliveryState.SENT.value, DeliveryState.DELIVERED.value, DeliveryState.READ.value}


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


def number_in(text: str) -> int | None:
    """Return the number that a text is, and nothing else."""
    found = _NUMBER.fullmatch(text.strip())
    return int(found[1]) if found else None


def numbered(connection: Connection, conversation_id: ConversationId, number: int, shown_max: int) -> str | None:
    """Return the key of the choice of that number, if the bot wrote out a list when it last spoke; else none.

    Lists of up to `shown_max` choices are tapped, and show no numbers.
    """
    query = select(messages.c.author, messages.c.choices, messages.c.delivery)
    mine = query.where(messages.c.conversation_id == conversation_id)
    lines = connection.execute(mine.order_by(messages.c.position.desc()).limit(_LINES)).all()
    since = dropwhile(lambda line: line.author == Author.CUSTOMER.value, lines)
    said = takewhile(lambda line: line.author in _OURS, since)
    titles: list[str] = next(
        (line.choices for line in said if len(line.choices) > shown_max and line.delivery in _SEEN), []
    )
    if number > len(titles):
        return None
    offered = (choices.c.conversation_id == conversation_id) & (choices.c.title == titles[number - 1])
    return connection.scalar(select(choices.c.key).where(offered).order_by(choices.c.created_at.desc()).limit(1))
