"""Erases what a customer took back, where the channel's rules want every copy of it gone; that it was there stays."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select, update

from bot.domain.conversations import ConversationId
from bot.domain.messages import Attachment, MediaId, MessageId
from bot.store.codec import ATTACHMENTS, to_json
from bot.store.schema import inbox, message_revisions, messages, outbox, suggestions, turns


def files_of(connection: Connection, conversation_id: ConversationId, external_id: str) -> list[MediaId]:
    """Return the files that we keep of a message, by the channel's id of it."""
    rows = connection.execute(select(messages.c.attachments).where(_is_meant(conversation_id, external_id)))
    files = [file for row in rows for file in ATTACHMENTS.validate_python(row.attachments)]
    return [file.media_id for file in files if file.media_id is not None]


def erase_message(connection: Connection, conversation_id: ConversationId, external_id: str) -> None:
    """Take the words of a message and of its edits out of transcript, inbox, dialogue and drafts; its files' names too.

    What an agent was shown of it elsewhere is not ours to erase.
    """
    rows = connection.execute(select(messages).where(_is_meant(conversation_id, external_id))).all()
    ids = [MessageId(row.id) for row in rows]
    texts = {row.text for row in rows} | {row.edited_from for row in rows}
    changes = message_revisions.c.message_id.in_(ids) & message_revisions.c.text.is_not(None)
    texts |= set(connection.scalars(select(message_revisions.c.text).where(changes)))
    connection.execute(update(message_revisions).where(changes).values(text=""))
    for row in rows:
        files: tuple[Attachment, ...] = ATTACHMENTS.validate_python(row.attachments)
        left = to_json(ATTACHMENTS, tuple(Attachment(kind=file.kind) for file in files))
        connection.execute(
            update(messages).where(messages.c.id == row.id).values(text="", edited_from=None, attachments=left)
        )
    for row in connection.execute(select(inbox.c.id, inbox.c.body).where(inbox.c.message_id.in_(ids))).all():
        connection.execute(
            update(inbox).where(inbox.c.id == row.id).values(body=row.body | {"text": "", "attachments": []})
        )
    for row in connection.execute(select(outbox.c.id, outbox.c.body).where(_quotes_one_of(conversation_id, ids))).all():
        quote = row.body["quotes"] | {"text": ""}
        connection.execute(update(outbox).where(outbox.c.id == row.id).values(body=row.body | {"quotes": quote}))
    connection.execute(update(suggestions).where(suggestions.c.message_id.in_(ids)).values(text=""))
    _erase_from_dialogue(connection, conversation_id, {text for text in texts if text})


def _quotes_one_of(conversation_id: ConversationId, ids: list[MessageId]) -> Any:
    return (outbox.c.conversation_id == conversation_id) & outbox.c.body["quotes"]["id"].as_string().in_(ids)


def _is_meant(conversation_id: ConversationId, external_id: str) -> Any:
    return (messages.c.conversation_id == conversation_id) & (messages.c.external_id == external_id)


def _erase_from_dialogue(connection: Connection, conversation_id: ConversationId, texts: set[str]) -> None:
    """Take texts out of what the engine is given back; what it understood by them stays."""
    mine = select(turns.c.id, turns.c.events).where(turns.c.conversation_id == conversation_id)
    for row in connection.execute(mine).all():
        events = [_without(event, texts) for event in row.events]
        if events != row.events:
            connection.execute(update(turns).where(turns.c.id == row.id).values(events=events))


def _without(event: dict[str, Any], texts: set[str]) -> dict[str, Any]:
    said = event.get("text")
    if event.get("event") != "user" or not isinstance(said, str) or not any(text in said for text in texts):
        return event
    for text in sorted(texts, key=len, reverse=True):
        said = said.replace(text, "")
    parsed = event.get("parse_data")
    parsed = parsed | {"text": said, "entities": []} if isinstance(parsed, dict) else parsed
    return event | {"text": said, "parse_data": parsed}
