"""How much of our memory callers hold: all of them together no more than a limit, and who holds most is cut off."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

C = TypeVar("C", bound=Hashable)


class Holding(Generic[C]):
    """Bytes of requests that are not answered yet, by connection."""

    def __init__(self, at_most: int) -> None:
        """Allow so many bytes of all connections together."""
        self._at_most = at_most
        self._total = 0
        self._held: dict[C, int] = {}

    def take(self, connection: C, count: int) -> C | None:
        """Count bytes that came; return the connection to cut off where it is too much now, and forget its bytes.

        That is the one that holds most: what is large can be sent again, and what is small goes on.
        """
        self._held[connection] = self._held.get(connection, 0) + count
        self._total += count
        if self._total <= self._at_most:
            return None
        largest = max(self._held, key=self._held.__getitem__)
        self.release(largest)
        return largest

    def release(self, connection: C) -> None:
        """Forget a connection's bytes: it is answered, or gone."""
        self._total -= self._held.pop(connection, 0)
