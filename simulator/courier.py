"""Brings events to Tandem by its webhook, as channels do in any weather: several in one call, late, again."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from simulator.phones import Errands
from simulator.truth import Wrote
from simulator.weather import Weather

#: Seconds: how long an event waits for others, is on its way at most, and comes again within.
_GATHERS_FOR, _DAWDLES_FOR, _REPEATS_WITHIN = 0.2, 1.5, 2.0
#: Seconds after which an impatient channel hangs up, and before it comes again when nobody listens.
_HANGS_UP_AFTER, _COMES_AGAIN_AFTER = 0.02, 0.5


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that a channel tells of."""

    channel: str
    body: Any
    #: the message it is, if it is one
    written: Wrote | None = None


@dataclass(kw_only=True)
class Courier:
    """Carries the events of one network's channels."""

    #: calls the webhook of a channel once with these events, in order, and returns the status of its answer
    call: Callable[[str, list[Any]], Awaitable[int]]
    weather: Weather
    dice: random.Random
    #: whether one call may bring several events
    can_gather: bool = True
    errands: Errands = field(default_factory=Errands)
    _gathered: dict[str, list[Event]] = field(default_factory=dict)

    def send(self, event: Event, after: float = 0.0) -> None:
        """Bring an event that happens after so many seconds."""
        self.errands.run(self._carry(event, after))

    async def _carry(self, event: Event, after: float) -> None:
        if self.dice.random() < self.weather.dawdles:
            after += self.dice.uniform(0.2, _DAWDLES_FOR)
        await asyncio.sleep(after)
        if not self.can_gather or self.dice.random() >= self.weather.gathers:
            await self._deliver([event])
            return
        gathered = self._gathered.setdefault(event.channel, [])
        gathered.append(event)
        if len(gathered) == 1:
            await asyncio.sleep(_GATHERS_FOR)
            await self._deliver(self._gathered.pop(event.channel))

    async def _deliver(self, events: list[Event]) -> None:
        written = [event.written for event in events if event.written is not None]
        for each in written:
            each.offered_at = time.monotonic()
        if self.dice.random() < self.weather.hangs_up:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.dice.uniform(0.001, _HANGS_UP_AFTER)):
                    await self._insist(events)
        await self._insist(events)
        for each in written:
            each.acknowledged_at = time.monotonic()
        if self.dice.random() < self.weather.repeats:
            await asyncio.sleep(self.dice.uniform(0, _REPEATS_WITHIN))
            await self._insist(events)

    async def _insist(self, events: list[Event]) -> None:
        while True:
            with suppress(aiohttp.ClientError):
                if await self.call(events[0].channel, [event.body for event in events]) == 200:
                    return
            await asyncio.sleep(_COMES_AGAIN_AFTER)
