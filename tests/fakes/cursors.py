"""Cursors that live as long as a test."""

from __future__ import annotations


class MemoryCursors:
    """Keeps cursors in memory; `kept` is what would be in the database."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    async def get(self, name: str) -> str | None:
        """Return where reading goes on."""
        return self.kept.get(name)

    async def set(self, name: str, cursor: str) -> None:
        """Go on from there next time."""
        self.kept[name] = cursor
