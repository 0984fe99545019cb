"""Tells open pages that something on the desk has changed; a lost wake-up costs a page some freshness, no more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator


class DeskHub:
    """A counter of changes that pages wait on."""

    def __init__(self) -> None:
        """Start at a number that no earlier life of this process has reached."""
        self._count = time.time_ns() // 1_000
        self._changed = asyncio.Event()
        self._is_closed = False

    @property
    def count(self) -> int:
        """The number of the last change: read it before what you show, and compare it with what `changes` yields."""
        return self._count

    def wake(self) -> None:
        """Say that something has changed; many calls at once are one change to a page."""
        self._count += 1
        self._changed.set()
        self._changed = asyncio.Event()

    def close(self) -> None:
        """End all waiting, for a server that stops."""
        self._is_closed = True
        self.wake()

    async def changes(self, beat_seconds: float) -> AsyncIterator[int | None]:
        """Yield the counter now and after each change, and none each `beat_seconds` without one; end on close."""
        seen: int | None = None
        while not self._is_closed:
            changed = self._changed
            if seen != self._count:
                seen = self._count
                yield seen
                continue
            try:
                async with asyncio.timeout(beat_seconds):
                    await changed.wait()
            except TimeoutError:
                yield None
