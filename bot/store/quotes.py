"""Which message of a conversation another one answers. All functions are transaction bodies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, select

from bot.domain.conversations import ConversationId
from bot.domain.messages import Author, MessageId, Quote, TranscriptLine
from bot.store.database import insert_once
from bot.store.schema import message_quotes, messages

#: What is shown of the words that are answered.
WORDS_MAX = 200
#: Of the last messages in a conversation, those that may have been cut into pieces.
_LOOKED_BACK = 100


def note(connection: Connection, message_id: MessageId, quotes: MessageId | None, token: str = "") -> None:
    """Keep what a message answers, and what a message that quotes it has to carry; nothing where there is neither."""
    if quotes is not None or token:
        values: dict[str, object] = {"message_id": message_id, "quotes": quotes, "token": token or None}
        insert_once(connection, message_quotes, values)


def meant(connection: Connection, conversation_id: ConversationId, external_id: str) -> MessageId | None:
    """Return the message of a conversation that the channel calls so, be it by one of its pieces, or none."""
    mine = messages.c.conversation_id == conversation_id
    named = select(messages.c.id).where(mine, messages.c.external_id == external_id).order_by(messages.c.position)
    if (found := connection.scalar(named.limit(1))) is not None:
        return MessageId(found)
    ours = select(messages.c.id, messages.c.parts).where(mine, messages.c.author != Author.CUSTOMER.value)
    for row in connection.execute(ours.order_by(messages.c.position.desc()).limit(_LOOKED_BACK)):
        if row.parts and external_id in row.parts:
            return MessageId(row.id)
    return None


def quote(connection: Connection, conversation_id: ConversationId, message_id: MessageId) -> Quote | None:
    """Return how a message of a conversation is answered, or none."""
    found = _quotes(connection, [message_id])
    mine = select(messages.c.id).where(messages.c.id == message_id, messages.c.conversation_id == conversation_id)
    return found.get(message_id) if connection.execute(mine).first() is not None else None


def with_quotes(connection: Connection, lines: Sequence[TranscriptLine]) -> tuple[TranscriptLine, ...]:
    """Return lines with what they answer."""
    query = select(message_quotes.c.message_id, message_quotes.c.quotes).where(
        message_quotes.c.message_id.in_([line.id for line in lines]), message_quotes.c.quotes.is_not(None)
    )
    answered = {MessageId(row.message_id): MessageId(row.quotes) for row in connection.execute(query)}
    known = _quotes(connection, list(answered.values())) if answered else {}
    return tuple(replace(line, quotes=known.get(answered[line.id])) if line.id in answered else line for line in lines)


def _quotes(connection: Connection, message_ids: Sequence[MessageId]) -> dict[MessageId, Quote]:
    joined = messages.outerjoin(message_quotes, message_quotes.c.message_id == messages.c.id)
    query = select(messages, message_quotes.c.token).select_from(joined).where(messages.c.id.in_(message_ids))
    return {
        MessageId(row.id): Quote(
            id=MessageId(row.id),
            author=Author(row.author),
            text=_words(row.text) or ("a file" if row.attachments else ""),
            external_id=row.external_id or "",
            token=row.token or "",
        )
        for row in connection.execute(query)
    }


def _words(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= WORDS_MAX else f"{line[: WORDS_MAX - 1]}…"
