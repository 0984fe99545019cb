from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, func, select

from bot.domain.messages import MessageId
from bot.pipeline.worker import LEASE_FOR
from bot.store import inbox
from bot.store import shared_clock as shared_clock_module
from bot.store.database import Database, open_engine
from bot.store.inbox import Arrival, InboxKind
from bot.store.lanes import Release
from bot.store.schema import inbox as inbox_table
from bot.store.shared_clock import SharedClock

MINUTE = timedelta(minutes=1)
#: How far apart two looks at one clock may be found.
CLOSE = timedelta(seconds=1)


class WrongClock:
    """The clock of a host that is so much ahead."""

    def __init__(self, ahead: timedelta) -> None:
        self._ahead = ahead

    def now(self) -> datetime:
        """Return the wrong time."""
        return datetime.now(UTC) + self._ahead


async def host(database: Database, ahead: timedelta) -> SharedClock:
    """Return the set clock of a host whose own one is wrong."""
    clock = SharedClock(database, WrongClock(ahead))
    await clock.set()
    return clock


def database_time(connection: Connection) -> datetime:
    """Return what the database says."""
    moment: datetime = connection.scalars(select(func.clock_timestamp())).one()
    return moment


def arrive(connection: Connection, now: datetime) -> bool:
    """Put a message into the inbox."""
    arrival = Arrival(
        account="a", external_id="1", address="a/b/c", kind=InboxKind.MESSAGE, body={}, message_id=MessageId("1")
    )
    return inbox.add(connection, arrival, now)


@pytest.mark.parametrize("ahead", [MINUTE, -MINUTE])
async def test_every_host_goes_by_the_databases_clock(database: Database, ahead: timedelta) -> None:
    """Once set, a clock says what the database's does; on SQLite it is the host's own."""
    clock = await host(database, ahead)
    if database.is_sqlite:
        assert abs(clock.now() - datetime.now(UTC) - ahead) < CLOSE
        return
    before = await database.read(database_time)
    now = clock.now()
    after = await database.read(database_time)
    assert before - CLOSE < now < after + CLOSE


@pytest.mark.parametrize("jump", [MINUTE, -MINUTE])
async def test_a_clock_that_is_set_leaves_a_life_alone(database: Database, jump: timedelta) -> None:
    """Whoever sets the machine's clock, nothing is due earlier or later for that."""
    own = WrongClock(timedelta())
    clock = SharedClock(database, own)
    await clock.set()
    own._ahead = jump
    await clock.set()
    assert abs(clock.now() - datetime.now(UTC)) < CLOSE


@pytest.mark.parametrize("ahead", [MINUTE, -MINUTE])
async def test_a_host_with_a_wrong_clock_steals_no_lease(database: Database, ahead: timedelta) -> None:
    """What one host puts down another can take at once, and keeps for as long as its lease lasts."""
    if database.is_sqlite:
        pytest.skip("a file belongs to one host")
    right, wrong = await host(database, timedelta()), await host(database, ahead)
    for one, other in ((right, wrong), (wrong, right)):
        await database.write(arrive, one.now())
        # Two clocks that were set by one differ by as much as asking it took.
        (row,) = await database.write(inbox.claim, other.now() + CLOSE, LEASE_FOR, 1)
        released = await database.write(inbox.release, Release(now=one.now()))
        assert (released.pending, released.dead) == ([], [])
        late = one.now() + LEASE_FOR + 2 * CLOSE
        assert len((await database.write(inbox.release, Release(now=late))).pending) == 1
        (again,) = await database.write(inbox.claim_suspects, one.now(), LEASE_FOR, 1)
        assert again.lease.row_id == row.lease.row_id
        await database.write(inbox.finish, again.lease, one.now())
        await database.write(lambda connection: connection.execute(inbox_table.delete()).close())


async def test_a_clock_goes_on_without_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the database is away the clock goes on by itself, and is set when it is back."""
    monkeypatch.setattr(shared_clock_module, "SET_EVERY", 0.001)
    database = Database(open_engine("postgresql://nobody@/nothing?host=/nowhere"))
    clock = SharedClock(database, WrongClock(MINUTE))
    running = asyncio.create_task(clock.run())
    await asyncio.sleep(0.05)
    assert not running.done()
    assert abs(clock.now() - datetime.now(UTC) - MINUTE) < CLOSE
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await database.close()
