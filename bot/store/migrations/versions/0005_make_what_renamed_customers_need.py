"""Make what customers need whom a channel comes to know by another id."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import bot.store.database

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "aliases",
        sa.Column("id", bot.store.database.RowId, autoincrement=True, nullable=False),
        sa.Column("address", sa.String(length=400), nullable=False),
        sa.Column("of_address", sa.String(length=400), nullable=False),
        sa.Column("at", bot.store.database.Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_aliases")),
        sa.UniqueConstraint("address", name=op.f("uq_aliases_address")),
    )
    op.create_index("ix_aliases_of", "aliases", ["of_address", "id"])
