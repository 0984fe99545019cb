"""One database at a time, SQLite or PostgreSQL; the only module that knows the difference.

Transactions are plain functions `body(connection, ...)` that `Database` runs in its own threads. A body cannot await,
so no network call can happen inside a transaction.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import secrets
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import cache
from typing import Any, Concatenate, ParamSpec, TypeVar
from zlib import crc32

import pysqlite3.dbapi2
from sqlalchemy import (
    BigInteger,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Integer,
    PoolProxiedConnection,
    String,
    Table,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.types import TypeDecorator

from bot.domain.errors import SettingsError
from bot.domain.texts import is_storable
from bot.store import signals
from bot.store.availability import Guard
from bot.store.gathering import Gatherer
from bot.store.prepared import Prepared
from bot.store.writing import GroupWriter

P = ParamSpec("P")
T = TypeVar("T")

#: The first SQLite whose write-ahead log survives two connections racing at a checkpoint
#: (https://sqlite.org/wal.html#walreset).
SQLITE_MIN = (3, 51, 3)
#: Channels wait for what waits for another writer of the file, and have to hear that they are refused.
SQLITE_BUSY_MS = 5_000
#: Transactions of what channels wait for that are under way at once on PostgreSQL: it answers each statement on its
#: own, and on a busy machine most of the time goes by until it is its turn.
URGENT_AT_ONCE = 3
#: PostgreSQL: serialization failure, deadlock, and "the server goes away" (class 57P, 08): the whole body runs again.
RETRIED_SQLSTATES = ("40001", "40P01", "57P01", "57P02", "57P03", "08")
RETRIES_MAX = 5

#: An ever-growing primary key; SQLite counts only in a column of exactly this type.
RowId = BigInteger().with_variant(Integer, "sqlite")


class Moment(TypeDecorator[datetime]):
    """An aware UTC datetime; SQLite, which has no time zones, keeps it naive."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive datetimes and store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment must be aware")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment, aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


class ExternalId(TypeDecorator[str]):
    """What others call something: any text, which only has to stay the same and tell apart.

    One that is too long for the column, or that no database holds, is kept and looked for by its hash: PostgreSQL
    refuses such texts, SQLite takes most of them.
    """

    impl = String
    cache_ok = True

    def __init__(self, length: int) -> None:
        """Keep ids of at most `length` characters as they are."""
        super().__init__(length)
        self._length = length

    def process_bind_param(self, value: str | None, _dialect: Dialect) -> str | None:
        """Return what is kept for an id."""
        if value is None or (len(value) <= self._length and is_storable(value)):
            return value
        return f"hash:{hashlib.blake2b(value.encode('utf-8', 'surrogatepass'), digest_size=24).hexdigest()}"


def open_engine(url: str) -> Engine:
    """Return an engine for a `sqlite:///file` or `postgresql://` URL; raises `SettingsError` for any other."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise SettingsError(
            "the database URL is not a URL; write sqlite:///FILE or postgresql://USER@HOST/NAME"
        ) from error
    match parsed.get_backend_name():
        case "sqlite":
            return _open_sqlite(url)
        case "postgresql":
            return create_engine(parsed.set(drivername="postgresql+psycopg"), pool_size=12, hide_parameters=True)
        case other:
            raise SettingsError(
                f"the database is {other!r}; Tandem runs on sqlite:///FILE or postgresql://USER@HOST/NAME"
            )


def _open_sqlite(url: str) -> Engine:
    if pysqlite3.dbapi2.sqlite_version_info < SQLITE_MIN:
        raise SettingsError(
            f"SQLite {pysqlite3.dbapi2.sqlite_version} can lose committed rows; install pysqlite3 0.6.1"
        )
    # What customers write is a parameter: it stays out of errors, and so out of the logs.
    arguments = {"timeout": SQLITE_BUSY_MS / 1000}
    engine = create_engine(url, module=pysqlite3.dbapi2, connect_args=arguments, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}")

    _begin_ourselves(engine.dialect)
    return engine


def _begin_ourselves(dialect: Any) -> None:
    """Let transactions of connections with the option `is_writer` begin as writers, others as readers.

    An engine whose events somebody listens to looks for listeners at each statement, which takes a fifth of its time.
    """
    take_options = dialect.set_connection_execution_options

    def note_options(connection: Connection, options: Mapping[str, Any]) -> None:
        take_options(connection, options)
        if options.get("is_writer"):
            connection.connection.info["begin"] = "BEGIN IMMEDIATE"

    def begin(connection: PoolProxiedConnection) -> None:
        driver: Any = connection.driver_connection
        # The connection goes back to a pool that readers take it from.
        driver.execute(connection.info.pop("begin", "BEGIN"))

    dialect.set_connection_execution_options = note_options
    dialect.do_begin = begin


def insert_once(connection: Connection, table: Table, values: dict[str, object]) -> bool:
    """Insert a row unless one with the same unique key is there; return whether it was inserted."""
    return _inserting_once(table, connection.dialect.name).count(connection, values) == 1


@cache
def _inserting_once(table: Table, dialect_name: str) -> Prepared:
    insert = postgresql.insert if dialect_name == "postgresql" else sqlite.insert
    return Prepared(insert(table).on_conflict_do_nothing().inline())


def lock_table(connection: Connection, table: Table) -> None:
    """Let nobody else write to a table until this transaction ends; a SQLite file has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f'LOCK TABLE "{table.name}" IN SHARE ROW EXCLUSIVE MODE'))


