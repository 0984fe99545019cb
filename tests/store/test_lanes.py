from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from bot.domain.errors import StaleLeaseError
from bot.domain.messages import MessageId
from bot.domain.retry import CRASHES_MAX
from bot.store import gauging, inbox, lanes, outbox
from bot.store.database import Database
from bot.store.inbox import Arrival, InboxKind, InboxRow
from bot.store.lanes import Ending, Lease, Release
from bot.store.outbox import OutboxKind, OutboxRow, Outgoing
from bot.store.schema import inbox as inbox_table
from bot.store.schema import outbox as outbox_table

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
LEASE = timedelta(seconds=60)
SECOND = timedelta(seconds=1)


def arrive(connection: Connection, lane: str, name: str, account: str = "test/brand") -> bool:
    """Put a message into the inbox; its id is its name."""
    arrival = Arrival(
        account=account,
        external_id=name,
        address=f"test/brand/{lane}",
        kind=InboxKind.MESSAGE,
        body={"name": name},
        message_id=MessageId(name),
    )
    return inbox.add(connection, arrival, NOW)


async def claim(database: Database, now: datetime = NOW, limit: int = 100) -> list[InboxRow]:
    """Claim what can be claimed, suspects included."""
    rows = await database.write(inbox.claim, now, LEASE, limit)
    return rows + await database.write(inbox.claim_suspects, now, LEASE, limit)


def names(rows: list[InboxRow]) -> list[str]:
    """Return the messages' names."""
    return [str(row.message_id) for row in rows]


async def fill(database: Database, *names: str) -> None:
    """Put messages into the inbox; the first character of a name is its lane."""
    for name in names:
        await database.write(arrive, name[0], name)


async def test_the_same_event_is_kept_once(database: Database) -> None:
    """An event that is brought fifty times at the same moment is one row."""
    added = await asyncio.gather(*(database.write(arrive, "a", "a1") for _ in range(50)))
    assert sum(added) == 1
    assert names(await claim(database)) == ["a1"]


async def test_events_of_two_accounts_are_two(database: Database) -> None:
    """Two channel accounts may use the same ids."""
    assert await database.write(arrive, "a", "same")
    assert await database.write(arrive, "b", "same", "test/other")
    assert len(await claim(database)) == 2


async def test_an_event_stays_known_when_it_is_done(database: Database) -> None:
    """A repeat vanishes even long after the event was handled."""
    await fill(database, "a1")
    (row,) = await claim(database)
    await database.write(inbox.finish, row.lease, NOW)
    assert not await database.write(arrive, "a", "a1")
    assert await claim(database) == []


async def test_only_the_head_of_a_lane_can_be_claimed(database: Database) -> None:
    """Of each lane the oldest row is handed out, and the next only when it is done."""
    await fill(database, "a1", "a2", "b1", "a3", "b2")
    first = await claim(database)
    assert names(first) == ["a1", "b1"]
    assert await claim(database) == []
    await database.write(inbox.finish, first[0].lease, NOW)
    assert names(await claim(database)) == ["a2"]


async def test_a_limit_takes_the_oldest_heads(database: Database) -> None:
    """No more lanes are claimed than asked for, oldest message first."""
    await fill(database, "c1", "b1", "a1", "b2")
    assert names(await claim(database, limit=2)) == ["c1", "b1"]
    assert names(await claim(database, limit=2)) == ["a1"]


async def test_a_deferred_row_holds_its_lane_back(database: Database) -> None:
    """Nothing overtakes a row that waits for another try; other lanes go on."""
    await fill(database, "a1", "a2", "b1")
    a1, b1 = await claim(database)
    await database.write(inbox.defer, a1.lease, NOW + 10 * SECOND, "busy")
    await database.write(inbox.finish, b1.lease, NOW)
    await fill(database, "b2")
    assert names(await claim(database, NOW + 9 * SECOND)) == ["b2"]
    (again,) = await claim(database, NOW + 10 * SECOND)
    assert (again.message_id, again.attempt_count) == ("a1", 2)


async def test_a_stale_lease_writes_nothing(database: Database) -> None:
    """Whoever lost a row to somebody else can neither finish nor defer nor bury it."""
    await fill(database, "a1")
    (old,) = await claim(database)
    later = NOW + LEASE + SECOND
    await database.write(inbox.release, Release(now=later))
    (new,) = await claim(database, later)
    for body, *arguments in (
        (inbox.finish, NOW),
        (inbox.defer, NOW, "late"),
        (inbox.bury, NOW, "late"),
    ):
        with pytest.raises(StaleLeaseError):
            await database.write(body, old.lease, *arguments)
    await database.write(inbox.finish, new.lease, later)
    with pytest.raises(StaleLeaseError):
        await database.write(inbox.finish, new.lease, later)
    with pytest.raises(StaleLeaseError):
        await database.write(inbox.finish, Lease(row_id=999, token="nobody's"), later)


