"""What agents work on: tickets, their history, what they wait for, and texts to reply with."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Float, Index, Integer, String, Table, Text, false, true

from bot.store.database import Moment, RowId
from bot.store.schema.naming import metadata, partial_index

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
partial_index("uq_tickets_open", tickets.c.conversation_id, unique=True, where="state IN ('queued', 'claimed')")
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
partial_index("ix_ticket_clocks_due", ticket_clocks.c.due_at, where="state IN ('running', 'warned')")
partial_index("ix_ticket_clocks_warn", ticket_clocks.c.warn_at, where="state = 'running'")

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
