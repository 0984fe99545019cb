"""Every table of Tandem's own database."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
    true,
)

from bot.store.database import ExternalId, Moment, RowId

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _partial_index(name: str, *columns: Column[Any], where: str, unique: bool = False) -> None:
    """Add an index over the rows that fulfil `where`, on both databases."""
    Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))


inbox = Table(
    "inbox",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    # channel/account and the channel's id of the event: a repeat of either is the same event, for ever
    Column("account", String(200), nullable=False),
    Column("external_id", ExternalId(300), nullable=False),
    # the lane: rows of one address are handled one after the other
    Column("address", String(400), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("body", JSON, nullable=False),
    Column("message_id", String(32), nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("state", String(12), nullable=False),
    Column("ready_at", Moment, nullable=False),
    Column("attempt_count", Integer, nullable=False, default=0),
    # of no use; kept for one version, as the one before counts in it while both run
    Column("outage_count", Integer, nullable=False, server_default="0"),
    Column("crash_count", Integer, nullable=False, default=0),
    Column("lease", String(32)),
    Column("leased_until", Moment),
    Column("error", Text, nullable=False, default=""),
    Column("finished_at", Moment),
    UniqueConstraint("account", "external_id"),
)
_partial_index("ix_inbox_pending", inbox.c.address, inbox.c.id, where="state = 'pending'")
_partial_index("ix_inbox_ready", inbox.c.ready_at, where="state = 'pending'")
_partial_index("ix_inbox_dead", inbox.c.state, where="state IN ('dead', 'held')")
_partial_index("uq_inbox_claimed", inbox.c.address, unique=True, where="state = 'claimed'")

outbox = Table(
    "outbox",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("key", String(200), nullable=False, unique=True),
    Column("address", String(400), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("conversation_id", String(32)),
    Column("message_id", String(32)),
    # what the bot decided under this epoch is not sent under a later one; none: not fenced
    Column("epoch", Integer),
    Column("body", JSON, nullable=False),
    # what it goes through, one of `gates`, the lowest rank first; none: it goes at once
    Column("gate", String(120)),
    Column("rank", Integer, nullable=False, server_default="0"),
    Column("state", String(12), nullable=False),
    # calls already made of the ones the message was cut into
    Column("progress", Integer, nullable=False, default=0),
    # whether the call after `progress` may have left already
    Column("is_ambiguous", Boolean, nullable=False, default=False),
    Column("ready_at", Moment, nullable=False),
    Column("attempt_count", Integer, nullable=False, default=0),
    Column("crash_count", Integer, nullable=False, default=0),
    Column("lease", String(32)),
    Column("leased_until", Moment),
    Column("error", Text, nullable=False, default=""),
    Column("created_at", Moment, nullable=False),
    Column("finished_at", Moment),
)
_partial_index("ix_outbox_pending", outbox.c.address, outbox.c.id, where="state = 'pending'")
_partial_index("ix_outbox_ready", outbox.c.ready_at, where="state = 'pending'")
_partial_index("ix_outbox_dead", outbox.c.state, where="state IN ('dead', 'held')")
_partial_index("uq_outbox_claimed", outbox.c.address, unique=True, where="state = 'claimed'")
_partial_index(
    "ix_outbox_gated", outbox.c.gate, outbox.c.rank, outbox.c.id, where="state = 'pending' AND gate IS NOT NULL"
)

# What lets so many rows of the outbox through a second, and is shut while the other side is in trouble.
gates = Table(
    "gates",
    metadata,
    Column("name", String(120), primary_key=True),
    # when all that went through would have been spread evenly; ahead of the clock by what went in a burst
    Column("paced_until", Moment, nullable=False),
    Column("shut_until", Moment),
    Column("failing_since", Moment),
    Column("failure_count", Integer, nullable=False, default=0),
    # whether somebody has to mend it
    Column("is_blocked", Boolean, nullable=False, default=False),
    Column("reason", Text, nullable=False, default=""),
)

# Up to where the desk's own channels have been read for what no event told of.
read_marks = Table(
    "read_marks",
    metadata,
    Column("channel", String(120), primary_key=True),
    Column("read_to", Moment, nullable=False),
)

# Up to where polled channel accounts have been read, in each channel's own words.
poll_cursors = Table(
    "poll_cursors",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("cursor", Text, nullable=False),
)

# That the database went back to an earlier state: what it may have forgotten is not done a second time.
restores = Table(
    "restores",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    # when what it knew ended
    Column("backed_up_at", Moment, nullable=False),
    # when the database that it stands for was in use last
    Column("until", Moment, nullable=False),
    Column("restored_at", Moment, nullable=False),
)

identities = Table(
    "channel_identities",
    metadata,
    Column("address", String(400), primary_key=True),
    Column("display_name", String(200)),
    # as the channel tells it: "en", "pt-br"
    Column("language", String(20)),
    Column("customer_id", String(200)),
    Column("level", Integer, nullable=False, default=0),
    Column("method", String(60)),
    Column("proved_at", Moment),
    Column("failure_count", Integer, nullable=False, default=0),
    Column("failed_at", Moment),
    Column("first_seen_at", Moment, nullable=False),
    Column("last_seen_at", Moment, nullable=False),
)

_partial_index("ix_channel_identities_customer", identities.c.customer_id, where="customer_id IS NOT NULL")

# Addresses by which the channel came to know a customer later on, and where that customer's conversation began.
aliases = Table(
    "aliases",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("address", String(400), nullable=False, unique=True),
    Column("of_address", String(400), nullable=False),
    Column("at", Moment, nullable=False),
)
Index("ix_aliases_of", aliases.c.of_address, aliases.c.id)

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

tickets = Table(
    "tickets",
    metadata,
    Column("number", RowId, primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("conversation_id", String(32), nullable=False),
    Column("state", String(12), nullable=False),
    Column("reason", String(30), nullable=False),
    Column("topic", String(200), nullable=False),
    Column("summary", Text, nullable=False),
    Column("tried", JSON, nullable=False),
    Column("order_number", String(60)),
    Column("opened_at", Moment, nullable=False),
    Column("agent_id", String(100)),
    Column("agent_name", String(200)),
    Column("claimed_at", Moment),
    Column("closed_at", Moment),
    Column("outcome", Text, nullable=False, default=""),
    Column("desk_reference", String(200)),
    Column("team", String(60), nullable=False, server_default="everybody"),
    Column("priority", String(10), nullable=False, server_default="normal"),
    Column("tags", JSON),
    Column("closing", String(30)),
    Column("snoozed_until", Moment),
    Column("waiting_since", Moment),
    Column("first_replied_at", Moment),
    Column("next_due_at", Moment),
    Column("rating", Integer),
    # the place in the queue that the customer was told last, and when
    Column("told_place", Integer),
    Column("told_at", Moment),
    Column("bot_may_act", Boolean, nullable=False, server_default=true()),
    # what was promised about it when it was opened; none: nothing
    Column("policy", JSON(none_as_null=True)),
    Column("version", Integer, nullable=False, server_default="0"),
)
_partial_index("uq_tickets_open", tickets.c.conversation_id, unique=True, where="state IN ('queued', 'claimed')")
Index("ix_tickets_reference", tickets.c.desk_reference)

ticket_events = Table(
    "ticket_events",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("ticket_id", String(32), nullable=False),
    Column("at", Moment, nullable=False),
    Column("kind", String(30), nullable=False),
    Column("agent_id", String(100)),
    Column("agent_name", String(200)),
    Column("detail", Text, nullable=False),
    # of the act that caused it: the same act again changes nothing
    Column("key", String(300), unique=True),
    # the ticket's columns that the act changed, as they were before it: what undoing restores
    Column("before", JSON),
    # the ticket's version after it: undoing another's later work is refused
    Column("version", Integer),
    Column("undone_at", Moment),
)
Index("ix_ticket_events_ticket", ticket_events.c.ticket_id, ticket_events.c.id)

# Moments that tickets wait for; what is due is found by one look at the index.
ticket_clocks = Table(
    "ticket_clocks",
    metadata,
    Column("ticket_id", String(32), primary_key=True),
    Column("kind", String(20), primary_key=True),
    Column("state", String(10), nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("warn_at", Moment),
    Column("left_seconds", Float),
    Column("detail", Text, nullable=False, default=""),
)
_partial_index("ix_ticket_clocks_due", ticket_clocks.c.due_at, where="state IN ('running', 'warned')")
_partial_index("ix_ticket_clocks_warn", ticket_clocks.c.warn_at, where="state = 'running'")

suggestions = Table(
    "suggestions",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("ticket_id", String(32), nullable=False),
    # one draft for one message of the customer's
    Column("message_id", String(32), nullable=False, unique=True),
    Column("text", Text, nullable=False),
    Column("intent", String(100)),
    Column("confidence", Float),
    Column("state", String(10), nullable=False),
    Column("at", Moment, nullable=False),
)
Index("ix_suggestions_ticket", suggestions.c.ticket_id)

# Who is whose record, for people to see: never a proof. Rows are only added, and marked as undone.
identity_links = Table(
    "identity_links",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("address", String(400), nullable=False),
    Column("customer_id", String(200), nullable=False),
    Column("evidence", Text, nullable=False),
    Column("agent_id", String(100), nullable=False),
    Column("at", Moment, nullable=False),
    Column("undone_at", Moment),
    Column("undone_by", String(100)),
)
_partial_index("uq_identity_links_live", identity_links.c.address, unique=True, where="undone_at IS NULL")
_partial_index("ix_identity_links_customer", identity_links.c.customer_id, where="undone_at IS NULL")

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

agents = Table(
    "agents",
    metadata,
    Column("id", String(100), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("is_available", Boolean, nullable=False, default=False),
    # back at this moment; none: when they say so
    Column("available_at", Moment),
    # tickets at once; none: the team's
    Column("capacity", Integer),
    # whose tickets they take; none: every team's
    Column("teams", JSON(none_as_null=True)),
    Column("last_assigned_at", Moment),
    Column("seen_at", Moment, nullable=False),
)

# Canned replies that agents made; the brand's own stand in a file.
macros = Table(
    "macros",
    metadata,
    Column("title", String(70), primary_key=True),
    Column("text", Text, nullable=False),
    Column("agent_id", String(100), nullable=False),
    Column("agent_name", String(200), nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("is_public", Boolean, nullable=False, server_default=false()),
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
