"""What customers see of what goes on in Slack, and what Slack shows of them, whatever happens in which order."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.desk.threads_machine import Threads
from tests.pipeline.conftest import shop_template

__all__ = ["shop_template"]


# Where it fails, a short shift that shows why is looked for, which takes minutes.
@pytest.mark.no_cover
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_each_customer_sees_their_own_conversation_alone(migrated_sqlite: Path, shop_template: Path) -> None:
    """What was meant for them and no note; each of their lines stands in one thread, which has nobody else's word."""
    Threads.run((migrated_sqlite, shop_template), examples=10, steps=30)
