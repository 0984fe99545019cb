"""What every test may ask for: databases of its own."""

from __future__ import annotations

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
settings.register_profile("tandem", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tandem")
