from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest
from sqlalchemy import text

from bot.domain.connectors import SendOperation
from bot.pipeline.worker import LEASE_FOR, Worker
from bot.store import inbox
from tests.fakes.connector import message
from tests.pipeline.rig import Rig


@asynccontextmanager
async def working(*workers: Worker) -> AsyncIterator[None]:
    """Let workers run for as long as the context lasts."""
    tasks = [asyncio.create_task(worker.run()) for worker in workers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


async def until_seen(rig: Rig, count: int) -> None:
    """Wait until customers have seen so many messages."""
    async with asyncio.timeout(30):
        while len(rig.connector.shown) < count:  # noqa: ASYNC110 - what customers see gives no events
            await asyncio.sleep(0.01)


async def idle(rig: Rig) -> None:
    """Wait until nothing waits or is in work."""
    async with asyncio.timeout(30):
        while True:
            states = [await rig.inbox_states(), await rig.outbox_states()]
            if not any(state["pending"] + state["claimed"] for state in states):
                return
            await asyncio.sleep(0.01)


async def test_a_running_worker_answers_at_once(rig: Rig) -> None:
    """A message is worked on when it comes, not when the worker next looks."""
    async with working(rig.worker):
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            for n in range(5):
                await rig.bring(message(rig.connector, "ann", f"{n}", f"{n}"))
                await until_seen(rig, n + 1)
    assert rig.seen() == [f"re: {n}" for n in range(5)]


async def test_several_workers_share_the_work(rig: Rig) -> None:
    """Workers over one database answer every message once, each customer's in order."""
    workers = [Worker(replace(rig.worker._parts, dice=random.Random(n))) for n in range(3)]
    dice = random.Random(5)

    async def dawdle(_: object) -> None:
        for _turn in range(dice.randint(0, 20)):
            await asyncio.sleep(0)

    rig.engine.during_step = rig.connector.during_send = dawdle
    async with working(*workers):
        for n in range(8):
            await rig.bring(*(message(rig.connector, f"c{name}", f"{name}-{n}", f"{n}") for name in range(5)))
        await until_seen(rig, 40)
        await idle(rig)
    for name in range(5):
        assert rig.seen(f"c{name}") == [f"re: {n}" for n in range(8)]


async def test_a_stopping_worker_ends_what_it_has_begun(rig: Rig) -> None:
    """A worker that is told to stop in the middle of a send records it; nothing is left claimed."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_operation: SendOperation) -> None:
        begun.set()
        await go_on.wait()

    rig.connector.during_send = wait
    async with working(rig.worker):
        await rig.bring(message(rig.connector, "ann", "1", "hello"))
        await begun.wait()
        asyncio.get_running_loop().call_later(0.05, go_on.set)
    assert rig.seen() == ["re: hello"]
    assert await rig.outbox_states() == {"pending": 0, "claimed": 0, "dead": 0, "held": 0}


async def test_a_worker_outlives_a_database_that_goes_away(rig: Rig) -> None:
    """While every connection is cut again and again, messages are still answered once and in order."""
    if rig.database.is_sqlite:
        pytest.skip("a file has no connections that somebody else can cut")
    rig.connector.is_idempotent = True
    cuts = 0

    async def cut() -> None:
        nonlocal cuts
        while True:
            await asyncio.sleep(0.02)
            with suppress(Exception):
                await asyncio.to_thread(_cut_all, rig)
            cuts += 1

    async with working(rig.worker):
        cutting = asyncio.create_task(cut())
        for n in range(10):
            while True:
                with suppress(Exception):
                    await rig.bring(message(rig.connector, "ann", f"{n}", f"{n}"))
                    break
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        cutting.cancel()
        async with asyncio.timeout(30):
            while len(rig.seen()) < 10:
                rig.clock.pass_(seconds=61)
                await rig.sweep()
                rig.hints.inbox.give()
                rig.hints.outbox.give()
                await asyncio.sleep(0.05)
        await idle(rig)
    assert cuts > 0
    assert rig.seen() == [f"re: {n}" for n in range(10)]


def _cut_all(rig: Rig) -> None:
    with rig.database.engine.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        )


async def test_a_starting_worker_takes_over_what_a_dead_one_had(rig: Rig) -> None:
    """A worker that starts alone does not wait for the leases of one that was killed."""
    await rig.bring(message(rig.connector, "ann", "1", "hello"))
    await rig.database.write(inbox.claim, rig.clock.now(), LEASE_FOR, 10)
    await rig.settle()
    assert rig.seen() == []
    await rig.worker.release_all()
    await rig.settle()
    assert rig.seen() == ["re: hello"]
