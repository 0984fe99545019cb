"""How a worker claims rows, and finds those that it has claimed without hearing of it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection

from bot.store.database import Database
from bot.store.hints import Hint
from bot.store.lanes import Attempt, new_token

Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True)
class Box(Generic[Row]):
    """One box as a worker sees it."""

    hint: Hint
    claim: Callable[[Connection, datetime, timedelta, int, Attempt], list[Row]]
    #: returns what an attempt has claimed without hearing of it
    claimed: Callable[[Connection, datetime, timedelta, Attempt], list[Row]]
    work: Callable[[Row], Coroutine[Any, Any, None]]
    #: given the time, until when a row must have become ready to be taken; none: none is taken
    ready_by: Callable[[datetime], datetime | None]
    #: accounts, `channel/account`, that nothing is sent to now
    shut: Callable[[], tuple[str, ...]] = tuple
    #: seconds between two looks at least
    rest: float = 0.0


class Claiming(Generic[Row]):
    """Claims rows of one box, one attempt after the other.

    A commit may be made and its answer be lost: the connection breaks, or the disk fails in that moment. An attempt
    whose outcome is not known is made again under the same token, and what it has claimed already is found by that:
    left to the end of its lease, it would count as perhaps sent, though nobody ever worked on it.
    """

    def __init__(self, database: Database, box: Box[Row], signature: Callable[[], str]) -> None:
        """Claim from `box`; tokens begin with what `signature` returns."""
        self._database = database
        self.box = box
        self._signature = signature
        self._unheard: Attempt | None = None

    async def claim(self, now: datetime, lease_for: timedelta, limit: int) -> list[Row]:
        """Claim up to `limit` rows; raises `SQLAlchemyError`, and then is to be called again."""
        attempt = self._unheard or Attempt(token=new_token(self._signature()), shut=self.box.shut())

        def body(connection: Connection) -> list[Row]:
            # It is run again after a commit that nobody heard of.
            if self._unheard is not None and (found := self.box.claimed(connection, now, lease_for, attempt)):
                return found
            self._unheard = attempt
            return self.box.claim(connection, now, lease_for, limit, attempt)

        rows = await self._database.write_together("", body)
        self._unheard = None
        return rows
