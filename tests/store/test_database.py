from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table, func, insert, select, text
from sqlalchemy.exc import IntegrityError, OperationalError, StatementError

from bot.domain.errors import SettingsError
from bot.store.database import Database, Moment, insert_once, open_engine

metadata = MetaData()
notes = Table("notes", metadata, Column("number", Integer, primary_key=True), Column("at", Moment))


@pytest.fixture
async def notebook(database: Database) -> Database:
    """Return a database with one more table, to write numbers into."""
    await database.write(metadata.create_all)
    return database


def note(connection: Connection, number: int) -> int:
    """Write a number down and return it."""
    connection.execute(insert(notes).values(number=number))
    return number


def count(connection: Connection) -> int:
    """Return how many numbers are written down."""
    return int(connection.scalar(select(func.count()).select_from(notes)) or 0)


async def test_a_failing_body_undoes_only_itself(notebook: Database) -> None:
    """Bodies that share a commit do not share their failures."""

    def fail_after_writing(connection: Connection, number: int) -> int:
        note(connection, number)
        raise RuntimeError("no")

    bodies = [notebook.write(fail_after_writing if n % 5 == 0 else note, n) for n in range(1, 51)]
    results = await asyncio.gather(*bodies, return_exceptions=True)
    assert [n for n in results if isinstance(n, int)] == [n for n in range(1, 51) if n % 5]
    assert sum(isinstance(result, RuntimeError) for result in results) == 10
    assert await notebook.read(count) == 40


async def test_a_broken_constraint_undoes_only_its_body(notebook: Database) -> None:
    """A row that cannot be written fails whoever wrote it, and nobody else in the group."""
    results = await asyncio.gather(*(notebook.write(note, n % 7) for n in range(14)), return_exceptions=True)
    assert sum(isinstance(result, IntegrityError) for result in results) == 7
    assert await notebook.read(count) == 7


async def test_waiting_bodies_share_a_commit(notebook: Database) -> None:
    """On SQLite, bodies that wait at the same moment cost one commit together."""
    if not notebook.is_sqlite:
        pytest.skip("PostgreSQL groups commits itself")
    entered, go_on = threading.Event(), threading.Event()

    def hold(_connection: Connection) -> None:
        entered.set()
        go_on.wait(10)

    held = asyncio.ensure_future(notebook.write(hold))
    await asyncio.to_thread(entered.wait, 10)
    waiting = [
        asyncio.ensure_future(notebook.write(lambda connection: connection.get_transaction())) for _ in range(30)
    ]
    await asyncio.sleep(0)
    go_on.set()
    await held
    assert len(set(await asyncio.gather(*waiting))) == 1


async def test_a_cancelled_wait_leaves_the_database_working(notebook: Database) -> None:
    """Whoever stops waiting for a write takes nobody else's write with them."""
    entered, go_on = threading.Event(), threading.Event()

    def hold(_connection: Connection) -> None:
        entered.set()
        go_on.wait(10)

    held = asyncio.ensure_future(notebook.write(hold))
    await asyncio.to_thread(entered.wait, 10)
    given_up = [asyncio.ensure_future(notebook.write(note, n)) for n in range(5)]
    await asyncio.sleep(0)
    for task in (held, *given_up):
        task.cancel()
    go_on.set()
    await asyncio.gather(held, *given_up, return_exceptions=True)
    assert await asyncio.wait_for(notebook.write(note, 100), 5) == 100


async def test_writing_after_the_end_is_an_error(notebook: Database) -> None:
    """A closed database says so; it does not keep anybody waiting."""
    await notebook.close()
    with pytest.raises(RuntimeError):
        await asyncio.wait_for(notebook.write(note, 1), 5)


async def test_what_was_handed_in_before_the_end_is_written(migrated_url: str) -> None:
    """Closing waits for the writes that were handed in."""
    database = Database(open_engine(migrated_url))
    await database.write(metadata.create_all)
    writes = [asyncio.ensure_future(database.write(note, n)) for n in range(20)]
    await asyncio.sleep(0)
    await database.close()
    assert await asyncio.gather(*writes) == list(range(20))


