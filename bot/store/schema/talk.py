"""Conversations: their turns, what was said in them, and what waits in them."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Float, Index, Integer, String, Table, Text, UniqueConstraint

from bot.store.database import ExternalId, Moment, RowId
from bot.store.schema.naming import metadata

conversations = Table(
    "conversations",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("address", String(400), nullable=False, unique=True),
    Column("owner", String(8), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("last_inbound_at", Moment, nullable=False),
    # what an answer has to carry, as the last message brought it
    Column("reply_context", JSON(none_as_null=True)),
)

turns = Table(
    "turns",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("conversation_id", String(32), nullable=False),
    Column("number", Integer, nullable=False),
    # the engine's events of this turn, and the dialogue's state after it
    Column("events", JSON, nullable=False),
    Column("state", JSON, nullable=False),
    Column("intent", String(100)),
    Column("confidence", Float),
    Column("ranking", JSON, nullable=False),
    Column("is_fallback", Boolean, nullable=False),
    Column("model_id", String(100)),
    Column("created_at", Moment, nullable=False),
    UniqueConstraint("conversation_id", "number"),
)

messages = Table(
    "messages",
    metadata,
    Column("position", RowId, primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("conversation_id", String(32), nullable=False),
    Column("author", String(10), nullable=False),
    Column("author_name", String(200)),
    Column("text", Text, nullable=False),
    Column("attachments", JSON, nullable=False),
    Column("choices", JSON, nullable=False),
    Column("at", Moment, nullable=False),
    Column("external_id", ExternalId(300)),
    # of a message that was cut into several: the channel's ids of all but the last
    Column("parts", JSON(none_as_null=True)),
    Column("delivery", String(10)),
    Column("delivery_detail", Text, nullable=False, default=""),
    Column("edited_from", Text),
)
Index("ix_messages_conversation", messages.c.conversation_id, messages.c.position)
Index("ix_messages_external", messages.c.external_id)

# Every text that a message ever had; rows are only added.
message_revisions = Table(
    "message_revisions",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("message_id", String(32), nullable=False),
    Column("at", Moment, nullable=False),
    # who changed it: customer or agent
    Column("author", String(10), nullable=False),
    # the text from then on; none: taken back
    Column("text", Text),
    # whether the other side sees the change: pending, sent, refused
    Column("state", String(10), nullable=False),
    Column("detail", Text, nullable=False, default=""),
    Column("key", String(300), unique=True),
)
Index("ix_message_revisions_message", message_revisions.c.message_id, message_revisions.c.id)

# Which message of the conversation a message answers, and how to answer it so.
message_quotes = Table(
    "message_quotes",
    metadata,
    Column("message_id", String(32), primary_key=True),
    # ours, of the one that is answered; none: it answers none
    Column("quotes", String(32)),
    # what a message that quotes this one has to carry, where that is not the channel's id of it
    Column("token", Text),
)

choices = Table(
    "choices",
    metadata,
    Column("key", ExternalId(24), primary_key=True),
    Column("conversation_id", String(32), nullable=False),
    Column("title", Text, nullable=False),
    Column("intent", String(100), nullable=False),
    Column("entities", JSON, nullable=False),
    Column("words", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
)

timers = Table(
    "timers",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("conversation_id", String(32), nullable=False),
    Column("name", String(200), nullable=False),
    Column("fire_at", Moment, nullable=False),
    Column("intent", String(100), nullable=False),
    Column("entities", JSON, nullable=False),
    UniqueConstraint("conversation_id", "name"),
)
Index("ix_timers_due", timers.c.fire_at)

media = Table(
    "media",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("kind", String(10), nullable=False),
    Column("name", Text, nullable=False),
    Column("media_type", String(100), nullable=False),
    Column("size", Integer, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("created_at", Moment, nullable=False),
)

feeds = Table(
    "feeds",
    metadata,
    Column("visitor", String(100), primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("key", String(200), nullable=False),
    Column("body", JSON, nullable=False),
    Column("at", Moment, nullable=False),
    UniqueConstraint("visitor", "key"),
)
