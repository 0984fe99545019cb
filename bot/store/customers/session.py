"""Connections to a brand's database that cannot write, do not wait for ever, and put no values into error messages."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pysqlite3.dbapi2
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import QueuePool

from bot.domain.errors import SettingsError

#: Questions that may be under way at a time; others wait, so a slow database slows its own answers only.
CONNECTIONS = 4
#: Steps of SQLite's virtual machine between two looks at the clock.
_STEPS = 10_000


def open_read_only(url: str, times_out_after: timedelta) -> Engine:
    """Return an engine of read-only sessions; raises `SettingsError` for a URL that names no database we can read."""
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, NoSuchModuleError) as error:
        raise SettingsError(
            "the URL of the customer database is not a URL; write sqlite:///FILE or postgresql://USER@HOST/NAME"
        ) from error
    if backend == "sqlite" and parsed.database:
        return _open_sqlite(parsed, times_out_after.total_seconds())
    if backend == "postgresql":
        return _open_postgresql(parsed, int(times_out_after.total_seconds() * 1000))
    raise SettingsError(
        "the customer database must be sqlite:///FILE or postgresql://USER@HOST/NAME; "
        "records of another system can be copied into either"
    )


def _open_sqlite(url: URL, seconds: float) -> Engine:
    file = f"file:{quote(url.database or '')}?mode=rw"

    def connect() -> Any:
        # mode=rw: a missing file is an error and not an empty database.
        connection = pysqlite3.dbapi2.connect(file, uri=True, timeout=seconds, check_same_thread=False)
        connection.isolation_level = None
        connection.execute("PRAGMA query_only = ON")
        return connection

    engine = create_engine(
        "sqlite://",
        module=pysqlite3.dbapi2,
        creator=connect,
        poolclass=QueuePool,
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_timeout=seconds,
        hide_parameters=True,
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        deadline = time.monotonic() + seconds
        driver: Any = connection.connection.driver_connection
        driver.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
        connection.exec_driver_sql("BEGIN")

    return engine


def _open_postgresql(url: URL, milliseconds: int) -> Engine:
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        # Of one moment: a record is read in several statements.
        isolation_level="REPEATABLE READ",
        connect_args={"connect_timeout": 3, "tcp_user_timeout": 2 * milliseconds},
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_timeout=milliseconds / 1000,
        pool_pre_ping=True,
        pool_recycle=1800,
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        # Set in the session and not as start-up options, which connection poolers refuse.
        with connection.cursor() as cursor:
            cursor.execute("SET default_transaction_read_only = on")
            cursor.execute(f"SET statement_timeout = {milliseconds}")
            cursor.execute(f"SET idle_in_transaction_session_timeout = {10 * milliseconds}")
        connection.commit()

    return engine
