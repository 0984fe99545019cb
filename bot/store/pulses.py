"""How workers that share a PostgreSQL learn within two seconds that one of them is dead or stuck.

Each worker holds an advisory lock in its own name, over a connection on which a thread asks something every now and
then: its pulse. A lock goes with its process, however that ends, and a connection on which nothing is asked belongs to
a process that is stopped, or cut off. Tokens of leases begin with their worker's name (`bot.store.lanes`), so what it
has in work can be told and released. Whoever is late but alive is fenced by its tokens, as ever.

A lease that ends by itself stays the rule for all that no pulse tells: a worker that lives and hangs, say.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from zlib import crc32

import psycopg
import structlog

from bot.store.database import Database
from bot.store.lanes import SIGNATURE

log = structlog.get_logger()

#: Seconds between two beats; each looks at the others' too.
BEAT_EVERY = 0.2
#: Seconds without a beat after which a worker is gone: more than a busy machine lets a thread wait.
GONE_AFTER = 1.5
#: Seconds without a beat of its own after which a worker signs nothing, and judges nobody.
_UNSURE_AFTER = 0.75
_PAUSE = 0.1
#: Tells these locks from all others: the first half of their keys.
_KIND = crc32(b"tandem worker") >> 1
#: No token without a signature begins so: others are hexadecimal.
_MARK = "w"

_IN_WORK = f"""
SELECT DISTINCT substr(lease, 1, {SIGNATURE}) FROM (
  SELECT lease FROM inbox WHERE state = 'claimed' UNION ALL SELECT lease FROM outbox WHERE state = 'claimed'
) AS claimed WHERE lease LIKE '{_MARK}%'
"""  # noqa: S608 - constants of ours
# Everybody sees everybody's locks; when another role's connection was used last, one may not see: then it lives.
_PULSES = """
SELECT locks.objid::bigint, extract(epoch FROM clock_timestamp() - activity.state_change)::float
FROM pg_locks AS locks LEFT JOIN pg_stat_activity AS activity ON activity.pid = locks.pid
WHERE locks.locktype = 'advisory' AND locks.granted AND locks.classid::bigint = %s AND locks.objsubid = 2
  AND locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class Pulse:
    """One worker's pulse, and its ear for the others'."""

    def __init__(self, database: Database) -> None:
        """Beat for the worker of this process, once it is begun; on SQLite, which has one worker, never."""
        self._database = database
        self._name = f"{_MARK}{database.name}"[:SIGNATURE]
        self._beat_at: float | None = None
        self._ending = threading.Event()

    @property
    def signature(self) -> str:
        """What tokens begin with; empty while nobody is sure to hear the pulse."""
        beat_at = self._beat_at
        return self._name if beat_at is not None and time.monotonic() - beat_at < _UNSURE_AFTER else ""

    @asynccontextmanager
    async def beating(self, gone: Callable[[frozenset[str]], None]) -> AsyncIterator[None]:
        """Beat for as long as the context lasts; `gone` is told the signatures of workers that do no more."""
        if self._database.is_sqlite:
            yield
            return
        loop = asyncio.get_running_loop()

        def tell(names: frozenset[str]) -> None:
            loop.call_soon_threadsafe(gone, names)

        self._ending.clear()
        beating = asyncio.create_task(asyncio.to_thread(self._beat, tell))
        try:
            yield
        finally:
            self._ending.set()
            await beating

    def _beat(self, tell: Callable[[frozenset[str]], None]) -> None:
        while not self._ending.is_set():
            try:
                with self._connect() as connection:
                    self._look(connection, tell)
            except psycopg.Error as error:
                log.info("pulse_lost", error=type(error).__name__)
            self._beat_at = None
            self._ending.wait(_PAUSE)

    def _connect(self) -> psycopg.Connection[Any]:
        _, parameters = self._database.engine.dialect.create_connect_args(self._database.engine.url)
        limits: dict[str, Any] = {"connect_timeout": 2, "tcp_user_timeout": 2000}
        connection: psycopg.Connection[Any] = psycopg.connect(**limits | dict(parameters), autocommit=True)
        connection.execute("SELECT pg_advisory_lock(%s, %s)", (_KIND, _key(self._name)))
        return connection

    def _look(self, connection: psycopg.Connection[Any], tell: Callable[[frozenset[str]], None]) -> None:
        """Beat and listen on a connection until the end, or until it is lost, which raises."""
        heard: dict[str, float] = {}
        looked_at = time.monotonic()
        while not self._ending.wait(BEAT_EVERY):
            in_work = {str(name) for (name,) in connection.execute(_IN_WORK)} - {self._name}
            ages = {int(key): float(age or 0.0) for key, age in connection.execute(_PULSES, (_KIND,))}
            self._beat_at = now = time.monotonic()
            is_late, looked_at = now - looked_at > _UNSURE_AFTER, now
            # After a crash of the server all need a moment to be there again: who was not heard of is as if heard now.
            heard = {
                name: now - ages[_key(name)] if _key(name) in ages else now if is_late else heard.get(name, now)
                for name in in_work
            }
            gone = frozenset(name for name, beat_at in heard.items() if now - beat_at > GONE_AFTER)
            # Where one's own thread has to wait so long, others' may have to.
            if gone and not is_late:
                tell(gone)


def _key(name: str) -> int:
    """Return the second half of the key of a worker's lock."""
    return crc32(name.encode()) >> 1
