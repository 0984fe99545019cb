"""Short bodies that wait at the same moment share a transaction: its way to the database, and its wait for the disk.

A SQLite file has a writer of its own for that (`bot.store.writing`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

T = TypeVar("T")
Body = Callable[[Connection], Any]

#: Bodies of one transaction: more would hold their locks for long.
TOGETHER_MAX = 32


@dataclass(frozen=True, kw_only=True)
class _Waiting:
    body: Body
    #: what it locks is of this lane alone
    lane: str
    future: asyncio.Future[Any]


class Gatherer:
    """Runs bodies in the order they come, those that wait together in the order of their lanes.

    Whoever locks several conversations does so in that order, and so none of them waits for another in a circle.
    """

    def __init__(self, run: Callable[[Callable[[Connection], list[Any]]], Awaitable[list[Any]]], at_once: int) -> None:
        """Begin with nothing; `run` runs a body in a transaction of its own, `at_once` of them beside each other."""
        self._run = run
        self._at_once = at_once
        self._waiting: deque[_Waiting] = deque()
        self._working: set[asyncio.Task[None]] = set()

    async def run(self, body: Callable[[Connection], T], lane: str = "") -> T:
        """Run `body` and return what it returns, once that is committed; any error of its own undoes it alone."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(body=body, lane=lane, future=future))
        if sum(not task.done() for task in self._working) < self._at_once:
            task = asyncio.create_task(self._work())
            self._working.add(task)
            task.add_done_callback(self._working.discard)
        return await future

    async def close(self) -> None:
        """Finish what was handed in."""
        while self._working:
            await asyncio.wait(self._working)

    async def _work(self) -> None:
        while self._waiting:
            group = [self._waiting.popleft() for _ in range(min(TOGETHER_MAX, len(self._waiting)))]
            # One whose caller has left already is not run.
            await self._commit(sorted((each for each in group if not each.future.done()), key=lambda each: each.lane))

    async def _commit(self, group: list[_Waiting]) -> None:
        def together(connection: Connection) -> list[Any]:
            return [each.body(connection) for each in group]

        try:
            results = await self._run(together)
        except Exception as error:  # noqa: BLE001 - it belongs to who waits for it
            # The database failed them all, or one of them failed and undid the others: then each stands for itself.
            if len(group) == 1 or isinstance(error, OperationalError):
                for each in group:
                    if not each.future.done():
                        each.future.set_exception(error)
            else:
                for each in group:
                    await self._commit([each])
            return
        for each, result in zip(group, results, strict=True):
            if not each.future.done():
                each.future.set_result(result)
