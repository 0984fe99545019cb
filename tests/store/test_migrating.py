from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Engine, Select, inspect, text

from bot.domain.errors import SettingsError
from bot.store import lanes
from bot.store.database import open_engine
from bot.store.migrating import migrate, revisions
from bot.store.schema import identities, inbox, metadata, outbox
from tests.databases import run_in


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Return an engine over an empty database."""
    opened = open_engine(database_url)
    yield opened
    opened.dispose()


def test_an_empty_database_comes_to_this_versions_schema(engine: Engine, database_url: str) -> None:
    """The steps make exactly the tables, columns, indexes and constraints that the code expects."""
    assert migrate(engine) is not None

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, metadata))

    assert run_in(database_url, differences) == []


def test_partial_indexes_are_partial(engine: Engine) -> None:
    """The indexes that order and single claims rest on cover the rows they should, and the unique ones are unique."""
    migrate(engine)
    with engine.connect() as connection:
        dialect = connection.dialect.name
        for table in ("inbox", "outbox", "tickets"):
            for index in inspect(connection).get_indexes(table):
                name = str(index["name"])
                options = index.get("dialect_options", {})
                if name in {f"uq_{table}_claimed", f"ix_{table}_pending", "uq_tickets_open"}:
                    assert options.get(f"{dialect}_where") is not None, name
                    assert bool(index["unique"]) == name.startswith("uq_")


def test_a_second_start_changes_nothing(engine: Engine) -> None:
    """A database that is at this version is left alone."""
    head = migrate(engine)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO media VALUES ('x', 'file', 'n', 't', 1, 's', '2026-01-01')"))
        assert revisions(connection) == (head, head)
    assert migrate(engine) is None
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM media")) == 1


@pytest.mark.postgres
def test_replicas_that_start_together_take_turns(postgres_url: str) -> None:
    """Of several replicas that start on an empty database one migrates it, and the others find it done."""
    engines = [open_engine(postgres_url) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(migrate, engines))
    for engine in engines:
        engine.dispose()
    assert sum(result is not None for result in results) == 1


def test_a_newer_database_is_refused(engine: Engine) -> None:
    """A database that a newer version made is not touched, and the error says what to do."""
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'from_the_future'"))
    with pytest.raises(SettingsError, match="newer version"):
        migrate(engine)


def test_a_failing_step_leaves_nothing_behind(engine: Engine) -> None:
    """A step that fails undoes all of the migration."""
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE timers (id INTEGER)"))
    with pytest.raises(Exception, match="timers"):
        migrate(engine)
    with engine.connect() as connection:
        assert set(inspect(connection).get_table_names()) <= {"timers", "alembic_version"}
        assert connection.execute(text("SELECT * FROM timers")).all() == []


def test_a_database_that_cannot_be_reached_is_named(tmp_path: object) -> None:
    """A file in a folder that is not there, or a server that does not answer, is one clear error."""
    for url in (f"sqlite:///{tmp_path}/not/there/t.db", f"postgresql://nobody@/none?host={tmp_path}"):
        engine = open_engine(url)
        with pytest.raises(SettingsError, match="database"):
            migrate(engine)
        engine.dispose()


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (lanes.heads(inbox).order_by(inbox.c.id), "ix_inbox_oldest"),
        (lanes.heads(outbox).where(outbox.c.gate.is_(None)).order_by(outbox.c.id), "ix_outbox_at_once"),
    ],
    ids=["what came in", "what goes at once"],
)
def test_a_claim_goes_from_the_oldest_on(engine: Engine, query: Select[tuple[int]], index: str) -> None:
    """Finding the next rows looks at few of those that wait, even where the plan was made while little waited."""
    migrate(engine)
    with engine.connect() as connection:
        compiled = query.compile(connection, compile_kwargs={"render_postcompile": True})
        values = compiled.construct_params({"now": str(datetime.now(UTC)), "at_most": 8})
        given = tuple(values[name] for name in compiled.positiontup) if compiled.positiontup else values
        explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
        plan = " ".join(str(row) for row in connection.exec_driver_sql(f"{explain} {compiled}", given))
    assert index in plan
    assert "Join" not in plan


def test_names_fit_both_databases() -> None:
    """No table, column or index has a name longer than PostgreSQL keeps."""
    names = [table.name for table in metadata.tables.values()]
    names += [column.name for table in metadata.tables.values() for column in table.columns]
    names += [str(index.name) for table in metadata.tables.values() for index in table.indexes]
    assert max(map(len, names)) <= 63
    assert identities.name == "channel_identities"
