"""Wake-ups between the parts of a process: losing one costs latency, never a message."""

from __future__ import annotations

import asyncio


class Hint:
    """Something may be there to do."""

    def __init__(self, follower: Hint | None = None) -> None:
        """Start without any; `follower` is given whatever this one is given."""
        self._event = asyncio.Event()
        self._follower = follower

    def give(self) -> None:
        """Wake whoever waits, now or at the next wait."""
        self._event.set()
        if self._follower is not None:
            self._follower.give()

    async def wait(self, at_most: float) -> None:
        """Return after a hint, or after `at_most` seconds without one."""
        try:
            if not self._event.is_set():
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
        #: what goes out through gates, to the desk
        self.desk = Hint()
        #: what goes out at once
        self.outbox = Hint(self.desk)
