"""Visitors' feeds in memory."""

from __future__ import annotations


class MemoryFeed:
    """Keeps feeds as long as the test: the same key is kept once."""

    def __init__(self) -> None:
        """Start empty."""
        self.entries: dict[str, dict[str, dict[str, object]]] = {}
        #: visitors who were shown the dots, in order
        self.typed: list[str] = []

    async def put(self, visitor: str, key: str, body: dict[str, object]) -> int:
        """Append a body and return its number; of a key that is there already, its number."""
        mine = self.entries.setdefault(visitor, {})
        mine.setdefault(key, body)
        return list(mine).index(key) + 1

    async def after(self, visitor: str, sequence: int, limit: int) -> list[tuple[int, dict[str, object]]]:
        """Return what follows `sequence`."""
        bodies = list(self.entries.get(visitor, {}).values())
        return list(enumerate(bodies, 1))[sequence : sequence + limit]

    def typing(self, visitor: str) -> None:
        """Remember it."""
        self.typed.append(visitor)
