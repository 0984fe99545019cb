"""A connector that looks for itself, and what it made durable."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from bot.domain.connectors import Polling, Sink
from bot.domain.messages import Echo, InboundEvent, InboundMessage

#: Makes a connector that waits by what it is given.
Make = Callable[[Callable[[float], Awaitable[None]]], Polling]


class Looker:
    """Lets a connector look once at a time, and die and begin again in between."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self.events: list[InboundEvent] = []
        self.pauses: list[float] = []
        #: whether nothing can be kept now
        self.is_full = False
        self._polling: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._asleep = asyncio.Event()
        self._connector = make(self._sleep)

    async def look(self) -> list[InboundEvent]:
        """Let the connector look once; return what came new."""
        before = len(self.events)
        self._asleep.clear()
        # The first pause ends the look: a poller never ends by itself.
        if self._polling is None:
            self._polling = asyncio.create_task(self._connector.poll(self._sink))
        else:
            self._woken.set()
        await asyncio.wait_for(self._asleep.wait(), 10)
        return self.events[before:]

    async def restart(self) -> None:
        """Let the process die, and another begin."""
        await self.stop()
        self._polling = None
        self._connector = self._make(self._sleep)

    async def stop(self) -> None:
        """End the poller."""
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self._woken.clear()
        self._asleep.set()
        await self._woken.wait()

    @property
    def _sink(self) -> Sink:
        async def keep(events: list[InboundEvent]) -> None:
            if self.is_full:
                raise OSError("no space left")
            self.events += events

        return keep


def words(events: list[InboundEvent]) -> list[str]:
    """Return what was written."""
    return [event.text for event in events if isinstance(event, InboundMessage | Echo)]
