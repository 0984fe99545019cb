"""Tasks beside each other: small ones whose failures hold nothing up, and those that a process consists of."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

log = structlog.get_logger()


class Background:
    """Keeps tasks alive until they end."""

    def __init__(self) -> None:
        """Start without any."""
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` beside everything else."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def idle(self) -> None:
        """Wait until all that was started has ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def stop(self) -> None:
        """Cancel what still runs."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("background_failed", error=repr(error))


async def run_all(works: list[Coroutine[Any, Any, None]]) -> None:
    """Run until cancelled, also where there is nothing to run or all of it has ended; raises when one of them does."""
    async with asyncio.TaskGroup() as group:
        group.create_task(_wait_for_ever())
        for work in works:
            group.create_task(work)


async def cancel(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for its end, whatever that is."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _wait_for_ever() -> None:
    await asyncio.Event().wait()
