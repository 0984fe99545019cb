"""Let dead letters be counted without a look at all that was ever stored."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    where = sa.text("state IN ('dead', 'held')")
    for box in ("inbox", "outbox"):
        op.create_index(f"ix_{box}_dead", box, ["state"], sqlite_where=where, postgresql_where=where)
