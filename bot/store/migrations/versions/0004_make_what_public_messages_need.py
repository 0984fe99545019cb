"""Make what public messages need: what they were found to be, invitations into private, and public canned replies."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import bot.store.database

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "triages",
        sa.Column("message_id", sa.String(length=32), nullable=False),
        sa.Column("conversation_id", sa.String(length=32), nullable=False),
        sa.Column("aim", sa.String(length=12), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("treatment", sa.String(length=12), nullable=False),
        sa.Column("intent", sa.String(length=100), nullable=True),
        sa.Column("at", bot.store.database.Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_triages")),
    )
    op.create_index("ix_triages_conversation", "triages", ["conversation_id"])
    op.create_index("ix_triages_at", "triages", ["at"])
    op.create_table(
        "invitations",
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("conversation_id", sa.String(length=32), nullable=False),
        sa.Column("made_at", bot.store.database.Moment(timezone=True), nullable=False),
        sa.Column("expires_at", bot.store.database.Moment(timezone=True), nullable=False),
        sa.Column("joined_id", sa.String(length=32), nullable=True),
        sa.Column("joined_at", bot.store.database.Moment(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_invitations")),
    )
    op.create_index("ix_invitations_conversation", "invitations", ["conversation_id"])
    op.create_index("ix_invitations_joined", "invitations", ["joined_id"])
    op.create_table(
        "token_guesses",
        sa.Column("address", sa.String(length=400), nullable=False),
        sa.Column("wrong_count", sa.Integer(), nullable=False),
        sa.Column("since", bot.store.database.Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_token_guesses")),
    )
    with op.batch_alter_table("macros", schema=None) as batch_op:
        batch_op.add_column(sa.Column("is_public", sa.Boolean(), server_default=sa.false(), nullable=False))