async def test_moments_come_back_aware_and_in_utc(notebook: Database) -> None:
    """A moment of any zone is stored as that moment; a naive one is refused."""
    moment = datetime(2026, 3, 4, 23, 30, 5, 123456, tzinfo=timezone(timedelta(hours=5)))

    def keep(connection: Connection, at: datetime) -> None:
        connection.execute(insert(notes).values(number=1, at=at))

    await notebook.write(keep, moment)
    found = await notebook.read(lambda connection: connection.scalar(select(notes.c.at)))
    assert found == moment
    assert found.tzinfo is UTC
    with pytest.raises(StatementError, match="aware"):
        await notebook.write(keep, datetime(2026, 3, 4))  # noqa: DTZ001 - naive on purpose


async def test_moments_compare_by_time(notebook: Database) -> None:
    """Comparing moments in SQL gives what comparing them in Python gives, fractions of a second included."""
    start = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)
    moments = [start + timedelta(microseconds=n * 333_333) for n in range(6)]

    def keep_all(connection: Connection) -> None:
        connection.execute(insert(notes), [{"number": n, "at": moment} for n, moment in enumerate(moments)])

    await notebook.write(keep_all)

    def count_until(connection: Connection, moment: datetime) -> int:
        return int(connection.scalar(select(func.count()).select_from(notes).where(notes.c.at <= moment)) or 0)

    for moment in moments:
        assert await notebook.read(count_until, moment) == sum(other <= moment for other in moments)


async def test_a_row_is_inserted_once(notebook: Database) -> None:
    """A second insert of the same key is told that it came second."""

    def once(connection: Connection) -> bool:
        return insert_once(connection, notes, {"number": 7})

    assert sorted(await asyncio.gather(*(notebook.write(once) for _ in range(20)))) == [False] * 19 + [True]


@pytest.mark.parametrize("url", ["mysql://localhost/x", "no url at all", "oracle://x"])
def test_other_databases_are_refused(url: str) -> None:
    """A URL of another database is refused with a word on what to write instead."""
    with pytest.raises(SettingsError, match="sqlite:///FILE or postgresql://"):
        open_engine(url)


@pytest.mark.postgres
class TestPostgres:
    """What only a server can do to a transaction."""

    async def test_a_killed_connection_runs_the_body_again(self, postgres_url: str) -> None:
        """A body whose connection the server cut in its middle is run again from its start, once in effect."""
        database = Database(open_engine(postgres_url))
        await database.write(metadata.create_all)
        backends: list[int] = []

        def be_cut_once(connection: Connection) -> int:
            backends.append(int(connection.scalar(text("SELECT pg_backend_pid()")) or 0))
            note(connection, 1)
            if len(backends) == 1:
                _cut(database, backends[0])
            return note(connection, 2)

        assert await database.write(be_cut_once) == 2
        assert len(backends) == 2
        assert await database.read(count) == 2
        await database.close()

    async def test_idle_connections_that_were_cut_are_replaced(self, postgres_url: str) -> None:
        """After the server cut every pooled connection, the next reads and writes work."""
        database = Database(open_engine(postgres_url))
        await database.write(metadata.create_all)
        await asyncio.gather(*(database.write(note, n) for n in range(8)))
        await database.write(
            lambda connection: connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE pid <> pg_backend_pid() AND datname = current_database()"
                )
            ).all()
        )
        assert await asyncio.gather(*(database.write(note, n) for n in range(10, 18))) == list(range(10, 18))
        assert await database.read(count) == 16
        await database.close()

    async def test_a_lost_race_runs_the_body_again(self, postgres_url: str) -> None:
        """Bodies that lose a serialization race all come through in the end, and none of their work is lost."""
        engine = open_engine(postgres_url).execution_options(isolation_level="SERIALIZABLE")
        database = Database(engine)
        await database.write(metadata.create_all)
        await database.write(note, 0)
        both_have_read = threading.Barrier(2, timeout=20)
        runs = []

        def grow(connection: Connection) -> None:
            runs.append(1)
            highest = int(connection.scalar(select(func.max(notes.c.number))) or 0)
            if len(runs) <= both_have_read.parties:
                both_have_read.wait()
            note(connection, highest + 1)

        results = await asyncio.gather(database.write(grow), database.write(grow), return_exceptions=True)
        assert (list(results), len(runs), await database.read(count)) == ([None, None], 3, 3)
        await database.close()

    async def test_a_deadlock_runs_the_victim_again(self, postgres_url: str) -> None:
        """Two bodies that lock the same rows in opposite order both come through."""
        database = Database(open_engine(postgres_url))
        await database.write(metadata.create_all)
        await database.write(lambda connection: [note(connection, n) for n in (1, 2)])
        both_hold_one = threading.Barrier(2)
        begun = set()

        def lock(connection: Connection, numbers: tuple[int, int]) -> None:
            connection.execute(text("SET LOCAL deadlock_timeout = '20ms'"))
            connection.execute(select(notes).where(notes.c.number == numbers[0]).with_for_update())
            if numbers not in begun:
                begun.add(numbers)
                both_hold_one.wait(5)
            connection.execute(select(notes).where(notes.c.number == numbers[1]).with_for_update())

        await asyncio.gather(database.write(lock, (1, 2)), database.write(lock, (2, 1)))
        await database.close()


