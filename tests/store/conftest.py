"""The sample shop's records for the tests of the store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import date

import pytest

from bot.store.customer_mapping import load_mapping
from bot.store.customers.directory import SqlCustomerDirectory
from bot.store.sample_shop.shop import fill
from tests.databases import BACKENDS, PostgresServer, run_in

TODAY = date(2026, 3, 4)


@pytest.fixture(scope="session")
def today() -> date:
    """Return the day the sample shop is dated for."""
    return TODAY


@pytest.fixture(scope="session", params=BACKENDS)
def shop_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of the sample shop's records on SQLite and on PostgreSQL, for tests that only read."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('shop') / 'shop.db'}"
        run_in(url, lambda connection: fill(connection, TODAY))
        yield url
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.new_database()
    run_in(url, lambda connection: fill(connection, TODAY))
    yield url
    server.drop_database(url)


@pytest.fixture
async def directory(shop_url: str) -> AsyncIterator[SqlCustomerDirectory]:
    """Return the directory over the sample shop."""
    opened = SqlCustomerDirectory(shop_url, load_mapping(None))
    yield opened
    await opened.close()
