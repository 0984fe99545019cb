"""What the YouTube tests stand on: a fake YouTube and the connector that reads it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr

from bot.domain.connectors import SendOperation
from bot.domain.messages import InboundEvent
from connectors.youtube.connector import YouTubeConnector, YouTubeSettings
from tests.connectors.answering import planned
from tests.fakes.cursors import MemoryCursors
from tests.fakes.youtube import OURS, FakeYouTube, running

#: Ten in the morning in California.
MORNING = datetime(2026, 11, 22, 18, tzinfo=UTC)


class Bench:
    """A running fake, our connector, and what it made durable."""

    def __init__(self, youtube: FakeYouTube) -> None:
        self.youtube = youtube
        self.cursors = MemoryCursors()
        self.connector = self.made()
        self.events: list[InboundEvent] = []
        self.pauses: list[float] = []
        #: whether nothing can be kept now
        self.is_full = False
        self._polling: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._asleep = asyncio.Event()

    def made(self, **more: Any) -> YouTubeConnector:
        """Return a new connector over the same cursors."""
        account = YouTubeSettings.model_validate(
            {
                "channel_id": OURS,
                "handle": "@copperleaf",
                "client_id": "1-a",
                "client_secret": SecretStr("s"),
                "refresh_token": SecretStr("refresh0token"),
                "base_url": f"{self.youtube.url}/youtube/v3",
                "token_url": f"{self.youtube.url}/token",
            }
            | more
        )
        return YouTubeConnector(account, self.cursors, sleep=self._sleep, now=lambda: self.youtube.now)

    async def look(self) -> list[InboundEvent]:
        """Let the connector look once; return what came new."""
        before = len(self.events)
        await self._until_asleep()
        return self.events[before:]

    async def _until_asleep(self) -> None:
        # The first pause ends the look: a poller never ends by itself.
        if self._polling is None or self._polling.done():
            self._asleep.clear()
            self._polling = asyncio.create_task(self.connector.poll(self._sink))
        else:
            self._asleep.clear()
            self._woken.set()
        await asyncio.wait_for(self._asleep.wait(), 10)

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self._woken.clear()
        self._asleep.set()
        await self._woken.wait()

    async def _sink(self, events: list[InboundEvent]) -> None:
        if self.is_full:
            raise OSError("no space left")
        self.events += events

    async def restart(self) -> None:
        """Let the process die, and another begin."""
        await self.stop()
        self.connector = self.made()

    async def stop(self) -> None:
        """End the poller."""
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)
        await self.connector.close()

    def passes(self, **time: float) -> None:
        """Let time pass at YouTube and here."""
        self.youtube.now += timedelta(**time)


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    """A fake YouTube and a connector that has looked once, so that what follows is new."""
    async with running(FakeYouTube(now=MORNING)) as youtube:
        made = Bench(youtube)
        await made.look()
        made.passes(seconds=1)
        yield made
        await made.stop()


async def answered(stand: Bench, event: InboundEvent, text: str) -> SendOperation:
    """Return the call that answers a comment."""
    (operation,) = planned(stand.connector, event, text)
    return operation
