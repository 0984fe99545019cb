"""Keep which message a message answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "message_quotes",
        sa.Column("message_id", sa.String(length=32), nullable=False),
        sa.Column("quotes", sa.String(length=32), nullable=True),
        sa.Column("token", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("message_id"),
    )
