"""Count no attempt of a turn that found no engine."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step; the version before counts on from here, as it takes one count from the other."""
    op.execute(
        "UPDATE inbox SET attempt_count = attempt_count - outage_count, outage_count = 0"
        " WHERE state = 'pending' AND outage_count > 0"
    )


def downgrade() -> None:
    """Take it back: there is nothing to undo."""
