from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, bindparam, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from bot.store.database import Database
from bot.store.prepared import Prepared
from bot.store.schema import inbox

NOW = datetime(2026, 3, 4, 12, 0, 0, 123456, tzinfo=UTC)
ADDING = Prepared(insert(inbox).inline())
OF_ADDRESS = select(inbox).where(inbox.c.address == bindparam("of")).order_by(inbox.c.id).limit(5)
READING = Prepared(OF_ADDRESS)
CHANGING = Prepared(update(inbox).where(inbox.c.external_id == bindparam("of")))
RETURNING = Prepared(update(inbox).values(error="seen").where(inbox.c.kind == "message").returning(inbox.c.ready_at))


def row(number: int) -> dict[str, object]:
    """Return what a row of the inbox is made of."""
    return {
        "account": "fake/brand",
        "external_id": "x" * 400 if number == 2 else f"{number}",
        "address": "fake/brand/ann",
        "kind": "message",
        "body": {"text": "Grüße 'n' %s ? :name", "n": [1, None]},
        "message_id": f"{number:032}",
        "received_at": NOW,
        "ready_at": NOW,
        "state": "pending",
    }


def add(connection: Connection, *numbers: int) -> list[int]:
    """Put rows into the inbox and return how many each statement wrote."""
    return [ADDING.count(connection, row(number)) for number in numbers]


async def test_it_writes_and_reads_what_sqlalchemy_does(database: Database) -> None:
    """Defaults, JSON, moments and hashed ids go in, and come back, as they do through SQLAlchemy."""
    assert await database.write(add, 1, 2) == [1, 1]
    ours = await database.read(READING.all, {"of": "fake/brand/ann"})
    theirs = await database.read(lambda connection: connection.execute(OF_ADDRESS, {"of": "fake/brand/ann"}).all())
    assert [each._asdict() for each in ours] == [dict(each._mapping) for each in theirs]
    assert ours[0].received_at == NOW
    assert ours[1].external_id.startswith("hash:")
    assert await database.read(READING.one, {"of": "nobody"}) is None


async def test_an_update_sets_the_columns_it_is_run_with(database: Database) -> None:
    """One statement serves several sets of columns, and says how many rows it wrote."""
    await database.write(add, 1, 3)
    assert await database.write(CHANGING.count, {"of": "1", "state": "done", "finished_at": NOW}) == 1
    assert await database.write(CHANGING.count, {"of": "3", "error": "no"}) == 1
    assert await database.write(CHANGING.count, {"of": "4", "error": "no"}) == 0
    assert [each.ready_at for each in await database.write(RETURNING.all, {})] == [NOW, NOW]


async def test_errors_are_those_of_sqlalchemy(database: Database) -> None:
    """A broken constraint fails as it does through SQLAlchemy, and undoes its own body alone."""
    await database.write(add, 1)
    with pytest.raises(IntegrityError) as refused:
        await database.write(add, 3, 1)
    assert "Grüße" not in str(refused.value)
    assert await database.read(lambda connection: connection.scalar(select(func.count()).select_from(inbox))) == 1


async def test_a_list_that_is_not_written_out_is_refused(database: Database) -> None:
    """A list whose length is known only when it is run has no place in a statement that is compiled once."""
    lists = Prepared(select(inbox.c.id).where(inbox.c.state.in_(["done", "dead"])))
    with pytest.raises(ValueError, match="written out"):
        await database.read(lists.all, {})


@pytest.mark.postgres
async def test_a_connection_cut_under_it_is_replaced(database: Database) -> None:
    """The pool learns of a broken connection, and the body runs again on another."""
    if database.is_sqlite:
        pytest.skip("nobody cuts a file's connections")
    backends: list[int] = []

    def be_cut(connection: Connection) -> list[int]:
        backends.append(int(connection.scalar(text("SELECT pg_backend_pid()")) or 0))
        if len(backends) == 1:
            with database.engine.connect() as other:
                other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": backends[0]})
        return add(connection, 5)

    assert await database.write(be_cut) == [1]
    assert len(set(backends)) == 2
