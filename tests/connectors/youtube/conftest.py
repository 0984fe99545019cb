from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.connectors.youtube.bench import Bench, bench


@pytest.fixture
async def stand() -> AsyncIterator[Bench]:
    """Return a bench."""
    async with bench() as made:
        yield made
