"""A Mastodon account's connectors before a fake server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
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
from connectors.mastodon.connector import MastodonConnector, MastodonMentionsConnector, MastodonSettings, Office
from tests.connectors.answering import planned
from tests.connectors.looker import Looker
from tests.fakes.cursors import MemoryCursors
from tests.fakes.mastodon import TOKEN, FakeMastodon, running
from tests.fakes.media import MemoryMedia


class Bench:
    """A server, an account on it, and what it made durable."""

    def __init__(self, mastodon: FakeMastodon, **settings: Any) -> None:
        self.mastodon = mastodon
        self.media = MemoryMedia()
        self.cursors = MemoryCursors()
        self.now = datetime(2026, 11, 22, 9, 31, tzinfo=UTC)
        self.slept: list[float] = []
        self.settings = {"name": "@care@mastodon.example", "token": TOKEN, "base_url": mastodon.url} | settings
        self.office = self._office(self._sleep)
        self.private = MastodonConnector(self.office)
        self.public = MastodonMentionsConnector(self.office)
        self._made = [self.office]
        self.looker = Looker(self._looking)

    def _office(self, sleep: Callable[[float], Awaitable[None]]) -> Office:
        account = MastodonSettings.model_validate(self.settings)
        return Office(account, self.media, self.cursors, sleep, lambda: self.now)

    def _looking(self, sleep: Callable[[float], Awaitable[None]]) -> MastodonConnector:
        self._made.append(self._office(sleep))
        return MastodonConnector(self._made[-1])

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def look(self) -> list[InboundEvent]:
        """Let the connector look once; return what came new."""
        return await self.looker.look()

    def planned(self, event: InboundEvent, text: str, *files: Attachment) -> tuple[SendOperation, ...]:
        """Return the calls that answer a message."""
        return planned(self._speaker(event), event, text, *files)

    def _speaker(self, event: InboundEvent) -> MastodonConnector | MastodonMentionsConnector:
        assert isinstance(event, InboundMessage)
        return self.private if event.address.channel == "mastodon" else self.public

    async def answer(self, event: InboundEvent, text: str, key: str = "k1") -> SendResult:
        """Answer a message once."""
        (operation,) = self.planned(event, text)
        return await self._speaker(event).send(operation, key)

    async def stop(self) -> None:
        """End everything."""
        await self.looker.stop()
        for each in self._made:
            await each.close()


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    """Yield a bench whose connector has looked once, so that what follows is new."""
    async with running(FakeMastodon()) as mastodon:
        mastodon.writes("jane", "@care from before")
        made = Bench(mastodon)
        assert await made.look() == []
        yield made
        await made.stop()
