from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from bot.store import gates, outbox
from bot.store.database import Database
from bot.store.gates import BURST, Failure
from bot.store.outbox import OutboxKind, OutboxRow, Outgoing

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LEASE = timedelta(minutes=1)


def put(connection: Connection, name: str, gate: str | None = "slack/C1", rank: int = 0) -> None:
    """Put a row of its own lane into the outbox."""
    outgoing = Outgoing(key=name, address=f"desk/slack/{name}", kind=OutboxKind.DESK, body={}, gate=gate, rank=rank)
    outbox.add(connection, outgoing, NOW)


async def fill(database: Database, count: int) -> None:
    """Put that many rows before one gate."""
    for number in range(count):
        await database.write(put, f"{number:03}")


async def claim(database: Database, now: datetime) -> list[OutboxRow]:
    """Claim what goes through gates."""
    return await database.write(outbox.claim_gated, now, LEASE, 50)


def keys(rows: list[OutboxRow]) -> list[str]:
    """Return the rows' keys."""
    return [row.key for row in rows]


async def test_a_burst_and_then_one_a_second(database: Database) -> None:
    """A gate that was quiet lets a few through at once, then one each second, and saves up no more than the burst."""
    await fill(database, 20)
    assert len(await claim(database, NOW)) == BURST
    assert await claim(database, NOW) == []
    assert [len(await claim(database, NOW + n * SECOND)) for n in range(1, 5)] == [1, 1, 1, 1]
    assert len(await claim(database, NOW + 100 * SECOND)) == BURST


async def test_workers_share_one_pace(database: Database) -> None:
    """However many workers claim at the same moment, no more goes through than one of them would get."""
    await fill(database, 30)
    found = await asyncio.gather(*(claim(database, NOW) for _ in range(8)))
    assert sum(map(len, found)) == BURST


async def test_the_lowest_rank_goes_first(database: Database) -> None:
    """What is urgent overtakes what came before it."""
    await fill(database, 3)
    await database.write(put, "low", rank=30)
    await database.write(put, "urgent", rank=-1)
    assert keys(await claim(database, NOW)) == ["urgent", "000", "001"]


async def test_what_has_no_gate_waits_for_none(database: Database) -> None:
    """Rows without a gate are claimed elsewhere, and gated ones not there."""
    await fill(database, 2)
    await database.write(put, "free", gate=None)
    assert keys(await database.write(outbox.claim, NOW, LEASE, 50)) == ["free"]
    assert len(await claim(database, NOW)) == 2


async def test_a_shut_gate_lets_nothing_through(database: Database) -> None:
    """Until the moment that the other side named; other gates stay open."""
    await fill(database, 2)
    await database.write(put, "other", gate="slack/C2")
    await database.write(gates.shut, "slack/C1", NOW + 30 * SECOND)
    await database.write(gates.shut, "slack/C1", NOW + 10 * SECOND)
    assert keys(await claim(database, NOW + 29 * SECOND)) == ["other"]
    assert len(await claim(database, NOW + 30 * SECOND)) == 2


async def test_a_gate_in_trouble_is_tried_with_one_row(database: Database) -> None:
    """After each failure it is shut for longer; one success opens it, and hastens what was put off meanwhile."""
    await fill(database, 9)
    failure = Failure(at=NOW, reason="gone", is_blocked=False)
    pauses = []
    for _ in range(7):
        until = await database.write(gates.fail, "slack/C1", failure)
        pauses.append((until - NOW).total_seconds())
    assert pauses == [1, 2, 4, 8, 16, 30, 30]
    (trouble,) = await database.read(gates.troubles)
    assert (trouble.since, trouble.reason, trouble.is_blocked) == (NOW, "gone", False)
    later = NOW + 60 * SECOND
    (probe,) = await claim(database, later)
    await database.write(outbox.defer, probe.lease, later + timedelta(hours=1), "gone", is_ambiguous=False)
    assert await database.write(gates.mend, "slack/C1", later)
    assert not await database.write(gates.mend, "slack/C1", later)
    assert await database.read(gates.troubles) == []
    assert probe.key in keys(await claim(database, later))
