"""One clock for all who share a database: the database's own.

Whether a lease has ended, or a message is due, must not depend on which host is asked: of two hosts whose clocks are a
minute apart one would take the other's work away, and leave alone for a minute what the other has just put down.
"""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from bot.domain.ports import Clock
from bot.store.database import Database

log = structlog.get_logger()

#: Seconds between two looks at the database's clock.
SET_EVERY = 10.0
#: Counts on while the machine sleeps, where there is such a clock, and is never put forward or back.
_COUNTER = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SharedClock:
    """`bot.domain.ports.Clock` that goes as the database's; on SQLite, which has one process, on from our own.

    There a life goes by the time it began at, whoever sets the machine's clock meanwhile: set back, it would leave what
    was just put down alone for as long; set forward, nothing would have its time any more.
    """

    def __init__(self, database: Database, own: Clock) -> None:
        """Go as `own` until it is set."""
        self._database = database
        self._own = own
        self._known: tuple[datetime, float] | None = None

    def now(self) -> datetime:
        """Return the present moment, aware and in UTC."""
        if self._known is None:
            return self._own.now()
        moment, counted = self._known
        return moment + timedelta(seconds=_count() - counted)

    async def set(self) -> None:
        """Set it by the database's clock; raises `SQLAlchemyError`, and goes on as before, when that cannot be read."""
        if not self._database.is_sqlite:
            self._known = await self._database.read(_look)
        elif self._known is None:
            self._known = self._own.now(), _count()

    async def run(self) -> None:
        """Keep it set until cancelled."""
        while True:
            await asyncio.sleep(SET_EVERY)
            try:
                await self.set()
            except SQLAlchemyError as error:
                log.warning("clock_not_set", error=type(error).__name__)


def _look(connection: Connection) -> tuple[datetime, float]:
    """Return the database's time and what our counter showed at that moment."""
    # The transaction begins with its first statement, which would take the longer for it.
    connection.execute(select(1))
    before = _count()
    moment: datetime = connection.scalars(select(func.clock_timestamp())).one()
    return moment, (before + _count()) / 2


def _count() -> float:
    return time.clock_gettime(_COUNTER)
