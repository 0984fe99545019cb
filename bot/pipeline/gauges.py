"""Shows operators how much waits, for how long, and on what."""

from __future__ import annotations

from datetime import UTC, datetime

from bot import metrics
from bot.store import gauging
from bot.store.database import Database


class Gauges:
    """What the metrics say of the boxes."""

    def __init__(self, database: Database) -> None:
        """Look into `database`."""
        self._database = database
        self._shown: set[tuple[str, str]] = set()

    async def measure(self, now: datetime) -> None:
        """Look, and show what there is; `now` is the moment by the clock that all share."""
        metrics.CLOCK_OFFSET.set((now - datetime.now(UTC)).total_seconds())
        loads = await self._database.read(gauging.look, now)
        ages = {(box, channel): now - at for box, load in loads.items() for channel, at in load.oldest.items()}
        # What nothing waits on any more is shown as such; each box has a figure, also before anything ever waited.
        for box, channel in self._shown | {(box, "any") for box in loads}:
            metrics.OLDEST.labels(box, channel).set(0)
        for (box, channel), age in ages.items():
            metrics.OLDEST.labels(box, channel).set(max(age.total_seconds(), 0))
        self._shown |= set(ages)
        for box, load in loads.items():
            for state, count in load.counts.items():
                metrics.BOXES.labels(box, state).set(count)
            metrics.LAPSED.labels(box).set(load.lapsed_count)
        metrics.AMBIGUOUS.set(loads["outbox"].ambiguous_count)
