"""What every simulated customer has in hand: an app on one channel, whichever it is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol

from simulator.truth import Chat, Wrote


class Phone(Protocol):
    """One customer's app on one channel; what the channel does not have does nothing."""

    @property
    def chat(self) -> Chat:
        """What was written and seen so far."""
        ...

    async def write(self, text: str) -> None:
        """Send a text."""
        ...

    async def tap(self, title: str, payload: str) -> None:
        """Tap a choice of the newest message that has any."""
        ...

    async def edit(self, text: str) -> None:
        """Change the last message."""
        ...

    async def withdraw(self) -> None:
        """Take the last message back."""
        ...

    async def react(self, sign: str) -> None:
        """Put a sign to the last message that was seen."""
        ...


class Channel(Protocol):
    """A simulated channel, up and connected to Tandem."""

    def phone(self, number: int, name: str) -> Phone:
        """Return the phone of a new customer."""
        ...

    async def idle(self) -> None:
        """Return once nothing of the channel is on its way to Tandem."""
        ...


def wrote(chat: Chat, external_id: str, text: str) -> Wrote:
    """Note a message that a customer sends now, and return it."""
    made = Wrote(external_id=external_id, text=text, at=time.monotonic())
    chat.wrote.append(made)
    return made


@dataclass(kw_only=True)
class Errands:
    """Tasks that run beside one another, each seen to its end."""

    _running: set[asyncio.Task[None]] = field(default_factory=set)

    def run(self, errand: Coroutine[Any, Any, None]) -> None:
        """Start one."""
        task = asyncio.create_task(errand)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def done(self) -> None:
        """Wait for all of them, and those they start; raises what one of them raised."""
        while self._running:
            await asyncio.gather(*self._running)

    async def stop(self) -> None:
        """Cancel them all."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
