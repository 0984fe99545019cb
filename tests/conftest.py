"""What every test may ask for: databases of its own."""

from __future__ import annotations

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
