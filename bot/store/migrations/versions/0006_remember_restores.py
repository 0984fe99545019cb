"""Remember that the database was restored from a backup."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import bot.store.database

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "restores",
        sa.Column("id", bot.store.database.RowId, autoincrement=True, nullable=False),
        sa.Column("backed_up_at", bot.store.database.Moment(timezone=True), nullable=False),
        sa.Column("until", bot.store.database.Moment(timezone=True), nullable=False),
        sa.Column("restored_at", bot.store.database.Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_restores")),
    )
