"""What a channel charges for, counted by the month."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from datetime import datetime

import structlog

from bot import metrics
from bot.domain.ports import Cursors

log = structlog.get_logger()


class Bill:
    """Counts what one channel account has sent, in the metrics and from start to start; about, and no invoice.

    Several processes that send at once may count one for two.
    """

    def __init__(self, channel: str, account: str, cursors: Cursors, now: Callable[[], datetime]) -> None:
        """Keep the counts of each month beside the cursors."""
        self._channel = channel
        self._account = account
        self._cursors = cursors
        self._now = now
        self._lock = asyncio.Lock()

    async def add(self, what: str, count: int = 1) -> None:
        """Count so many things more; that it cannot be kept is only logged."""
        metrics.BILLED.labels(self._channel, what).inc(count)
        try:
            async with self._lock:
                counts = await self.counts()
                kept = json.dumps({**counts, what: counts.get(what, 0) + count})
                await self._cursors.set(self._name(), kept)
        except Exception as error:  # noqa: BLE001 - what was sent was sent
            log.warning("bill_not_kept", channel=self._channel, error=type(error).__name__)

    async def counts(self) -> Mapping[str, int]:
        """Return how many of each thing this month has had."""
        kept = json.loads(await self._cursors.get(self._name()) or "{}")
        return {str(name): int(count) for name, count in kept.items()}

    def _name(self) -> str:
        return f"bill:{self._channel}/{self._account}:{self._now():%Y-%m}"
