"""Who customers are, by which addresses they are known, and the agents who answer them."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Index, Integer, String, Table, Text

from bot.store.database import Moment, RowId
from bot.store.schema.naming import metadata, partial_index

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

partial_index("ix_channel_identities_customer", identities.c.customer_id, where="customer_id IS NOT NULL")

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
partial_index("uq_identity_links_live", identity_links.c.address, unique=True, where="undone_at IS NULL")
partial_index("ix_identity_links_customer", identity_links.c.customer_id, where="undone_at IS NULL")

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