class Database:
    """Runs transaction bodies in threads, so that the event loop never waits for a disk."""

    def __init__(self, engine: Engine) -> None:
        """Take over `engine`; nothing is connected before the first body."""
        self.engine = engine
        self.is_sqlite = engine.dialect.name == "sqlite"
        #: what other processes know this one by
        self.name = secrets.token_hex(8)
        #: refuses at once while the database is known to be away
        self.guard = Guard()
        self._threads = ThreadPoolExecutor(4 if self.is_sqlite else 10, thread_name_prefix="database")
        self._writer: GroupWriter | None = None
        self._urgent = [Gatherer(self._run_in_thread, at_once=1) for _ in range(URGENT_AT_ONCE)]
        self._writing = Gatherer(self._run_in_thread, at_once=2)
        self._reading = Gatherer(self._run_in_thread, at_once=2)
        self._sender = signals.Sender(engine, self.name)
        if self.is_sqlite:
            self._writer = GroupWriter(engine)
            self._writer.start()

    async def write(self, body: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `body` in a transaction and return what it returns, once that is committed and on the disk.

        Any error undoes the body. On PostgreSQL a body that lost a race or its connection is run again from its start.
        Raises `DatabaseAwayError`, a `SQLAlchemyError`, while the database is known to be away.
        """

        def bound(connection: Connection) -> T:
            return body(connection, *args, **kwargs)

        if self._writer is not None:
            with self.guard:
                return await self._writer.write(bound, is_urgent=False)
        return await self._run_in_thread(bound)

    async def write_together(
        self, lane: str, body: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Do what `write` does, in one transaction with what waits at the same moment: for what is done in every turn.

        It has to be short, and to lock but what belongs to its lane.
        """

        def bound(connection: Connection) -> T:
            return body(connection, *args, **kwargs)

        if self._writer is not None:
            with self.guard:
                return await self._writer.write(bound, is_urgent=False)
        return await self._writing.run(bound, lane)

    async def write_first(
        self, lane: str, body: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Do what `write_together` does, ahead of what waits there: for what a channel waits for."""

        def bound(connection: Connection) -> T:
            return body(connection, *args, **kwargs)

        if self._writer is not None:
            with self.guard:
                return await self._writer.write(bound, is_urgent=True)
        # What is of one lane goes one after the other, as it came.
        return await self._urgent[crc32(lane.encode()) % URGENT_AT_ONCE].run(bound, lane)

    async def _run_in_thread(self, bound: Callable[[Connection], T]) -> T:
        # A SQLite file can be read though it cannot be written.
        with nullcontext() if self.is_sqlite else self.guard:
            run = asyncio.get_running_loop().run_in_executor(self._threads, self._run_again_if_raced, bound)
            result, said = await run
        if said:
            self._sender.send(said)
        return result

    async def read(self, body: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `body`, which only reads, in a transaction of its own and return what it returns."""

        def bound(connection: Connection) -> T:
            return body(connection, *args, **kwargs)

        return await self._run_in_thread(bound)

    async def read_together(
        self, body: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Do what `read` does, in one transaction with what waits at the same moment; it has to be short."""

        def bound(connection: Connection) -> T:
            return body(connection, *args, **kwargs)

        return await self._reading.run(bound)

    def _run_again_if_raced(self, bound: Callable[[Connection], T]) -> tuple[T, tuple[str, ...]]:
        """Return what `bound` returns, and what its commit has to say to other processes."""
        for attempt in range(RETRIES_MAX):
            try:
                with self.engine.connect() as connection, connection.begin():
                    signals.forget(connection)
                    result, said = bound(connection), signals.said(connection)
            except DBAPIError as error:
                sqlstate = getattr(error.orig, "sqlstate", None) or ("08" if error.connection_invalidated else "")
                if attempt == RETRIES_MAX - 1 or not str(sqlstate).startswith(RETRIED_SQLSTATES):
                    raise
                time.sleep(random.uniform(0.01, 0.05) * 2**attempt)  # noqa: S311 - spreads racers, keeps no secret
            else:
                return result, said
        raise AssertionError("unreachable")

    async def close(self) -> None:
        """Finish what was handed in and let go of the database."""
        for gatherer in (*self._urgent, self._writing, self._reading):
            await gatherer.close()
        if self._writer is not None:
            await asyncio.to_thread(self._writer.stop)
        self._threads.shutdown(wait=True)
        await self.disconnect()

    async def disconnect(self) -> None:
        """Let go of all connections that nobody uses; who goes on makes new ones."""
        await self._sender.close()
        self.engine.dispose()
