from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.web.visitors import SHOP, Visitor, arrived
from tests.webchat_site import ChatSite, chat_site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[ChatSite]:
    """Return a served site that another one, SHOP, may embed."""
    async with chat_site(tmp_path, origins=frozenset({f"{SHOP}/"})) as served:
        yield served


@pytest.fixture
async def visitor(site: ChatSite) -> AsyncIterator[Visitor]:
    """Return a visitor with a session."""
    async with arrived(site) as here:
        yield here
