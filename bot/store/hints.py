"""Wake-ups between the parts of a process: losing one costs latency, never a message."""

from __future__ import annotations

import asyncio


class Hint:
    """Something may be there to do."""

    def __init__(self) -> None:
        """Start without any."""
        self._event = asyncio.Event()

    def give(self) -> None:
        """Wake whoever waits, now or at the next wait."""
        self._event.set()

    async def wait(self, at_most: float) -> None:
        """Return after a hint, or after `at_most` seconds without one."""
        try:
            async with asyncio.timeout(at_most):
                await self._event.wait()
        except TimeoutError:
            return
        finally:
            self._event.clear()


class Hints:
    """The hints of one process."""

    def __init__(self) -> None:
        """Make one for each box."""
        self.inbox = Hint()
        self.outbox = Hint()
