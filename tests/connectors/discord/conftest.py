from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.connectors.discord.bench import Bench, bench


@pytest.fixture
async def stand() -> AsyncIterator[Bench]:
    """A fake Discord, a customer and our connectors."""
    async with bench() as made:
        yield made
