"""Copies of a database while others work on it, and back: SQLite by its own backup, PostgreSQL by its own programs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pysqlite3.dbapi2
from sqlalchemy import URL, Connection, Engine, inspect, make_url, text

from bot.domain.errors import TandemError
from bot.store.database import open_engine

#: Seconds that a copy may wait for a lock that somebody holds.
_LOCK_WAIT = 30


def dump(url: str, target: Path) -> None:
    """Write all of a database as it is at this moment to a new file; raises `TandemError` that says what to do."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        _copy_sqlite(Path(str(parsed.database)), target)
        return
    # Without its revision nobody starts on a copy before what may have left is settled: that is written with the rest.
    options = ["--format=custom", "--no-owner", "--no-privileges", "--exclude-table-data=*.alembic_version"]
    _run("pg_dump", parsed, [*options, f"--lock-wait-timeout={_LOCK_WAIT}s", f"--file={target}"])


def load(url: str, source: Path) -> None:
    """Fill a new database from a file that `dump` wrote; raises `TandemError` that says what to do."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        _copy_durably(source, Path(str(parsed.database)))
        return
    options = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
    _run("pg_restore", parsed, [*options, f"--dbname={parsed.database}", str(source)])


def is_empty(url: str) -> bool:
    """Whether there is nothing in the database that a restore would overwrite."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return not Path(str(parsed.database)).exists()
    with open_for_a_moment(url) as engine:
        return not inspect(engine).get_table_names()


def check(connection: Connection) -> None:
    """Raise `TandemError` where the database's own look at its pages finds one broken; PostgreSQL has looked."""
    if connection.dialect.name != "sqlite":
        return
    found = connection.scalar(text("PRAGMA integrity_check"))
    if found != "ok":
        raise TandemError(f"the copy of the database is damaged: {found}; take another backup")


@contextmanager
def open_for_a_moment(url: str) -> Iterator[Engine]:
    """Return an engine that lets go of the database with the context."""
    engine = open_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def others_count(connection: Connection) -> int:
    """Return how many connections others have to the database; a SQLite file is locked by its service instead."""
    if connection.dialect.name == "sqlite":
        return 0
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    return int(connection.scalar(text(query)) or 0)


def _copy_durably(source: Path, target: Path) -> None:
    with source.open("rb") as reading, target.open("wb") as writing:
        shutil.copyfileobj(reading, writing)
        writing.flush()
        os.fsync(writing.fileno())


def _copy_sqlite(source: Path, target: Path) -> None:
    if not source.exists():
        raise TandemError(f"there is no database {source} to back up")
    reading: Any = pysqlite3.dbapi2.connect(f"file:{source}?mode=ro", uri=True, timeout=_LOCK_WAIT)
    writing: Any = pysqlite3.dbapi2.connect(target)
    try:
        # All pages in one step: what is written meanwhile waits in the log, and the copy is of one moment.
        reading.backup(writing)
        writing.execute("PRAGMA journal_mode=DELETE")
    finally:
        writing.close()
        reading.close()


def _run(program: str, url: URL, options: list[str]) -> None:
    path = shutil.which(program)
    if path is None:
        raise TandemError(f"{program} is not installed; on Debian it comes with postgresql-client")
    done = subprocess.run(  # noqa: S603 - our own options, no shell
        [path, *_whereabouts(url), *options], env={**os.environ, **_secrets(url)}, capture_output=True, check=False
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise TandemError(f"{program} failed: {said[0] if said else done.returncode}")


def _whereabouts(url: URL) -> Iterator[str]:
    """Return how a program finds the database that the URL names; the password is nobody's to see in a process list."""
    host = url.host or _text(url.query, "host")
    port = url.port or _text(url.query, "port")
    named = {"--host": host, "--port": port, "--username": url.username, "--no-password": ""}
    for option, value in named.items():
        if value is not None:
            yield f"{option}={value}" if value else option


def _secrets(url: URL) -> dict[str, str]:
    given = {"PGDATABASE": url.database, "PGPASSWORD": url.password, "PGSSLMODE": _text(url.query, "sslmode")}
    return {name: value for name, value in given.items() if value is not None}


def _text(query: Mapping[str, object], name: str) -> str | None:
    value = query.get(name)
    return str(value) if value is not None else None
