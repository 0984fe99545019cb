from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.store import alone as alone_module
from bot.store.alone import alone
from bot.store.database import Database, open_engine

pytestmark = pytest.mark.postgres


class Work:
    """Work that notes when it begins, and goes on until it is told to end."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.ending = asyncio.Event()
        self.is_going_on = False

    async def __call__(self) -> None:
        """Go on."""
        self.is_going_on = True
        self.begun.set()
        try:
            await self.ending.wait()
        finally:
            self.is_going_on = False


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alone_module, "LOOK_EVERY", 0.02)


@pytest.fixture
async def replicas(postgres_url: str) -> AsyncIterator[Callable[[], Database]]:
    """Return a function that opens the database as another process would."""
    opened: list[Database] = []

    def open_one() -> Database:
        opened.append(Database(open_engine(postgres_url)))
        return opened[-1]

    yield open_one
    for database in opened:
        await database.close()


async def test_one_works_and_another_takes_over_when_it_stops(replicas: Callable[[], Database]) -> None:
    """Of two processes one does the work; when it stops, the other one does."""
    first, second = Work(), Work()
    working = asyncio.create_task(alone(replicas(), "poll", first))
    await first.begun.wait()
    waiting = asyncio.create_task(alone(replicas(), "poll", second))
    await asyncio.sleep(0.2)
    assert not second.begun.is_set()
    working.cancel()
    async with asyncio.timeout(5):
        await second.begun.wait()
    assert not first.is_going_on
    second.ending.set()
    await waiting


async def test_work_of_another_name_goes_on_beside_it(replicas: Callable[[], Database]) -> None:
    """Two accounts may be polled by two processes."""
    first, second = Work(), Work()
    tasks = [asyncio.create_task(alone(replicas(), name, work)) for name, work in (("a", first), ("b", second))]
    async with asyncio.timeout(5):
        await asyncio.gather(first.begun.wait(), second.begun.wait())
    first.ending.set()
    second.ending.set()
    await asyncio.gather(*tasks)


async def test_who_loses_the_connection_stops_working_before_going_on(replicas: Callable[[], Database]) -> None:
    """The place goes with the database connection: the work is ended, and begun anew with a new one."""
    database, work = replicas(), Work()
    task = asyncio.create_task(alone(database, "poll", work))
    await work.begun.wait()
    work.begun.clear()
    kill = text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    await replicas().write(lambda connection: connection.execute(kill).all())
    async with asyncio.timeout(5):
        await work.begun.wait()
    work.ending.set()
    await task


async def test_an_error_of_the_work_is_passed_on(replicas: Callable[[], Database]) -> None:
    """Who started the work hears of its failure, and the place is free again."""

    async def fail() -> None:
        raise LookupError("no work")

    with pytest.raises(LookupError, match="no work"):
        await alone(replicas(), "poll", fail)
    work = Work()
    work.ending.set()
    await alone(replicas(), "poll", work)


async def test_a_sqlite_file_belongs_to_one_process(tmp_path: Path) -> None:
    """On SQLite the work is simply done."""
    database = Database(open_engine(f"sqlite:///{tmp_path / 't.db'}"))
    work = Work()
    work.ending.set()
    await alone(database, "poll", work)
    assert work.begun.is_set()
    await database.close()
