"""The one writer of a SQLite file: bodies that wait at the same moment share a commit, and so one wait for the disk."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

T = TypeVar("T")

#: Bodies that share one commit, and so one fsync, when they wait at the same moment.
GROUP_MAX = 64
#: Bodies that share the commit of urgent ones: so many at least, and for each urgent one. What is taken in wants to be
#: worked on: were there none, nothing would be answered for as long as a storm lasts.
BESIDE_URGENT_MIN, BESIDE_EACH_URGENT = 4, 2


@dataclass
class _Job:
    body: Callable[[Connection], Any]
    is_urgent: bool
    #: belongs to `loop`: the writer reads of it only whether its caller has left
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    result: Any = None
    error: Exception | None = None


class GroupWriter(threading.Thread):
    """Takes waiting bodies into one transaction, each in a savepoint.

    Urgent bodies go first. While any wait, few others share their commit, and others that are at it soon make way.
    """

    def __init__(self, engine: Engine) -> None:
        """Begin with nothing; a connection of its own is made with the first body."""
        super().__init__(name="database-writer", daemon=True)
        self._engine = engine
        self._connection: Connection | None = None
        self._urgent: deque[_Job] = deque()
        self._others: deque[_Job] = deque()
        self._news = threading.Condition()
        self._is_closed = False

    async def write(self, body: Callable[[Connection], T], *, is_urgent: bool) -> T:
        """Run `body` and return what it returns, once that is committed; any error of its own undoes it alone."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        job = _Job(body, is_urgent, future, loop)
        with self._news:
            if self._is_closed:
                raise RuntimeError("the database is closed")
            (self._urgent if is_urgent else self._others).append(job)
            self._news.notify()
        return await future

    def stop(self) -> None:
        """Finish what was handed in, and end."""
        with self._news:
            self._is_closed = True
            self._news.notify()
        self.join()

    def run(self) -> None:
        """Commit until it is stopped."""
        while group := self._next():
            self._commit(group)
            _tell(group)
        self._disconnect()

    def _next(self) -> list[_Job]:
        """Wait for bodies and return those of the next transaction; none: there will be no more."""
        with self._news:
            while not (self._urgent or self._others or self._is_closed):
                self._news.wait()
            group = [self._urgent.popleft() for _ in range(min(GROUP_MAX, len(self._urgent)))]
            room = max(BESIDE_URGENT_MIN, BESIDE_EACH_URGENT * len(group)) if group else GROUP_MAX
            return group + [self._others.popleft() for _ in range(min(room, len(self._others)))]

    def _commit(self, group: list[_Job]) -> None:
        """Run the bodies and commit; of a group that made way for urgent ones only what was begun is left in it."""
        try:
            connection = self._connect()
            with connection.begin():
                is_alone = len(group) == 1
                stays = sum(job.is_urgent for job in group)
                stays = max(BESIDE_URGENT_MIN, (1 + BESIDE_EACH_URGENT) * stays)
                for n, job in enumerate(group):
                    if n >= stays and self._urgent and not job.is_urgent:
                        with self._news:
                            self._others.extendleft(reversed(group[n:]))
                        del group[n:]
                        break
                    # One whose caller has left already is not run.
                    if not job.future.cancelled():
                        _run(connection, job, is_alone=is_alone)
        except Exception as error:  # noqa: BLE001 - whatever broke the commit belongs to each who waits for it
            for job in group:
                job.error = error
            self._disconnect()

    def _connect(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection.execution_options(is_writer=True)

    def _disconnect(self) -> None:
        if self._connection is not None:
            # What it stumbled over may go on; the next group finds out with a new one.
            with suppress(Exception):
                self._connection.close()
            self._connection = None


def _run(connection: Connection, job: _Job, *, is_alone: bool) -> None:
    # Alone in its transaction, a body needs no savepoint to be undone.
    if is_alone:
        job.result = job.body(connection)
        return
    # SQLAlchemy's own savepoints take longer than most bodies.
    driver: Any = connection.connection.driver_connection
    driver.execute("SAVEPOINT body")
    try:
        job.result = job.body(connection)
    except OperationalError:
        raise
    except Exception as error:  # noqa: BLE001 - a failing body undoes only itself
        driver.execute("ROLLBACK TO body")
        job.error = error
    driver.execute("RELEASE body")


def _tell(group: list[_Job]) -> None:
    """Let callers know, those of one event loop with one call into it."""
    for loop in {job.loop for job in group}:
        # Where a loop has ended, nobody waits.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_end, [job for job in group if job.loop is loop])


def _end(jobs: list[_Job]) -> None:
    for job in jobs:
        if job.future.done():
            continue
        if job.error is None:
            job.future.set_result(job.result)
        else:
            job.future.set_exception(job.error)
