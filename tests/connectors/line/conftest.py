from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.connectors.line.bench import Bench, bench


@pytest.fixture
async def stand() -> AsyncIterator[Bench]:
    """A fake LINE, a customer and our connector."""
    async with bench() as made:
        yield made
