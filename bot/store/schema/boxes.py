"""What waits to be worked on, what waits to go out, and up to where it has been done."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Integer, String, Table, Text, UniqueConstraint

from bot.store.database import ExternalId, Moment, RowId
from bot.store.schema.naming import metadata, partial_index

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
partial_index("ix_inbox_pending", inbox.c.address, inbox.c.id, where="state = 'pending'")
partial_index("ix_inbox_oldest", inbox.c.id, where="state = 'pending'")
partial_index("ix_inbox_ready", inbox.c.ready_at, where="state = 'pending'")
partial_index("ix_inbox_dead", inbox.c.state, where="state IN ('dead', 'held')")
partial_index("uq_inbox_claimed", inbox.c.address, unique=True, where="state = 'claimed'")

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
partial_index("ix_outbox_pending", outbox.c.address, outbox.c.id, where="state = 'pending'")
partial_index("ix_outbox_at_once", outbox.c.id, where="state = 'pending' AND gate IS NULL")
partial_index("ix_outbox_ready", outbox.c.ready_at, where="state = 'pending'")
partial_index("ix_outbox_dead", outbox.c.state, where="state IN ('dead', 'held')")
partial_index("uq_outbox_claimed", outbox.c.address, unique=True, where="state = 'claimed'")
partial_index(
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
