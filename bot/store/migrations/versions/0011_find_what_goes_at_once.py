"""Let what goes at once be found without a look at all that waits at a gate."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_WAITS, _WAITS_AT_NO_GATE = sa.text("state = 'pending'"), sa.text("state = 'pending' AND gate IS NULL")


def upgrade() -> None:
    """Take the step."""
    op.create_index(
        "ix_outbox_at_once", "outbox", ["id"], sqlite_where=_WAITS_AT_NO_GATE, postgresql_where=_WAITS_AT_NO_GATE
    )
    op.drop_index("ix_outbox_oldest", "outbox")


def downgrade() -> None:
    """Take it back."""
    op.create_index("ix_outbox_oldest", "outbox", ["id"], sqlite_where=_WAITS, postgresql_where=_WAITS)
    op.drop_index("ix_outbox_at_once", "outbox")
