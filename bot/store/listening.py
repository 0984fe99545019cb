"""Hears what other processes commit to the PostgreSQL they share; missing a signal costs latency, never a message."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import psycopg
import structlog

from bot.store.database import Database
from bot.store.signals import CHANNEL, About, connect

log = structlog.get_logger()

#: Seconds between two questions whether the server is still there, and how long it may take to answer.
ASK_EVERY, ANSWERS_WITHIN = 15.0, 10.0
#: Seconds before a lost connection is made anew: the first time, and at most.
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0

#: Is told whom a signal names; none: it may be anybody.
Hearer = Callable[[str | None], None]


async def listen(database: Database, hearers: Mapping[About, Hearer]) -> None:
    """Pass on what other processes signal until cancelled; returns at once on SQLite, which has one process.

    A lost connection is made anew, and then every hearer is told that there may be something for anybody: nothing
    that was signalled in between is repeated.
    """
    if database.is_sqlite:
        return
    pause = FIRST_PAUSE
    while True:
        try:
            async with asyncio.timeout(ANSWERS_WITHIN):
                made = await connect(database.engine)
            async with made as connection:
                await connection.execute(f"LISTEN {CHANNEL}")
                pause = FIRST_PAUSE
                for hearer in hearers.values():
                    hearer(None)
                await _hear(connection, database.name, hearers)
        except (psycopg.Error, OSError) as error:
            log.warning("signals_lost", error=type(error).__name__)
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


async def _hear(connection: psycopg.AsyncConnection, own_name: str, hearers: Mapping[About, Hearer]) -> None:
    """Pass on signals until the connection is lost, which raises."""
    by_word = {about.value: hearer for about, hearer in hearers.items()}
    while True:
        async for notification in connection.notifies(timeout=ASK_EVERY):
            sender, word, name = notification.payload.split(" ", 2)
            # What a later version signals may be unknown here; the parts of one process wake each other directly.
            if sender != own_name and word in by_word:
                by_word[word](name)
        async with asyncio.timeout(ANSWERS_WITHIN):
            await connection.execute("SELECT 1")