async def test_a_lapsed_lease_makes_the_row_pending_again(database: Database) -> None:
    """A row whose worker died is handed out again, ahead of its lane; one whose worker lives is not."""
    await fill(database, "a1", "a2", "b1")
    (a1,) = await claim(database, limit=1)
    await claim(database, NOW + 30 * SECOND)
    nothing = await database.write(inbox.release, Release(now=NOW + LEASE))
    assert (nothing.pending, nothing.dead) == ([], [])
    ours = frozenset({a1.lease.token})
    nothing = await database.write(inbox.release, Release(now=NOW + LEASE + SECOND, ours=ours))
    assert (nothing.pending, nothing.dead) == ([], [])
    released = await database.write(inbox.release, Release(now=NOW + LEASE + SECOND))
    assert [row.lease.row_id for row in released.pending] == [a1.lease.row_id]
    assert names(await claim(database, NOW + LEASE + SECOND)) == ["a1"]


async def test_a_lease_can_be_renewed_while_its_worker_lives(database: Database) -> None:
    """A renewed lease does not lapse; one that was lost is not won back."""
    await fill(database, "a1", "b1")
    a1, b1 = await claim(database)
    await database.write(lanes.renew, inbox_table, [a1.lease], NOW + 2 * LEASE)
    released = await database.write(inbox.release, Release(now=NOW + LEASE + SECOND))
    assert [row.lease.row_id for row in released.pending] == [b1.lease.row_id]
    await database.write(lanes.renew, inbox_table, [b1.lease], NOW + 5 * LEASE)
    assert names(await claim(database, NOW + LEASE + SECOND)) == ["b1"]
    await database.write(inbox.finish, a1.lease, NOW)


async def test_all_rows_are_released_when_nobody_else_can_be_alive(database: Database) -> None:
    """A worker that starts alone takes over at once what an earlier one had begun."""
    await fill(database, "a1", "b1")
    await claim(database)
    assert names((await database.write(inbox.release, Release(now=NOW, is_alone=True))).pending) == ["a1", "b1"]
    assert names(await claim(database)) == ["a1", "b1"]


async def test_a_row_that_kills_its_workers_is_set_aside(database: Database) -> None:
    """After the last crash it may cause a row becomes a dead letter, and its lane goes on."""
    await fill(database, "a1", "a2")
    now = NOW
    for _ in range(CRASHES_MAX):
        assert names(await claim(database, now)) == ["a1"]
        now += LEASE + SECOND
        await database.write(inbox.release, Release(now=now))
    assert names(await claim(database, now)) == ["a2"]
    (letter,) = await database.read(lanes.dead_letters, inbox_table, 10)
    assert (letter.message_id, letter.state, letter.finished_at) == ("a1", "dead", now)


async def test_a_crash_makes_suspects_that_are_claimed_apart(database: Database) -> None:
    """What was in work at a crash is handed out apart from the rest, still ahead of its lane."""
    await fill(database, "a1", "b1", "a2", "c1")
    await claim(database, limit=2)
    now = NOW + LEASE + SECOND
    await database.write(inbox.release, Release(now=now))
    assert names(await database.write(inbox.claim, now, LEASE, 10)) == ["c1"]
    assert names(await database.write(inbox.claim_suspects, now, LEASE, 1)) == ["a1"]
    assert names(await database.write(inbox.claim_suspects, now, LEASE, 10)) == ["b1"]


async def test_a_row_that_lets_its_worker_live_is_clear(database: Database) -> None:
    """An attempt that ended in order, though without success, ends the suspicion; one that found no engine does not."""
    await fill(database, "a1", "b1", "c1")
    await claim(database)
    now = NOW + LEASE + SECOND
    await database.write(inbox.release, Release(now=now))
    a1, b1, c1 = await database.write(inbox.claim_suspects, now, LEASE, 10)
    await database.write(inbox.defer, a1.lease, now, "failed")
    await database.write(inbox.defer_for_engine, b1, now, "no engine", has_broken_off=False)
    await database.write(inbox.defer_for_engine, c1, now, "it died", has_broken_off=True)
    assert names(await database.write(inbox.claim, now, LEASE, 10)) == ["a1"]
    suspects = await database.write(inbox.claim_suspects, now, LEASE, 10)
    assert [(row.message_id, row.crash_count) for row in suspects] == [("b1", 1), ("c1", 2)]


