from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from bot.metrics import REGISTRY
from connectors.bills import Bill
from tests.fakes.cursors import MemoryCursors


class BrokenCursors(MemoryCursors):
    """A database that is away."""

    async def get(self, name: str) -> str | None:
        """Fail."""
        raise OSError(name)


async def test_by_the_month() -> None:
    """What is sent is counted by what it is, anew each month, also when much is sent at once and after a restart."""
    cursors, now = MemoryCursors(), datetime(2026, 11, 30, 23, tzinfo=UTC)
    bill = Bill("x", "1", cursors, lambda: now)
    await asyncio.gather(*(bill.add("post") for _ in range(20)), bill.add("message", 3))
    assert await Bill("x", "1", cursors, lambda: now).counts() == {"post": 20, "message": 3}
    assert await Bill("x", "2", cursors, lambda: now).counts() == {}

    now = datetime(2026, 12, 1, tzinfo=UTC)
    assert await bill.counts() == {}


async def test_what_cannot_be_kept() -> None:
    """A count that cannot be kept still shows in the metrics, and stops nothing."""
    labels = {"channel": "nowhere", "what": "post"}
    await Bill("nowhere", "1", BrokenCursors(), lambda: datetime(2026, 11, 30, tzinfo=UTC)).add("post", 2)

    assert REGISTRY.get_sample_value("tandem_billed_total", labels) == 2