def _cut(database: Database, backend: int) -> None:
    with database.engine.connect() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": backend})


async def test_urgent_bodies_go_first(notebook: Database) -> None:
    """On SQLite what a channel waits for is committed before other bodies that wait; none of them is lost."""
    if not notebook.is_sqlite:
        pytest.skip("on PostgreSQL each body has a connection of its own")
    begun, go_on = threading.Event(), threading.Event()

    def hold(connection: Connection) -> int:
        begun.set()
        go_on.wait(10)
        return note(connection, 1000)

    order: list[int] = []

    def tell(connection: Connection, number: int) -> int:
        order.append(note(connection, number))
        return number

    holding = asyncio.create_task(notebook.write(hold))
    await asyncio.to_thread(begun.wait, 10)
    others = [asyncio.create_task(notebook.write(tell, n)) for n in range(20)]
    await asyncio.sleep(0)
    urgent = [asyncio.create_task(notebook.write_first("", tell, n)) for n in range(100, 105)]
    await asyncio.sleep(0)
    go_on.set()
    assert await asyncio.gather(holding, *others, *urgent) == [1000, *range(20), *range(100, 105)]

    assert order[:5] == [100, 101, 102, 103, 104]
    assert order[5:] == list(range(20))
    assert await notebook.read(count) == 26


async def test_bodies_make_way_in_the_middle_of_a_group(notebook: Database) -> None:
    """A group that is at work when something urgent comes ends after a few bodies; the rest follows in order."""
    if not notebook.is_sqlite:
        pytest.skip("on PostgreSQL each body has a connection of its own")
    begun, go_on = threading.Event(), threading.Event()
    order: list[int] = []

    def tell(connection: Connection, number: int) -> int:
        if number == 2:
            begun.set()
            go_on.wait(10)
        order.append(note(connection, number))
        return number

    others = [asyncio.create_task(notebook.write(tell, n)) for n in range(10)]
    await asyncio.to_thread(begun.wait, 10)
    urgent = asyncio.create_task(notebook.write_first("", tell, 100))
    await asyncio.sleep(0)
    go_on.set()
    assert await asyncio.gather(*others, urgent) == [*range(10), 100]

    assert [number for number in order if number != 100] == list(range(10))
    assert 3 <= order.index(100) <= 6
    assert await notebook.read(count) == 11