async def test_what_a_wrong_clock_put_down_is_brought_forward(database: Database) -> None:
    """What is not due for longer than a channel can ask us to wait was dated by a clock that has been set back."""
    await fill(database, "a1", "b1", "c1")
    a1, b1, _ = await claim(database)
    await database.write(inbox.defer, a1.lease, NOW + timedelta(days=2), "failed")
    await database.write(inbox.defer, b1.lease, NOW + timedelta(days=1), "it asks for a day")
    await database.write(lanes.bring_forward, [inbox_table], NOW)
    assert names(await claim(database)) == ["a1"]


async def test_dead_letters_can_be_tried_again(database: Database) -> None:
    """A revived dead letter is pending again with a clean record; what is alive cannot be revived."""
    await fill(database, "a1", "b1")
    a1, b1 = await claim(database)
    await database.write(inbox.bury, a1.lease, NOW, "hopeless")
    (letter,) = await database.read(lanes.dead_letters, inbox_table, 10)
    assert (letter.id, letter.error) == (a1.lease.row_id, "hopeless")
    assert await database.write(lanes.revive, inbox_table, a1.lease.row_id, NOW)
    assert not await database.write(lanes.revive, inbox_table, a1.lease.row_id, NOW)
    assert not await database.write(lanes.revive, inbox_table, b1.lease.row_id, NOW)
    (again,) = await claim(database)
    assert (again.message_id, again.attempt_count) == ("a1", 1)


async def test_dead_letters_can_be_dropped(database: Database) -> None:
    """A dropped dead letter is gone; what is alive cannot be dropped."""
    await fill(database, "a1", "b1")
    a1, b1 = await claim(database)
    await database.write(inbox.bury, a1.lease, NOW, "hopeless")
    assert not await database.write(lanes.drop, inbox_table, b1.lease.row_id)
    assert await database.write(lanes.drop, inbox_table, a1.lease.row_id)
    assert await database.read(lanes.dead_letters, inbox_table, 10) == []


async def test_the_database_allows_one_claimed_row_a_lane(database: Database) -> None:
    """Even a wrong query cannot have two rows of a lane claimed at once."""
    await fill(database, "a1", "a2")
    await claim(database)

    def claim_all(connection: Connection) -> None:
        connection.execute(inbox_table.update().values(state="claimed"))

    with pytest.raises(IntegrityError):
        await database.write(claim_all)


async def test_many_workers_keep_each_lane_in_order(database: Database) -> None:
    """Workers that claim, finish, defer and crash at the same time work on each lane in order, one row at a time."""
    lanes_count, length = 6, 12
    await database.write(
        lambda connection: [arrive(connection, str(n % lanes_count), f"{n % lanes_count}-{n:03}") for n in range(72)]
    )
    done: dict[str, list[str]] = {}
    busy: set[str] = set()

    async def work(seed: int) -> None:
        dice = random.Random(seed)
        while sum(map(len, done.values())) < lanes_count * length:
            for row in await database.write(inbox.claim, NOW, LEASE, dice.randint(1, 4)):
                assert row.address not in busy
                busy.add(row.address)
                await asyncio.sleep(0)
                busy.remove(row.address)
                if dice.random() < 0.3:
                    await database.write(inbox.defer, row.lease, NOW, "again")
                else:
                    done.setdefault(row.address, []).append(str(row.message_id))
                    await database.write(inbox.finish, row.lease, NOW)

    await asyncio.gather(*(work(seed) for seed in range(5)))
    assert all(order == sorted(order) for order in done.values())
    assert sum(map(len, done.values())) == lanes_count * length


async def test_workers_never_share_a_row(database: Database) -> None:
    """Rows that many workers reach for at the same moment are each handed to one of them."""
    await database.write(lambda connection: [arrive(connection, str(n), f"{n}") for n in range(60)])
    taken = await asyncio.gather(*(database.write(inbox.claim, NOW, LEASE, 10) for _ in range(12)))
    found = [name for rows in taken for name in names(rows)]
    assert sorted(found, key=int) == [str(n) for n in range(60)]


