"""Brings a database to the schema of this version."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import OperationalError

from bot.domain.errors import SettingsError

#: Any number: PostgreSQL lets one of several starting replicas take the steps.
_LOCK = 7_310_021


def migrate(engine: Engine) -> str | None:
    """Take the missing steps, all or none, and return the revision reached; none when nothing was missing.

    Raises `SettingsError` when the database cannot be reached, or was made by a newer version.
    """
    try:
        with engine.connect().execution_options(is_writer=True) as connection, connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            return bring_up(connection)
    except OperationalError as error:
        raise SettingsError(f"the database cannot be used: {error.orig}; check service.database") from error


def bring_up(connection: Connection) -> str | None:
    """Do what `migrate` does within a transaction that others' statements share; raises `SettingsError`."""
    before, head = revisions(connection)
    if before == head:
        return None
    if before is None and inspect(connection).has_table("alembic_version"):
        raise SettingsError("restoring this database broke off; make an empty one, and restore the backup into that")
    command.upgrade(_config(connection), "head")
    return head


def revisions(connection: Connection) -> tuple[str | None, str]:
    """Return the database's revision and this version's; raises `SettingsError` when the database is ahead."""
    head, known = known_steps()
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in known:
        raise SettingsError("the database was made by a newer version of Tandem; run that one, or restore a backup")
    return current, head


@cache
def known_steps() -> tuple[str, frozenset[str]]:
    """Return this version's revision and all that lead there; alembic reads every step for that."""
    script = ScriptDirectory.from_config(_config())
    head = script.get_current_head()
    if head is None:
        raise AssertionError("this version has no migrations")
    return head, frozenset(step.revision for step in script.walk_revisions())


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config
