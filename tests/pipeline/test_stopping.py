from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection

from bot.domain.errors import EngineUnavailableError
from bot.pipeline.deliver import SURE_FOR
from bot.pipeline.worker import ENGINE_WITHIN, LEASE_FOR, Worker
from bot.store import inbox, outbox
from bot.store.outbox import OutboxRow
from bot.store.schema import outbox as outbox_table
from tests.fakes.connector import message
from tests.pipeline.rig import Rig


async def test_a_worker_that_stops_while_it_claims_sends_what_it_claimed(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claimed message counts as perhaps sent: left behind, it would be held although it never left."""
    has_begun, may_go_on, claim = threading.Event(), threading.Event(), outbox.claim

    def claim_slowly(connection: Connection, *asked: Any) -> Sequence[OutboxRow]:
        has_begun.set()
        may_go_on.wait(10)
        return claim(connection, *asked)

    await rig.bring(message(rig.connector, "ann", "1", "hello"))
    await rig.converse_once()
    monkeypatch.setattr(outbox, "claim", claim_slowly)
    working = asyncio.create_task(rig.worker.run())
    await asyncio.to_thread(has_begun.wait, 10)
    working.cancel()
    await asyncio.sleep(0)
    may_go_on.set()
    await asyncio.gather(working, return_exceptions=True)
    assert rig.seen() == ["re: hello"]
    assert set((await rig.outbox_states()).values()) == {0}


async def test_what_waited_for_an_engine_is_tried_as_soon_as_there_is_one(rig: Rig) -> None:
    """After a long outage nobody waits for the end of a pause that has lost its reason."""
    rig.engine.broken = EngineUnavailableError()
    for _ in range(6):
        await rig.writes("hello") if not rig.engine.requests else await rig.settle()
        rig.clock.pass_(seconds=31)
    await rig.settle()
    rig.engine.broken = None
    await rig.settle()
    assert "re: hello" not in rig.seen()
    await rig.database.write(inbox.hasten, rig.clock.now())
    await rig.settle()
    assert rig.seen()[-1] == "re: hello"


async def test_a_worker_without_an_engine_leaves_messages_to_the_others(rig: Rig) -> None:
    """It takes nothing for as long as an engine's start takes, and then only what lies about that long."""
    engines: list[str] = []
    worker = Worker(replace(rig.worker._parts, has_engine=lambda: bool(engines)))
    start = rig.clock.now()
    assert worker._inbox_ready_by(start) is None
    assert worker._inbox_ready_by(start + ENGINE_WITHIN / 2) is None
    later = start + ENGINE_WITHIN
    assert worker._inbox_ready_by(later) == start
    engines.append("up")
    assert worker._inbox_ready_by(later) == later
    engines.clear()
    assert worker._inbox_ready_by(later) is None


async def test_a_worker_that_stood_still_asks_before_it_sends(rig: Rig) -> None:
    """What it claimed before may be another's by now: then nothing leaves, and else it does, once."""
    await rig.bring(message(rig.connector, "ann", "1", "hello"), message(rig.connector, "bob", "2", "hello"))
    await rig.converse_once()
    now = rig.clock.now()
    ours, theirs = await rig.database.write(outbox.claim, now, LEASE_FOR, 10)
    ours, theirs = (
        replace(row, lease=replace(row.lease, since=row.lease.since - 2 * SURE_FOR)) for row in (ours, theirs)
    )
    taken = outbox_table.update().where(outbox_table.c.id == theirs.lease.row_id).values(lease="another's")
    await rig.database.write(lambda connection: connection.execute(taken))
    for row in (ours, theirs):
        await rig.worker._send(row)
    assert [key for key, _ in rig.connector.calls] == [f"{ours.key}:0"]