class TestOutbox:
    """What only outgoing rows have."""

    @staticmethod
    async def put(database: Database, name: str, lane: str = "a") -> bool:
        """Put a message into the outbox, outside any conversation."""
        outgoing = Outgoing(key=name, address=f"test/brand/{lane}", kind=OutboxKind.MESSAGE, body={})
        return await database.write(outbox.add, outgoing, NOW)

    @staticmethod
    async def claim(database: Database, now: datetime = NOW) -> list[OutboxRow]:
        """Claim what can be claimed, suspects included."""
        rows = await database.write(outbox.claim, now, LEASE, 10)
        return rows + await database.write(outbox.claim_suspects, now, LEASE, 10)

    async def test_a_key_is_used_once(self, database: Database) -> None:
        """What is said twice under one key goes out once."""
        assert sum(await asyncio.gather(*(self.put(database, "k") for _ in range(20)))) == 1

    async def test_a_crash_leaves_the_call_in_doubt(self, database: Database) -> None:
        """A row whose worker died may have been sent; one that was put off certainly was not."""
        await self.put(database, "crashed", "a")
        await self.put(database, "deferred", "b")
        _, deferred = await self.claim(database)
        await database.write(outbox.defer, deferred.lease, NOW, "later", is_ambiguous=False)
        later = NOW + LEASE + SECOND
        await database.write(outbox.release, Release(now=later))
        assert {row.key: row.is_ambiguous for row in await self.claim(database, later)} == {
            "crashed": True,
            "deferred": False,
        }

    async def test_progress_survives_a_crash(self, database: Database) -> None:
        """The calls already made of a message are not made again, and only the next one is in doubt."""
        await self.put(database, "k")
        (row,) = await self.claim(database)
        await database.write(outbox.advance, row.lease, 2)
        later = NOW + LEASE + SECOND
        await database.write(outbox.release, Release(now=later))
        (again,) = await self.claim(database, later)
        assert (again.progress, again.is_ambiguous) == (2, True)
        with pytest.raises(StaleLeaseError):
            await database.write(outbox.advance, row.lease, 3)

    async def test_a_row_that_kills_its_workers_is_held(self, database: Database) -> None:
        """A message in whose sending workers died is kept as one that may have arrived."""
        await self.put(database, "k")
        now = NOW
        for _ in range(CRASHES_MAX):
            await self.claim(database, now)
            now += LEASE + SECOND
            await database.write(outbox.release, Release(now=now))
        (letter,) = await database.read(lanes.dead_letters, outbox_table, 10)
        assert (letter.key, letter.state, letter.is_ambiguous) == ("k", "held", True)

    async def test_a_held_letter_that_is_tried_again_is_not_in_doubt(self, database: Database) -> None:
        """Whoever revives a held message has decided that it is sent again."""
        await self.put(database, "k")
        (row,) = await self.claim(database)
        await database.write(outbox.defer_ambiguous, row.lease, NOW, "broken pipe")
        (row,) = await self.claim(database)
        await database.write(outbox.bury, row.lease, NOW, "in doubt")
        assert await database.write(lanes.revive, outbox_table, row.lease.row_id, NOW)
        (again,) = await self.claim(database)
        assert not again.is_ambiguous

    async def test_counts_name_only_what_needs_a_look(self, database: Database) -> None:
        """What is done is not counted; what waits, runs or was given up is."""
        for n, name in enumerate(("done", "held", "running", "waiting")):
            await self.put(database, name, str(n))
        done, held, _, waiting = await self.claim(database)
        await database.write(outbox.finish, done.lease, Ending(state="sent", at=NOW))
        await database.write(outbox.bury, held.lease, NOW, "?")
        await database.write(outbox.defer, waiting.lease, NOW, "", is_ambiguous=False)
        assert (await database.read(gauging.look, NOW))["outbox"].counts == {
            "pending": 1,
            "claimed": 1,
            "dead": 0,
            "held": 1,
        }

    async def test_a_message_is_found_by_its_key(self, database: Database) -> None:
        """The message an act made is known by the act's key."""
        outgoing = Outgoing(
            key="act", address="test/brand/a", kind=OutboxKind.MESSAGE, body={}, message_id=MessageId("m" * 32)
        )
        await database.write(outbox.add, outgoing, NOW)
        assert await database.read(outbox.message_of, "act") == "m" * 32
        assert await database.read(outbox.message_of, "other") is None


async def test_a_claim_reads_few_rows(database: Database) -> None:
    """Claiming stays a matter of the pending rows, however many are done."""

    def fill_done(connection: Connection) -> None:
        for n in range(300):
            arrive(connection, str(n), f"{n}")
        connection.execute(inbox_table.update().values(state="done"))
        arrive(connection, "new", "new")

    await database.write(fill_done)
    assert names(await claim(database)) == ["new"]
    left = await database.read(
        lambda connection: connection.scalars(select(inbox_table.c.state).distinct().order_by("state")).all()
    )
    assert left == ["claimed", "done"]
