from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from bot.desk.local.hub import DeskHub
from bot.desk.local.routes import LocalDeskParts, local_desk_blueprint
from tests.desk.floor import Floor
from tests.desk.local.visit import SECRET, TEAMS, Visit
from tests.desk.records import dana
from tests.desk.serving import serve
from tests.fakes.media import MemoryMedia


@pytest.fixture
async def visit(floor: Floor) -> AsyncIterator[Visit]:
    """Return a browser before a desk with one ticket."""
    media, hub = MemoryMedia(), DeskHub()
    floor.open(record=dana())
    parts = LocalDeskParts(acts=floor, media=media, hub=hub, secret=SECRET, brand="Copperleaf", teams=TEAMS)
    jar = aiohttp.CookieJar(unsafe=True)
    async with serve(local_desk_blueprint(parts)) as url, aiohttp.ClientSession(cookie_jar=jar) as session:
        yield Visit(url, session, floor, media, hub)
