from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from bot.domain.customers import CustomerId, OrderNumber
from bot.domain.errors import DirectoryUnavailableError, SettingsError
from bot.store.customer_mapping import load_mapping, parse_mapping
from bot.store.customers.directory import SqlCustomerDirectory
from bot.store.database import open_engine
from bot.store.sample_shop import schema
from tests.databases import run_in

IMPATIENT = parse_mapping("[brand]\ntimeout_ms = 150", "an impatient mapping")
CUSTOMER = CustomerId("C1")
#: A view that takes for ever to read.
ENDLESS = {
    "sqlite": "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT n AS sku FROM n",
    "postgresql": "SELECT CAST(pg_sleep(60) AS TEXT) AS sku",
}


@pytest.fixture
async def directory(database_url: str) -> AsyncIterator[SqlCustomerDirectory]:
    """Return an impatient directory over empty tables."""
    run_in(database_url, schema.records.create_all)
    opened = SqlCustomerDirectory(database_url, IMPATIENT)
    yield opened
    await opened.close()


async def _assert_every_method_fails(directory: SqlCustomerDirectory) -> None:
    number = OrderNumber("CL-000001")
    for question in (
        directory.find_order(number, "x"),
        directory.order(number, CUSTOMER),
        directory.orders(CUSTOMER, 1),
        directory.subscriptions(CUSTOMER),
        directory.record(CUSTOMER),
        directory.products("tea", 1),
        directory.stores(None),
    ):
        with pytest.raises(DirectoryUnavailableError):
            await question


async def test_a_database_that_is_not_there_is_unavailable_until_it_is(tmp_path: Path) -> None:
    """A missing file is not made but reported by every method; once it is there, the same directory answers."""
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    directory = SqlCustomerDirectory(url, load_mapping(None))
    await _assert_every_method_fails(directory)
    with pytest.raises(DirectoryUnavailableError):
        await directory.check()
    assert not (tmp_path / "shop.db").exists()
    run_in(url, schema.records.create_all)
    # After so many failures it is not asked for a moment, and then by one question.
    with pytest.raises(DirectoryUnavailableError, match="is not asked"):
        await directory.orders(CUSTOMER, 1)
    await asyncio.sleep(directory.breaker.pauses_for)
    assert await directory.orders(CUSTOMER, 1) == []
    await directory.close()


async def test_a_server_that_does_not_answer_is_unavailable(tmp_path: Path) -> None:
    """A PostgreSQL that cannot be reached is reported by every method and by the check."""
    directory = SqlCustomerDirectory(f"postgresql://postgres@/shop?host={tmp_path}", IMPATIENT)
    await _assert_every_method_fails(directory)
    with pytest.raises(DirectoryUnavailableError):
        await directory.check()
    await directory.close()


async def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    """A file with something else in it is reported like a database that is down."""
    (tmp_path / "shop.db").write_text("not a database " * 100)
    directory = SqlCustomerDirectory(f"sqlite:///{tmp_path / 'shop.db'}", IMPATIENT)
    await _assert_every_method_fails(directory)
    await directory.close()


async def test_tables_that_vanish_are_unavailable(directory: SqlCustomerDirectory, database_url: str) -> None:
    """When the tables go away under a running directory, every method says so."""
    await directory.check()
    run_in(database_url, schema.records.drop_all)
    await _assert_every_method_fails(directory)


async def test_an_endless_statement_is_given_up(directory: SqlCustomerDirectory, database_url: str) -> None:
    """A view that takes for ever to read holds up nobody: the question fails, and the database stops reading, soon."""

    def replace(connection: Connection) -> None:
        schema.products.drop(connection)
        columns = ", ".join(f"'1' AS {column.name}" for column in schema.products.columns if column.name != "sku")
        endless = ENDLESS[connection.dialect.name].replace("AS sku", f"AS sku, {columns}")
        connection.exec_driver_sql(f"CREATE VIEW products AS {endless}")

    run_in(database_url, replace)
    started = time.monotonic()
    with pytest.raises(DirectoryUnavailableError):
        await directory.products("tea", 1)
    assert await directory.stores(None) == []
    await directory.close()
    assert time.monotonic() - started < 2


@pytest.mark.postgres
async def test_a_locked_table_is_given_up(postgres_url: str) -> None:
    """Somebody else's lock does not hold the directory up; when it is gone, the directory answers.

    Readers of SQLite's write-ahead log wait for nobody.
    """
    run_in(postgres_url, schema.records.create_all)
    # Patient enough to answer on a busy machine afterwards.
    directory = SqlCustomerDirectory(postgres_url, parse_mapping("[brand]\ntimeout_ms = 600", "a mapping"))
    await directory.check()
    engine = open_engine(postgres_url)
    with engine.connect() as connection:
        connection.execute(text("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(DirectoryUnavailableError):
            await directory.orders(CUSTOMER, 1)
    engine.dispose()
    assert await directory.orders(CUSTOMER, 1) == []
    await directory.close()


@pytest.mark.postgres
async def test_a_lost_connection_is_made_again(postgres_url: str) -> None:
    """When the server ends the directory's connections, the next question is answered over a new one."""
    run_in(postgres_url, schema.records.create_all)
    # A new connection may take its time on a busy machine.
    directory = SqlCustomerDirectory(postgres_url, load_mapping(None))
    await directory.check()
    end_all = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    ended = run_in(postgres_url, lambda connection: connection.execute(end_all).all())
    assert ended
    assert await directory.orders(CUSTOMER, 1) == []
    await directory.close()


@pytest.mark.parametrize(
    "url", ["", "nonsense", "sqlite://", "mysql://localhost/shop", "oracle+nothing://x", "http://x"]
)
def test_a_url_that_cannot_be_a_database_is_refused(url: str) -> None:
    """The operator is told which URLs there are, and no part of a URL, which may hold a password, is repeated."""
    with pytest.raises(SettingsError, match="sqlite:///FILE"):
        SqlCustomerDirectory(url, load_mapping(None))
