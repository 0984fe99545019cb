from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.browser.conftest import browser
from tests.faults.conftest import model
from tests.flow.house import House, Visitor, open_house

__all__ = ["browser", "model"]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory, model: Path) -> AsyncIterator[House]:
    """Run the program once for all tests that only knock at its doors."""
    async with open_house(tmp_path_factory.mktemp("house"), model) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(house: House) -> Visitor:
    """Return a customer who has just opened the web chat."""
    return await house.visitor()
