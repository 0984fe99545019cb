from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from bot.domain.messages import MessageId
from bot.store import feeds, inbox, outbox
from bot.store import listening as listening_module
from bot.store.database import Database, open_engine
from bot.store.inbox import Arrival, InboxKind
from bot.store.listening import listen
from bot.store.outbox import OutboxKind, Outgoing
from bot.store.signals import About, signal
from tests.databases import PostgresServer

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture
async def processes(postgres_server: PostgresServer, migrated_postgres: str) -> AsyncIterator[Callable[[], Database]]:
    """Return a function that opens one database as another process would."""
    url = postgres_server.new_database(migrated_postgres)
    opened: list[Database] = []

    def open_one() -> Database:
        opened.append(Database(open_engine(url)))
        return opened[-1]

    yield open_one
    for database in opened:
        await database.close()
    postgres_server.drop_database(url)


class Ears:
    """What one process has heard."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[tuple[About, str | None]] = asyncio.Queue()

    async def next(self) -> tuple[About, str | None]:
        """Return what is heard next."""
        async with asyncio.timeout(30):
            return await self.heard.get()

    async def awaken(self) -> None:
        """Wait until a connection is made: from then on nothing is missed."""
        assert [await self.next() for _ in About] == [(about, None) for about in About]


@asynccontextmanager
async def hearing(database: Database) -> AsyncIterator[Ears]:
    """Listen for as long as the context lasts."""
    ears = Ears()

    def hearer(about: About) -> Callable[[str | None], None]:
        return lambda name: ears.heard.put_nowait((about, name))

    listening = asyncio.create_task(listen(database, {about: hearer(about) for about in About}))
    try:
        await ears.awaken()
        yield ears
    finally:
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening


def signal_all(connection: Connection, *names: str) -> None:
    """Signal new entries in the feeds of all these visitors."""
    for name in names:
        signal(connection, About.FEED, name)


async def cut_all(database: Database) -> None:
    """Cut every connection but the one that does it."""
    cut = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND datname = current_database()"
    )
    await database.write(lambda connection: connection.execute(cut).all())


@pytest.mark.postgres
async def test_another_process_hears_what_was_added(processes: Callable[[], Database]) -> None:
    """What comes into a box or a feed is heard elsewhere, a repeat is not, and nobody hears themselves."""
    here, there = processes(), processes()
    arrival = Arrival(
        account="a", external_id="1", address="a/b/c", kind=InboxKind.MESSAGE, body={}, message_id=MessageId("1")
    )
    outgoing = Outgoing(key="k", address="a/b/c", kind=OutboxKind.MESSAGE, body={})
    async with hearing(here) as own, hearing(there) as ears:
        for _ in range(2):
            await here.write(inbox.add, arrival, NOW)
            await here.write(outbox.add, outgoing, NOW)
            await here.write(feeds.append, "ann", "k", {}, NOW)
        await here.write(signal, About.FEED, "the last")
        heard = [await ears.next() for _ in range(4)]
        assert heard == [(About.INBOX, ""), (About.OUTBOX, ""), (About.FEED, "ann"), (About.FEED, "the last")]
        assert own.heard.empty()


@pytest.mark.postgres
async def test_only_a_commit_is_heard(processes: Callable[[], Database]) -> None:
    """A transaction that came to nothing says nothing, and leaves nothing to say to the next one."""
    here, there = processes(), processes()

    def fail(connection: Connection) -> None:
        signal(connection, About.FEED, "never")
        raise LookupError

    async with hearing(there) as ears:
        for _ in range(20):
            with pytest.raises(LookupError):
                await here.write(fail)
        await here.write(signal_all, "b", "a b", "b")
        assert [await ears.next(), await ears.next()] == [(About.FEED, "a b"), (About.FEED, "b")]
        assert ears.heard.empty()


@pytest.mark.postgres
async def test_a_cut_connection_heals(processes: Callable[[], Database]) -> None:
    """Who loses the connection makes a new one, looks at everything, and hears again."""
    here, there = processes(), processes()
    async with hearing(there) as ears:
        for name in ("once", "twice"):
            await cut_all(here)
            await ears.awaken()
            await here.write(signal, About.FEED, name)
            assert await ears.next() == (About.FEED, name)


@pytest.mark.postgres
async def test_silence_is_told_from_a_dead_connection(
    processes: Callable[[], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asking in between whether the server is there loses no signal."""
    monkeypatch.setattr(listening_module, "ASK_EVERY", 0.001)
    here, there = processes(), processes()
    async with hearing(there) as ears:
        for n in range(50):
            await here.write(signal, About.FEED, f"{n}")
        assert [await ears.next() for _ in range(50)] == [(About.FEED, f"{n}") for n in range(50)]


async def test_a_sqlite_file_has_one_process(tmp_path: Path) -> None:
    """On SQLite there is nobody to hear, and a signal is nothing."""
    database = Database(open_engine(f"sqlite:///{tmp_path / 't.db'}"))
    await listen(database, {})
    await database.write(signal, About.INBOX)
    await database.close()
