from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from bot.domain.messages import MessageId
from bot.store import inbox, pulses
from bot.store.database import Database, open_engine
from bot.store.inbox import DESK_ACCOUNT, Arrival, InboxKind
from bot.store.lanes import SIGNATURE, Attempt, Release, new_token
from bot.store.pulses import Pulse

pytestmark = pytest.mark.postgres

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
LEASE = timedelta(seconds=10)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulses, "BEAT_EVERY", 0.05)


class Worker:
    """A worker of its own process, as far as others can tell."""

    def __init__(self, url: str) -> None:
        self.database = Database(open_engine(url))
        self.pulse = Pulse(self.database)
        self.gone: asyncio.Queue[frozenset[str]] = asyncio.Queue()
        self._life = AsyncExitStack()

    async def live(self) -> None:
        """Begin to beat, and return once others can hear it."""
        await self._life.enter_async_context(self.pulse.beating(self.gone.put_nowait))
        async with asyncio.timeout(10):
            while not self.pulse.signature:  # noqa: ASYNC110 - a thread tells nothing
                await asyncio.sleep(0.01)

    async def claim(self, name: str) -> None:
        """Take a new message into work."""
        arrival = Arrival(
            account=DESK_ACCOUNT,
            external_id=name,
            address=f"test/brand/{name}",
            kind=InboxKind.MESSAGE,
            body={},
            message_id=MessageId(name),
        )
        await self.database.write(inbox.add, arrival, NOW)
        attempt = Attempt(token=new_token(self.pulse.signature))
        (row,) = await self.database.write(inbox.claim, NOW, LEASE, 1, attempt)
        assert row.message_id == name

    async def die(self) -> None:
        """End the pulse."""
        await self._life.aclose()


@pytest.fixture
async def workers(migrated_url: str) -> AsyncIterator[Callable[[], Worker]]:
    """Return a function that makes workers on one database."""
    made: list[Worker] = []

    def make() -> Worker:
        made.append(Worker(migrated_url))
        return made[-1]

    yield make
    for worker in made:
        await worker.die()
        await worker.database.close()


@pytest.mark.parametrize("migrated_url", ["postgresql"], indirect=True)
async def test_the_dead_are_told_from_the_living(workers: Callable[[], Worker]) -> None:
    """What a worker has in work that has no pulse any more is released, before its lease ends; nothing else is."""
    living, dead, heir = workers(), workers(), workers()
    for worker in (living, dead, heir):
        await worker.live()
        await worker.claim(worker.pulse.signature)
    name = dead.pulse.signature
    await dead.die()
    async with asyncio.timeout(pulses.GONE_AFTER + 5):
        assert await heir.gone.get() == {name}
        assert await living.gone.get() == {name}
    released = await heir.database.write(inbox.release, Release(now=NOW, gone=frozenset({name})))
    assert [row.message_id for row in released.pending] == [name]


@pytest.mark.parametrize("migrated_url", ["postgresql"], indirect=True)
async def test_a_lost_connection_is_no_death(workers: Callable[[], Worker], migrated_url: str) -> None:
    """Workers whose connections the server cuts are there again before anybody takes their work away."""
    one, other = workers(), workers()
    for worker in (one, other):
        await worker.live()
        await worker.claim(worker.pulse.signature)
    engine = open_engine(migrated_url)
    _, parameters = engine.dialect.create_connect_args(engine.url)
    with psycopg.connect(**dict(parameters), autocommit=True) as admin:
        cut = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
        assert len(admin.execute(cut).fetchall()) == 2
    await asyncio.sleep(pulses.GONE_AFTER + 0.5)
    assert one.pulse.signature
    assert one.gone.empty()
    assert other.gone.empty()


def test_what_nobody_signed_is_left_to_its_lease() -> None:
    """A token without a signature, such as an earlier version's, is never taken for that of a worker with a pulse."""
    assert all(not new_token().startswith("w") for _ in range(100))
    signed = new_token("w" * SIGNATURE)
    assert len(signed) == len(new_token()) == 32
