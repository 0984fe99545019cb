"""Let what has waited longest be found without a look at all that waits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    where = sa.text("state = 'pending'")
    for box in ("inbox", "outbox"):
        op.create_index(f"ix_{box}_oldest", box, ["id"], sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    """Take it back."""
    for box in ("inbox", "outbox"):
        op.drop_index(f"ix_{box}_oldest", box)
