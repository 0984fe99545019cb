"""What every test may ask for: databases of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.databases import (
    database,
    database_url,
    migrated_postgres,
    migrated_sqlite,
    migrated_url,
    postgres_server,
    postgres_url,
)
from tests.quiet import logs_as

__all__ = [
    "database",
    "database_url",
    "migrated_postgres",
    "migrated_sqlite",
    "migrated_url",
    "postgres_server",
    "postgres_url",
]

# On two busy cores any single example is slow now and then: that is no finding.
settings.register_profile("tandem", max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tandem")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long: of several processes none is left alone with one in the end."""
    long = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in long)


@pytest.fixture(autouse=True)
def _logs_as_found() -> Iterator[None]:
    """Let no test that runs a command leave its way of logging to the tests after it."""
    with logs_as():
        yield
