"""Make what the desk works with: clocks, drafts, links, revisions, agents."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import bot.store.database

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    with op.batch_alter_table("inbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("outage_count", sa.Integer(), server_default="0", nullable=False))

    op.create_table(
        "agents",
        sa.Column("id", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("is_available", sa.Boolean(), nullable=False),
        sa.Column("available_at", bot.store.database.Moment(timezone=True), nullable=True),
        sa.Column("capacity", sa.Integer(), nullable=True),
        sa.Column("teams", sa.JSON(), nullable=True),
        sa.Column("last_assigned_at", bot.store.database.Moment(timezone=True), nullable=True),
        sa.Column("seen_at", bot.store.database.Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agents")),
    )
    op.create_table(
        "macros",
        sa.Column("title", sa.String(length=70), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.String(length=100), nullable=False),
        sa.Column("agent_name", sa.String(length=200), nullable=False),
        sa.Column("made_at", bot.store.database.Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("title", name=op.f("pk_macros")),
    )
    op.create_table(
        "gates",
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("paced_until", bot.store.database.Moment(timezone=True), nullable=False),
        sa.Column("shut_until", bot.store.database.Moment(timezone=True), nullable=True),
        sa.Column("failing_since", bot.store.database.Moment(timezone=True), nullable=True),
        sa.Column("failure_count", sa.Integer(), nullable=False),
        sa.Column("is_blocked", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_gates")),
    )
    op.create_table(
        "read_marks",
        sa.Column("channel", sa.String(length=120), nullable=False),
        sa.Column("read_to", bot.store.database.Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("channel", name=op.f("pk_read_marks")),
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("gate", sa.String(length=120), nullable=True))
        batch_op.add_column(sa.Column("rank", sa.Integer(), server_default="0", nullable=False))
        batch_op.create_index(
            "ix_outbox_gated",
            ["gate", "rank", "id"],
            unique=False,
            sqlite_where=sa.text("state = 'pending' AND gate IS NOT NULL"),
            postgresql_where=sa.text("state = 'pending' AND gate IS NOT NULL"),
        )

    op.create_table(
        "identity_links",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("address", sa.String(length=400), nullable=False),
        sa.Column("customer_id", sa.String(length=200), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.String(length=100), nullable=False),
        sa.Column("at", bot.store.database.Moment(timezone=True), nullable=False),
        sa.Column("undone_at", bot.store.database.Moment(timezone=True), nullable=True),
        sa.Column("undone_by", sa.String(length=100), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_links")),
    )
    with op.batch_alter_table("identity_links", schema=None) as batch_op:
        batch_op.create_index(
            "uq_identity_links_live",
            ["address"],
            unique=True,
            sqlite_where=sa.text("undone_at IS NULL"),
            postgresql_where=sa.text("undone_at IS NULL"),
        )
        batch_op.create_index(
            "ix_identity_links_customer",
            ["customer_id"],
            unique=False,
            sqlite_where=sa.text("undone_at IS NULL"),
            postgresql_where=sa.text("undone_at IS NULL"),
        )

    op.create_table(
        "message_revisions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("message_id", sa.String(length=32), nullable=False),
        sa.Column("at", bot.store.database.Moment(timezone=True), nullable=False),
        sa.Column("author", sa.String(length=10), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("key", sa.String(length=300), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message_revisions")),
        sa.UniqueConstraint("key", name=op.f("uq_message_revisions_key")),
    )
    with op.batch_alter_table("message_revisions", schema=None) as batch_op:
        batch_op.create_index("ix_message_revisions_message", ["message_id", "id"], unique=False)

    op.create_table(
        "suggestions",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("ticket_id", sa.String(length=32), nullable=False),
        sa.Column("message_id", sa.String(length=32), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("intent", sa.String(length=100), nullable=True),
        sa.Column("confidence", sa.Float(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("at", bot.store.database.Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suggestions")),
        sa.UniqueConstraint("message_id", name=op.f("uq_suggestions_message_id")),
    )
    with op.batch_alter_table("suggestions", schema=None) as batch_op:
        batch_op.create_index("ix_suggestions_ticket", ["ticket_id"], unique=False)

    op.create_table(
        "ticket_clocks",
        sa.Column("ticket_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("due_at", bot.store.database.Moment(timezone=True), nullable=False),
        sa.Column("warn_at", bot.store.database.Moment(timezone=True), nullable=True),
        sa.Column("left_seconds", sa.Float(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("ticket_id", "kind", name=op.f("pk_ticket_clocks")),
    )
    with op.batch_alter_table("ticket_clocks", schema=None) as batch_op:
        batch_op.create_index(
            "ix_ticket_clocks_due",
            ["due_at"],
            unique=False,
            sqlite_where=sa.text("state IN ('running', 'warned')"),
            postgresql_where=sa.text("state IN ('running', 'warned')"),
        )
        batch_op.create_index(
            "ix_ticket_clocks_warn",
            ["warn_at"],
            unique=False,
            sqlite_where=sa.text("state = 'running'"),
            postgresql_where=sa.text("state = 'running'"),
        )

    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.add_column(sa.Column("parts", sa.JSON(none_as_null=True), nullable=True))

    with op.batch_alter_table("ticket_events", schema=None) as batch_op:
        batch_op.add_column(sa.Column("before", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("version", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("undone_at", bot.store.database.Moment(timezone=True), nullable=True))

    with op.batch_alter_table("tickets", schema=None) as batch_op:
        batch_op.add_column(sa.Column("team", sa.String(length=60), server_default="everybody", nullable=False))
        batch_op.add_column(sa.Column("priority", sa.String(length=10), server_default="normal", nullable=False))
        batch_op.add_column(sa.Column("tags", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("closing", sa.String(length=30), nullable=True))
        batch_op.add_column(sa.Column("snoozed_until", bot.store.database.Moment(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("waiting_since", bot.store.database.Moment(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("first_replied_at", bot.store.database.Moment(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("next_due_at", bot.store.database.Moment(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("rating", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("told_place", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("told_at", bot.store.database.Moment(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("bot_may_act", sa.Boolean(), server_default=sa.true(), nullable=False))
        batch_op.add_column(sa.Column("policy", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("version", sa.Integer(), server_default="0", nullable=False))

    with op.batch_alter_table("channel_identities", schema=None) as batch_op:
        batch_op.add_column(sa.Column("language", sa.String(length=20), nullable=True))
        batch_op.create_index(
            "ix_channel_identities_customer",
            ["customer_id"],
            unique=False,
            sqlite_where=sa.text("customer_id IS NOT NULL"),
            postgresql_where=sa.text("customer_id IS NOT NULL"),
        )


def downgrade() -> None:
    """Take it back."""
    with op.batch_alter_table("inbox", schema=None) as batch_op:
        batch_op.drop_column("outage_count")

    with op.batch_alter_table("channel_identities", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_channel_identities_customer",
            sqlite_where=sa.text("customer_id IS NOT NULL"),
            postgresql_where=sa.text("customer_id IS NOT NULL"),
        )
        batch_op.drop_column("language")

    with op.batch_alter_table("tickets", schema=None) as batch_op:
        batch_op.drop_column("version")
        batch_op.drop_column("policy")
        batch_op.drop_column("bot_may_act")
        batch_op.drop_column("told_at")
        batch_op.drop_column("told_place")
        batch_op.drop_column("rating")
        batch_op.drop_column("next_due_at")
        batch_op.drop_column("first_replied_at")
        batch_op.drop_column("waiting_since")
        batch_op.drop_column("snoozed_until")
        batch_op.drop_column("closing")
        batch_op.drop_column("tags")
        batch_op.drop_column("priority")
        batch_op.drop_column("team")

    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.drop_column("parts")

    with op.batch_alter_table("ticket_events", schema=None) as batch_op:
        batch_op.drop_column("undone_at")
        batch_op.drop_column("version")
        batch_op.drop_column("before")

    with op.batch_alter_table("ticket_clocks", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_ticket_clocks_warn",
            sqlite_where=sa.text("state = 'running'"),
            postgresql_where=sa.text("state = 'running'"),
        )
        batch_op.drop_index(
            "ix_ticket_clocks_due",
            sqlite_where=sa.text("state IN ('running', 'warned')"),
            postgresql_where=sa.text("state IN ('running', 'warned')"),
        )

    op.drop_table("ticket_clocks")
    with op.batch_alter_table("suggestions", schema=None) as batch_op:
        batch_op.drop_index("ix_suggestions_ticket")

    op.drop_table("suggestions")
    with op.batch_alter_table("message_revisions", schema=None) as batch_op:
        batch_op.drop_index("ix_message_revisions_message")

    op.drop_table("message_revisions")
    with op.batch_alter_table("identity_links", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_identity_links_customer",
            sqlite_where=sa.text("undone_at IS NULL"),
            postgresql_where=sa.text("undone_at IS NULL"),
        )
        batch_op.drop_index(
            "uq_identity_links_live",
            sqlite_where=sa.text("undone_at IS NULL"),
            postgresql_where=sa.text("undone_at IS NULL"),
        )

    op.drop_table("identity_links")
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_outbox_gated",
            sqlite_where=sa.text("state = 'pending' AND gate IS NOT NULL"),
            postgresql_where=sa.text("state = 'pending' AND gate IS NOT NULL"),
        )
        batch_op.drop_column("rank")
        batch_op.drop_column("gate")

    op.drop_table("read_marks")
    op.drop_table("gates")
    op.drop_table("macros")
    op.drop_table("agents")
