"""The loops that take rows out of the boxes and see them to an end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from bot import metrics
from bot.domain.errors import OwnerChangedError, StaleLeaseError
from bot.domain.ports import Clock
from bot.domain.retry import SEND_RETRY, TURN_RETRY
from bot.pipeline.converse import Conversing
from bot.pipeline.deliver import Delivering
from bot.pipeline.effects import record_receipt
from bot.pipeline.outgoing import DeskAddress, Writer
from bot.store import conversations, inbox, lanes, outbox, timers
from bot.store.database import Database
from bot.store.hints import Hint, Hints
from bot.store.ids import new_message_id
from bot.store.inbox import Arrival, InboxKind, InboxRow
from bot.store.lanes import Lease
from bot.store.outbox import OutboxRow
from bot.store.schema import inbox as inbox_table
from bot.store.schema import outbox as outbox_table

log = structlog.get_logger()

#: Longer than any turn or send may take, so that a row is never worked on twice while its worker lives.
LEASE_FOR = timedelta(seconds=60)
#: Without a hint the boxes are looked at this often, in seconds.
LOOK_EVERY = 0.5
SWEEP_EVERY = 2.0
#: How long a stopping worker waits for what it has begun, in seconds.
DRAIN_FOR = 10.0
OWNER_CHANGES_MAX = 5

Row = TypeVar("Row")

#: Does what an agent did on the desk, given the desk's own event.
DeskHandler = Callable[[dict[str, object]], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class WorkerParts:
    """What a worker needs."""

    database: Database
    clock: Clock
    hints: Hints
    conversing: Conversing
    delivering: Delivering
    #: none: no desk speaks to us by events
    desk_events: DeskHandler | None
    desk: DeskAddress | None
    dice: random.Random
    #: rows of each box that are worked on at once
    concurrency: int
    #: called after each commit that changed what agents see
    changed: Callable[[], None] = lambda: None


class Worker:
    """Works until it is cancelled, then ends what it has begun."""

    def __init__(self, parts: WorkerParts) -> None:
        """Use `parts`."""
        self._parts = parts
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Work on both boxes and the timers until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._take(self._parts.hints.inbox, inbox.claim, self._work))
                group.create_task(self._take(self._parts.hints.outbox, outbox.claim, self._send))
                group.create_task(self._sweep())
        finally:
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=DRAIN_FOR)

    async def release_all(self) -> None:
        """Make every claimed row pending again at once; only when no other worker can be alive."""
        await self._release(None)

    async def _take(
        self,
        hint: Hint,
        claim: Callable[[Connection, datetime, timedelta, int], list[Row]],
        work: Callable[[Row], Coroutine[Any, Any, None]],
    ) -> None:
        active: set[asyncio.Task[None]] = set()

        def ended(task: asyncio.Task[None]) -> None:
            active.discard(task)
            self._tasks.discard(task)
            hint.give()

        while True:
            free = self._parts.concurrency - len(active)
            rows: list[Row] = []
            if free > 0:
                try:
                    rows = await self._parts.database.write(claim, self._parts.clock.now(), LEASE_FOR, free)
                except SQLAlchemyError:
                    log.exception("claim_failed")
            for row in rows:
                task = asyncio.create_task(work(row))
                active.add(task)
                self._tasks.add(task)
                task.add_done_callback(ended)
            if not rows:
                await hint.wait(LOOK_EVERY)

    async def _work(self, row: InboxRow) -> None:
        with structlog.contextvars.bound_contextvars(message=row.message_id):
            try:
                await self._handle(row)
            except StaleLeaseError:
                log.warning("lease_lost", box="inbox", row=row.lease.row_id)
            except Exception as error:
                log.exception("work_failed", box="inbox", kind=row.kind)
                await self._try_again(row, repr(error))
        self._parts.hints.outbox.give()
        self._parts.changed()

    async def _handle(self, row: InboxRow) -> None:
        match row.kind:
            case InboxKind.MESSAGE | InboxKind.TRIGGER:
                for _ in range(OWNER_CHANGES_MAX):
                    try:
                        await self._parts.conversing.converse(row)
                    except OwnerChangedError:
                        continue
                    return
                raise OwnerChangedError
            case InboxKind.RECEIPT:
                await self._parts.database.write(record_receipt, self._writer(), row)
            case InboxKind.DESK:
                if self._parts.desk_events is not None:
                    await self._parts.desk_events(row.body)
                await self._parts.database.write(inbox.finish, row.lease, self._parts.clock.now())

    async def _send(self, row: OutboxRow) -> None:
        with structlog.contextvars.bound_contextvars(message=row.message_id):
            try:
                await self._parts.delivering.deliver(row)
            except StaleLeaseError:
                log.warning("lease_lost", box="outbox", row=row.lease.row_id)
            except Exception as error:
                log.exception("work_failed", box="outbox", kind=row.kind)
                await self._send_again(row, repr(error))

    async def _try_again(self, row: InboxRow, error: str) -> None:
        now = self._parts.clock.now()
        delay = TURN_RETRY.delay(row.attempt_count, None, self._parts.dice)
        if delay is not None:
            await self._record(inbox.defer, row.lease, now + delay, error)
            return
        log.error("dead_letter", box="inbox", row=row.lease.row_id, kind=row.kind, error=error)
        await self._record(inbox.bury, row.lease, now, error)

    async def _send_again(self, row: OutboxRow, error: str) -> None:
        now = self._parts.clock.now()
        delay = SEND_RETRY.delay(row.attempt_count, None, self._parts.dice)
        if delay is not None:
            await self._record(outbox.defer_ambiguous, row.lease, now + delay, error)
            return
        await self._record(outbox.bury, row.lease, now, error)

    async def _record(
        self, body: Callable[[Connection, Lease, datetime, str], None], lease: Lease, moment: datetime, error: str
    ) -> None:
        """Write down a failure; if even that fails, the lease lapses and the row is taken up again."""
        try:
            await self._parts.database.write(body, lease, moment, error)
        except (SQLAlchemyError, StaleLeaseError):
            log.exception("failure_not_recorded", row=lease.row_id)

    async def _sweep(self) -> None:
        while True:
            try:
                await self._release(self._parts.clock.now())
                fired = await self._parts.database.write(fire_timers, self._parts.clock.now())
                if fired:
                    self._parts.hints.inbox.give()
                await self._count()
            except SQLAlchemyError:
                log.exception("sweep_failed")
            await asyncio.sleep(SWEEP_EVERY)

    async def _release(self, now: datetime | None) -> None:
        for box, release in (("inbox", inbox.release_lapsed), ("outbox", outbox.release_lapsed)):
            rows = await self._parts.database.write(release, now)
            for row in rows:
                log.warning("row_released", box=box, row=row.id, crash_count=row.crash_count)

    async def _count(self) -> None:
        for box, table in (("inbox", inbox_table), ("outbox", outbox_table)):
            counts = await self._parts.database.read(lanes.count_by_state, table)
            for state, count in counts.items():
                metrics.BOXES.labels(box, state).set(count)

    def _writer(self) -> Writer:
        return Writer(now=self._parts.clock.now(), desk=self._parts.desk)


def fire_timers(connection: Connection, now: datetime) -> int:
    """Turn timers that are due into rows of the inbox; return how many."""
    due = timers.take_due(connection, now, 50)
    for row_id, timer in due:
        conversation = conversations.get(connection, timer.conversation_id)
        arrival = Arrival(
            account="timer",
            external_id=str(row_id),
            address=str(conversation.address),
            kind=InboxKind.TRIGGER,
            body={"intent": timer.meaning.intent, "entities": timer.meaning.entities},
            message_id=new_message_id(),
        )
        inbox.add(connection, arrival, now)
    return len(due)
