"""What the durable pipeline does by itself: from a channel's call to ours with an engine that answers at once.

Every message is committed to the disk when it comes, with its answer, and around its sending: on SQLite by one process,
on PostgreSQL by one too, beside its server; with little in the tables and with much. docs/scale.md reckons with it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import uvloop
from sqlalchemy import Connection, select, text

from benchmarks.rig.postgres import postgres
from bot.store.database import Database, open_engine
from bot.store.migrating import migrate
from bot.store.sample_shop.shop import SampleShop, fill
from bot.store.schema import inbox, messages, outbox
from tests.databases import run_in
from tests.fakes.connector import message
from tests.pipeline.rig import Rig

CUSTOMERS = 100
#: Webhook calls that are under way at once.
CALLERS = 16
#: Rows that are made with one statement.
BATCH = 10_000
#: Seconds for which a thread that computes keeps another waiting, as in the service.
SWITCHES_EVERY = 0.001
TARGETS = {"sqlite": 500.0, "postgresql": 300.0}


@dataclass(frozen=True, kw_only=True)
class Round:
    """What came of so many turns."""

    turns_per_second: float
    #: of this process: what one core has to do for a turn
    processor_ms: float


async def _measure(rig: Rig, name: str, count: int) -> Round:
    """See `count` messages of as many customers as there are through, all that comes at once in work at once."""
    numbers = iter(range(count))
    before = len(rig.connector.shown)

    async def call() -> None:
        for number in numbers:
            said = f"{name}-{number}"
            await rig.bring(message(rig.connector, f"customer-{number % CUSTOMERS}", said, said))

    working = asyncio.create_task(rig.worker.run())
    began, processor = time.monotonic(), time.process_time()
    await asyncio.gather(*(call() for _ in range(CALLERS)))
    while len(rig.connector.shown) - before < count:  # noqa: ASYNC110 - the channel tells nothing
        await asyncio.sleep(0.01)
    passed, used = time.monotonic() - began, time.process_time() - processor
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working
    return Round(turns_per_second=count / passed, processor_ms=used * 1000 / count)


def _store_much(connection: Connection, count: int) -> None:
    """Make rows that are done, after the likeness of those that there are."""
    for table, name in ((inbox, "external_id"), (outbox, "key"), (messages, "id")):
        row = dict(connection.execute(select(table).limit(1)).mappings().one())
        for key in ("id", "position") if table is not messages else ("position",):
            row.pop(key, None)
        if table is outbox:
            row["state"] = "sent"
        for first in range(0, count, BATCH):
            made = [row | {name: f"old-{number:028}"[:32]} for number in range(first, min(first + BATCH, count))]
            connection.execute(table.insert(), made)
    connection.execute(text("ANALYZE"))


def _size(connection: Connection) -> int:
    if connection.dialect.name == "sqlite":
        pages, size = (connection.scalar(text(f"PRAGMA {name}")) for name in ("page_count", "page_size"))
        return int(pages or 0) * int(size or 0)
    return int(connection.scalar(text("SELECT pg_database_size(current_database())")) or 0)


async def _run(url: str, folder: Path, count: int, much: int) -> None:
    engine = open_engine(url)
    migrate(engine)
    database = Database(engine)
    shop_url = f"sqlite:///{folder / 'shop.db'}"
    run_in(shop_url, lambda connection: fill(connection, datetime.now(UTC).date()))
    shop = SampleShop(Database(open_engine(shop_url)), shop_url)
    rig = Rig(database, shop, folder)
    rig.clock.now = lambda: datetime.now(UTC)  # type: ignore[method-assign]
    name = engine.dialect.name
    await _measure(rig, "warm", 200)
    empty = await database.read(_size)
    little = await _measure(rig, "little", count)
    per_turn = (await database.read(_size) - empty) / count
    await database.write(_store_much, much)
    full = await _measure(rig, "much", count)
    print(
        f"{name}: {little.turns_per_second:.0f} turns/s ({little.processor_ms:.2f} ms of one core for a turn), "
        f"{per_turn / 1024:.1f} KiB stored for a turn; target {TARGETS[name]:.0f}"
    )
    print(
        f"{name} with {much} messages stored: {full.turns_per_second:.0f} turns/s, "
        f"{full.processor_ms / little.processor_ms:.2f} × the processor time"
    )
    await rig.close()
    await shop.close()
    await database.close()


def main() -> None:
    """Measure both databases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=2000)
    parser.add_argument("--much", type=int, default=200_000)
    chosen = parser.parse_args()
    sys.setswitchinterval(SWITCHES_EVERY)
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as name:
        folder = Path(name)
        uvloop.run(_run(f"sqlite:///{folder / 'tandem.db'}", folder, chosen.turns, chosen.much))
    with postgres() as server, tempfile.TemporaryDirectory(prefix="tandem-bench-") as name:
        uvloop.run(_run(server.url, Path(name), chosen.turns, chosen.much))


if __name__ == "__main__":
    main()
