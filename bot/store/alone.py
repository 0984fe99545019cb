"""Work that only one of the processes that share a database may do at a time."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from bot.store.database import Database

log = structlog.get_logger()

#: Seconds between two looks whether the place is free, or whether it is still ours.
LOOK_EVERY = 1.0


async def alone(database: Database, name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Do `work` while no other process does the work of that name, and take over within seconds when that one is gone.

    Returns when the work does. A SQLite file belongs to one process, which is alone.
    """
    if database.is_sqlite:
        await work()
        return
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
    while True:
        try:
            place = await asyncio.to_thread(_take, database, key)
        except SQLAlchemyError as error:
            log.warning("place_not_asked_for", name=name, error=type(error).__name__)
            place = None
        if place is None:
            await asyncio.sleep(LOOK_EVERY)
            continue
        log.info("place_taken", name=name)
        if await _work_at(place, name, work):
            return


async def _work_at(place: Connection, name: str, work: Callable[[], Awaitable[None]]) -> bool:
    """Work until the work is done (true) or the place is lost with the connection that holds it (false)."""
    working = asyncio.ensure_future(work())
    looking: asyncio.Future[object] = asyncio.Future()
    looking.set_result(None)
    try:
        while not working.done():
            await asyncio.wait({working}, timeout=LOOK_EVERY)
            looking = asyncio.ensure_future(asyncio.to_thread(place.execute, text("SELECT 1")))
            await asyncio.shield(looking)
        await working
    except SQLAlchemyError as error:
        log.warning("place_lost", name=name, error=type(error).__name__)
        return False
    finally:
        working.cancel()
        # A thread cannot be cancelled, and two must not use one connection.
        await asyncio.gather(working, looking, return_exceptions=True)
        # The place goes with its connection, which no pool may keep.
        place.invalidate()
        place.close()
    return True


def _take(database: Database, key: int) -> Connection | None:
    """Return the connection that holds the place, or none if another process has it."""
    connection = database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    try:
        if connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}):
            return connection
    except BaseException:
        connection.close()
        raise
    connection.close()
    return None
