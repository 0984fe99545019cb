"""Whether the database can be asked now: while it cannot, who asks hears so at once."""

from __future__ import annotations

from asyncio import CancelledError
from types import TracebackType

from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from bot.domain.breakers import Breaker, Temper

#: A database is back within seconds, and whoever calls us is refused until it is known.
TEMPER = Temper(trips_after=3, first=0.1, longest=1.0, probes_for=2.0)
#: PostgreSQL: the connection failed, no resources, the server goes away or comes up.
_AWAY_SQLSTATES = ("08", "53", "57P")
#: SQLite: busy, no memory, read-only, input or output failed, corrupt, full, cannot be opened, no database
#: (https://sqlite.org/rescode.html).
_AWAY_CODES = frozenset({5, 7, 8, 10, 11, 13, 14, 26})


class DatabaseAwayError(SQLAlchemyError):
    """The database has failed several times in a row; it was not asked."""


def is_outage(error: BaseException | None) -> bool:
    """Whether the database itself failed, and not what it was asked for."""
    if not isinstance(error, DBAPIError):
        return False
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in _AWAY_CODES
    sqlstate = getattr(error.orig, "sqlstate", None)
    if sqlstate is None:
        return error.connection_invalidated or isinstance(error, OperationalError)
    return str(sqlstate).startswith(_AWAY_SQLSTATES)


class Guard:
    """Around each use of the database: `with guard:` raises `DatabaseAwayError` while it is known to be away."""

    def __init__(self) -> None:
        """Let everything pass."""
        self.breaker = Breaker(TEMPER)

    def __enter__(self) -> None:
        """Raise `DatabaseAwayError`, or let the database be asked."""
        if not self.breaker.admit():
            raise DatabaseAwayError(f"the database is away: {self.breaker.reason}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Note what came of it; who did not wait for that, or for a connection of ours, has learned nothing."""
        if isinstance(error, DBAPIError) and is_outage(error):
            self.breaker.failed(object(), str(error.orig).strip() or type(error.orig).__name__)
        elif error is None or isinstance(error, DBAPIError) or not isinstance(error, SQLAlchemyError | CancelledError):
            self.breaker.succeeded()
