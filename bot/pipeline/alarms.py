"""Telling the operator, once, that the desk cannot be reached, and that it can again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot import metrics
from bot.domain.ports import Clock
from bot.pipeline import storms
from bot.pipeline.outgoing import Writer
from bot.store import gates
from bot.store.database import Database
from bot.store.gates import Failure, Trouble

log = structlog.get_logger()

#: A desk that cannot be reached may be back in a moment; this long is no moment.
ALARM_AFTER = timedelta(minutes=2)


def is_alarming(trouble: Trouble, now: datetime) -> bool:
    """Whether somebody should look: at once where somebody has to mend it, else when it lasts."""
    return trouble.is_blocked or now - trouble.since >= ALARM_AFTER


class Troubles:
    """What is wrong with the desk, kept where every process sees it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """Use `database`."""
        self._database = database
        self._clock = clock

    async def report(self, where: str, reason: str | None, is_blocked: bool) -> None:
        """Keep why something does not work, and whether somebody has to mend it; none: it works."""
        now = self._clock.now()
        try:
            if reason is None:
                await self._database.write(gates.mend, where, now)
            else:
                failure = Failure(at=now, reason=reason, is_blocked=is_blocked)
                await self._database.write(gates.fail, where, failure)
        except SQLAlchemyError:
            # Whoever reports has nothing to do with our database, and goes on.
            log.exception("trouble_not_kept", where=where, reason=reason)

    async def alarming(self) -> dict[str, str]:
        """Return what somebody should look at, by where it is; empty when all is well."""
        now, troubles = self._clock.now(), await self._database.read(gates.troubles)
        return {trouble.name: trouble.reason for trouble in troubles if is_alarming(trouble, now)}


class DeskWatch:
    """Looks every now and then how the desk is, and remembers what the operator was told."""

    def __init__(
        self,
        database: Database,
        *,
        alarmed: Callable[[], None] = lambda: None,
        mended: Callable[[], None] = lambda: None,
    ) -> None:
        """Call `alarmed` after each new alarm, and `mended` when a trouble is over, whether or not it was alarming."""
        self._database = database
        self._alarmed = alarmed
        self._mended = mended
        self._known: set[str] = set()
        self._told: dict[str, str] = {}

    async def look(self, writer: Writer) -> None:
        """Announce storms, and say what is new about troubles since the last look."""
        if writer.desk is None or writer.desk.channel is None:
            return
        await self._database.write(storms.announce, writer)
        troubles = await self._database.read(gates.troubles)
        self._tell(troubles, writer.now)
        names = {trouble.name for trouble in troubles}
        if self._known - names:
            self._mended()
        self._known = names

    def _tell(self, troubles: Sequence[Trouble], now: datetime) -> None:
        current = {trouble.name: trouble for trouble in troubles if is_alarming(trouble, now)}
        for name, trouble in current.items():
            metrics.DESK_TROUBLE.labels(name).set(1)
            if self._told.get(name) != trouble.reason:
                self._told[name] = trouble.reason
                log.error("desk_unreachable", where=name, since=trouble.since.isoformat(), reason=trouble.reason)
                self._alarmed()
        for name in [name for name in self._told if name not in current]:
            del self._told[name]
            metrics.DESK_TROUBLE.labels(name).set(0)
            log.info("desk_reachable_again", where=name)
