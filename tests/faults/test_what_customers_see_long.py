"""The long form of `tests/desk/test_what_customers_see.py`: `make faults`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.desk.threads_machine import Threads
from tests.pipeline.conftest import shop_template

__all__ = ["shop_template"]


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_each_customer_sees_their_own_conversation_alone(migrated_sqlite: Path, shop_template: Path) -> None:
    """Whatever customers and agents do in a hundred shifts, and however Slack tells of it."""
    Threads.run((migrated_sqlite, shop_template), examples=100, steps=150)