async def test_work_goes_on_while_urgent_bodies_keep_coming(notebook: Database) -> None:
    """A storm of messages does not stop the work on those that are there: each commit takes both."""
    if not notebook.is_sqlite:
        pytest.skip("on PostgreSQL each body has a connection of its own")
    others = asyncio.gather(*(notebook.write(note, n) for n in range(100)))
    urgent_count = 0
    while not others.done():
        await asyncio.gather(*(notebook.write_first("", note, 1000 + urgent_count + n) for n in range(4)))
        urgent_count += 4
    assert await others == list(range(100))
    assert urgent_count <= 100


async def test_whoever_left_is_not_run(notebook: Database) -> None:
    """A body whose caller left before its turn is not run, and holds up nobody."""
    if not notebook.is_sqlite:
        pytest.skip("on PostgreSQL each body has a connection of its own")
    begun, go_on = threading.Event(), threading.Event()

    def hold(_connection: Connection) -> None:
        begun.set()
        go_on.wait(10)

    holding = asyncio.create_task(notebook.write(hold))
    await asyncio.to_thread(begun.wait, 10)
    left = [asyncio.create_task(notebook.write(note, 1)), asyncio.create_task(notebook.write_first("", note, 2))]
    stays = asyncio.create_task(notebook.write(note, 3))
    await asyncio.sleep(0)
    for task in left:
        task.cancel()
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(holding, stays)
    assert await notebook.read(count) == 1


async def test_a_broken_group_keeps_nobody_waiting(notebook: Database) -> None:
    """When the database itself fails in the middle of a group, each of its bodies hears of it, those behind too."""
    if not notebook.is_sqlite:
        pytest.skip("on PostgreSQL each body has a connection of its own")
    begun, go_on = threading.Event(), threading.Event()

    def hold(_connection: Connection) -> None:
        begun.set()
        go_on.wait(10)

    def break_down(connection: Connection) -> None:
        connection.execute(text("SELECT * FROM nowhere"))

    holding = asyncio.create_task(notebook.write(hold))
    await asyncio.to_thread(begun.wait, 10)
    group = [asyncio.create_task(notebook.write(note, 1)), asyncio.create_task(notebook.write(break_down))]
    group.append(asyncio.create_task(notebook.write(note, 2)))
    await asyncio.sleep(0)
    go_on.set()
    async with asyncio.timeout(10):
        await holding
        results = await asyncio.gather(*group, return_exceptions=True)
    assert all(isinstance(result, OperationalError) for result in results)
    assert await notebook.write(note, 3) == 3
    assert await notebook.read(count) == 1


async def test_a_failing_urgent_body_undoes_only_itself(notebook: Database) -> None:
    """Urgent bodies that share a commit do not share their failures, nor their results."""

    def fail_after_writing(connection: Connection, number: int) -> int:
        note(connection, number)
        raise RuntimeError("no")

    bodies = [notebook.write_first("", fail_after_writing if n % 20 == 0 else note, n) for n in range(1, 101)]
    results = await asyncio.gather(*bodies, return_exceptions=True)
    assert [n for n in results if isinstance(n, int)] == [n for n in range(1, 101) if n % 20]
    assert sum(isinstance(result, RuntimeError) for result in results) == 5
    assert await notebook.read(count) == 95


async def test_urgent_bodies_share_a_commit(notebook: Database) -> None:
    """Urgent bodies that wait at the same moment cost one commit together, in the order they came."""
    order: list[tuple[int, object]] = []

    def tell(connection: Connection, number: int) -> None:
        order.append((number, connection.get_transaction()))

    await asyncio.gather(*(notebook.write_first("", tell, n) for n in range(30)))
    assert [number for number, _ in order] == list(range(30))
    assert len({id(transaction) for _, transaction in order}) < 30


async def test_urgent_bodies_after_one_left(notebook: Database) -> None:
    """Whoever stops waiting for an urgent write takes nobody else's write with them; closing waits for the rest."""
    waiting = [asyncio.ensure_future(notebook.write_first("", note, n)) for n in range(10)]
    await asyncio.sleep(0)
    for task in waiting[::2]:
        task.cancel()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [n for n in results if isinstance(n, int)] == [1, 3, 5, 7, 9]
