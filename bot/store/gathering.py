"""Short bodies that wait at the same moment share a transaction, where the database does not share commits by itself.

PostgreSQL commits those that notify others one after the other, each with its own wait for the disk.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

T = TypeVar("T")
Body = Callable[[Connection], Any]

#: Bodies of one transaction: more would hold their locks for long.
TOGETHER_MAX = 32


class Gatherer:
    """Runs bodies in the order they come, those that wait together; `run` runs a body in a transaction of its own."""

    def __init__(self, run: Callable[[Callable[[Connection], list[Any]]], Awaitable[list[Any]]]) -> None:
        """Begin with nothing."""
        self._run = run
        self._waiting: deque[tuple[Body, asyncio.Future[Any]]] = deque()
        self._working: asyncio.Task[None] | None = None

    async def write(self, body: Callable[[Connection], T]) -> T:
        """Run `body` and return what it returns, once that is committed; any error of its own undoes it alone."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((body, future))
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        return await future

    async def close(self) -> None:
        """Finish what was handed in."""
        if self._working is not None:
            await self._working

    async def _work(self) -> None:
        while self._waiting:
            group = [self._waiting.popleft() for _ in range(min(TOGETHER_MAX, len(self._waiting)))]
            # One whose caller has left already is not run.
            await self._commit([each for each in group if not each[1].done()])

    async def _commit(self, group: list[tuple[Body, asyncio.Future[Any]]]) -> None:
        def together(connection: Connection) -> list[Any]:
            return [body(connection) for body, _ in group]

        try:
            results = await self._run(together)
        except Exception as error:  # noqa: BLE001 - it belongs to who waits for it
            # The database failed them all, or one of them failed and undid the others: then each stands for itself.
            if len(group) == 1 or isinstance(error, OperationalError):
                for _, future in group:
                    if not future.done():
                        future.set_exception(error)
            else:
                for each in group:
                    await self._commit([each])
            return
        for (_, future), result in zip(group, results, strict=True):
            if not future.done():
                future.set_result(result)
