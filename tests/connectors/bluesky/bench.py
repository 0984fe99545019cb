"""A Bluesky account's connectors before a fake network."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain.connectors import (
    SendOperation,
    SendResult,
)
from bot.domain.messages import (
    Attachment,
    InboundEvent,
    InboundMessage,
)
from connectors.bluesky.connector import BlueskyConnector, BlueskyMentionsConnector, BlueskySettings, Office
from tests.connectors.answering import planned
from tests.connectors.looker import Looker
from tests.fakes.bluesky import HANDLE, JANE, PASSWORD, FakeBluesky, running
from tests.fakes.cursors import MemoryCursors
from tests.fakes.media import MemoryMedia

MORNING = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


class Bench:
    """A network, an account on it, and what it made durable."""

    def __init__(self, bluesky: FakeBluesky, **settings: Any) -> None:
        self.bluesky = bluesky
        self.media = MemoryMedia()
        self.cursors = MemoryCursors()
        self.settings = {"handle": f"@{HANDLE}", "app_password": PASSWORD, "base_url": bluesky.url} | settings
        self.made: list[Office] = []
        self.looker = Looker(self._looking)

    def _looking(self, sleep: Callable[[float], Awaitable[None]]) -> BlueskyConnector:
        account = BlueskySettings.model_validate(self.settings)
        self.made.append(Office(account, self.media, self.cursors, sleep, lambda: self.bluesky.now))
        return self.private

    @property
    def private(self) -> BlueskyConnector:
        """The connector of the messages."""
        return BlueskyConnector(self.made[-1])

    @property
    def public(self) -> BlueskyMentionsConnector:
        """The connector of what is said in public."""
        return BlueskyMentionsConnector(self.made[-1])

    async def look(self, **later: float) -> list[InboundEvent]:
        """Let time pass and the connector look once; return what came new."""
        self.bluesky.now += timedelta(**later or {"seconds": 10})
        return await self.looker.look()

    def planned(self, event: InboundEvent, text: str, *files: Attachment) -> tuple[SendOperation, ...]:
        """Return the calls that answer a message."""
        return planned(self._speaker(event), event, text, *files)

    def _speaker(self, event: InboundEvent) -> BlueskyConnector | BlueskyMentionsConnector:
        assert isinstance(event, InboundMessage)
        return self.private if event.address.channel == "bluesky" else self.public

    async def answer(self, event: InboundEvent, text: str, key: str = "k1") -> SendResult:
        """Answer a message once."""
        (operation,) = self.planned(event, text)
        return await self._speaker(event).send(operation, key)

    async def stop(self) -> None:
        """End everything."""
        await self.looker.stop()
        for each in self.made:
            await each.close()


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    """Yield a bench whose connector has looked once, so that what follows is new."""
    async with running(FakeBluesky(now=MORNING)) as bluesky:
        bluesky.says(bluesky.talks(JANE), JANE, "from before")
        bluesky.posts(JANE, "from before")
        made = Bench(bluesky)
        assert await made.look(hours=1) == []
        bluesky.now += timedelta(seconds=1)
        yield made
        await made.stop()
