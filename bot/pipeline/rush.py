"""Lets what can wait make way while channels wait for an acknowledgement: then answers are late, and no message is."""

from __future__ import annotations

import asyncio
from types import TracebackType


class Rush:
    """Counts what is being taken in; `with rush:` around it."""

    def __init__(self) -> None:
        """Begin at rest."""
        self._count = 0
        self._is_over = asyncio.Event()
        self._is_over.set()

    def __enter__(self) -> None:
        """One more is taken in."""
        self._count += 1
        self._is_over.clear()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """It is taken in, or refused."""
        self._count -= 1
        if not self._count:
            self._is_over.set()

    async def over(self, at_most: float) -> None:
        """Return once nothing is being taken in, or after `at_most` seconds: under any load something is answered."""
        if self._is_over.is_set():
            return
        try:
            async with asyncio.timeout(at_most):
                await self._is_over.wait()
        except TimeoutError:
            return
