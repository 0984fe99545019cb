"""The loops that take rows out of the boxes and see them to an end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot.pipeline import overdue, places, routing
from bot.pipeline.claiming import Box, Claiming
from bot.pipeline.firing import fire_timers
from bot.pipeline.gauges import Gauges
from bot.pipeline.giving_up import release_inbox, release_outbox
from bot.pipeline.worker_parts import WorkerParts
from bot.pipeline.working import Working
from bot.store import inbox, joining, lanes, outbox
from bot.store.availability import DatabaseAwayError
from bot.store.hints import Hint
from bot.store.inbox import InboxRow
from bot.store.lanes import Lease, Release, Released
from bot.store.outbox import OutboxRow
from bot.store.pulses import Pulse
from bot.store.schema import inbox as inbox_table
from bot.store.schema import outbox as outbox_table

log = structlog.get_logger()

#: Leases are renewed at every sweep, so they end only when their worker is dead, or stuck. Mostly others hear of that
#: sooner (`bot.store.pulses`).
LEASE_FOR = timedelta(seconds=10)
#: Without a hint the boxes are looked at this often, in seconds.
LOOK_EVERY = 0.5
#: What goes through gates goes one a second each: to look at them after each turn would be work for nothing.
LOOK_AT_GATES_EVERY = 0.05
#: For so many seconds at most new work makes way for what channels wait with.
MAKES_WAY_FOR = 0.2
SWEEP_EVERY = 2.0
#: How often it is asked whether those who are there still work here.
PEOPLE_EVERY = timedelta(minutes=5)
#: An engine is started again within this; until then its worker leaves the inbox alone.
ENGINE_WITHIN = timedelta(seconds=5)
#: How long a stopping worker waits for what it has begun, in seconds: its leases last until then, and with what the
#: servers wait a service stops within ten.
DRAIN_FOR = 4.0

Row = TypeVar("Row")


class Worker:
    """Works until it is cancelled, then ends what it has begun."""

    def __init__(self, parts: WorkerParts) -> None:
        """Use `parts`."""
        self._parts = parts
        self._working = Working(parts)
        self._tasks: set[asyncio.Task[None]] = set()
        self._inbox_leases: set[Lease] = set()
        self._outbox_leases: set[Lease] = set()
        self._suspected = Hint()
        self._pulse = Pulse(parts.database)
        self._taking_over: asyncio.Task[None] | None = None
        self._gauges = Gauges(parts.database)
        self._engineless_since: datetime | None = None
        self._people_due_at: datetime | None = None

    async def run(self) -> None:
        """Work on both boxes and the timers until cancelled."""
        # Others leave alone what this one has begun until that is over.
        async with self._pulse.beating(self._take_over):
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._take_suspects())
                    for box in self._boxes():
                        group.create_task(self._take(box))
                    group.create_task(self._sweep())
                    # Apart from the sweep: however many tickets are due, leases are renewed in time.
                    group.create_task(self._look_after_tickets())
            finally:
                if self._tasks:
                    await asyncio.wait(self._tasks, timeout=DRAIN_FOR)

    def _boxes(self) -> tuple[Box[InboxRow], Box[OutboxRow], Box[OutboxRow]]:
        hints = self._parts.hints
        incoming = Box(
            hint=hints.inbox,
            claim=inbox.claim,
            claimed=inbox.claimed,
            work=self._work,
            ready_by=self._inbox_ready_by,
        )
        outgoing = Box(
            hint=hints.outbox,
            claim=outbox.claim,
            claimed=outbox.claimed,
            work=self._send,
            ready_by=_now,
            shut=self._parts.breakers.shut,
        )
        # A box of their own: a desk that hangs must not keep customers waiting.
        posts = replace(outgoing, hint=hints.desk, claim=joining.claim, rest=LOOK_AT_GATES_EVERY)
        return incoming, outgoing, posts

    async def release_all(self) -> None:
        """Make every claimed row pending again at once; only when no other worker can be alive."""
        await self._release(is_alone=True)

    async def _take(self, box: Box[Any]) -> None:
        active: set[asyncio.Task[None]] = set()
        claiming = self._claiming(box)

        def begin(rows: list[Any]) -> int:
            for row in rows:
                task = self._begin(box, row)
                active.add(task)
                task.add_done_callback(active.discard)
            return len(rows)

        while True:
            await self._parts.rush.over(MAKES_WAY_FOR)
            free = self._parts.concurrency - len(active)
            count = await self._claim(claiming, free, begin) if free > 0 else 0
            # A claim that could have taken more has left nothing behind: what follows comes with a hint.
            if not count or count < free:
                await asyncio.sleep(box.rest)
                await box.hint.wait(LOOK_EVERY)

    async def _take_suspects(self) -> None:
        """Work on what may have killed a worker, of both boxes one row at a time: if one did, it is that one again."""
        incoming, outgoing, _ = self._boxes()
        messages = self._claiming(replace(incoming, claim=inbox.claim_suspects))
        answers = self._claiming(replace(outgoing, claim=outbox.claim_suspects))
        while True:
            if not await self._take_one(messages) + await self._take_one(answers):
                await self._suspected.wait(LOOK_EVERY)

    async def _take_one(self, claiming: Claiming[Row]) -> int:
        """Work on one row, if there is one, to its end; return how many there were."""
        begun: list[asyncio.Task[None]] = []

        def begin(rows: list[Row]) -> int:
            begun.extend(self._begin(claiming.box, row) for row in rows)
            return len(rows)

        count = await self._claim(claiming, 1, begin)
        if begun:
            await asyncio.wait(begun)
        return count

    def _claiming(self, box: Box[Row]) -> Claiming[Row]:
        return Claiming(self._parts.database, box, lambda: self._pulse.signature)

    def _begin(self, box: Box[Row], row: Row) -> asyncio.Task[None]:
        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            box.hint.give()

        task = asyncio.create_task(box.work(row))
        self._tasks.add(task)
        task.add_done_callback(ended)
        return task

    async def _claim(self, claiming: Claiming[Row], limit: int, begin: Callable[[list[Row]], int]) -> int:
        """Begin work on up to `limit` rows and return how many there were."""
        now = self._parts.clock.now()
        ready_by = claiming.box.ready_by(now)
        if ready_by is None:
            return 0
        lease_for = LEASE_FOR + (now - ready_by)
        attempt = asyncio.create_task(claiming.claim(ready_by, lease_for, limit))
        try:
            return begin(await asyncio.shield(attempt))
        except DatabaseAwayError:
            return 0
        except SQLAlchemyError:
            log.exception("claim_failed")
            return 0
        except asyncio.CancelledError:
            # What is claimed by now counts as perhaps sent: a stopping worker sees it to its end.
            try:
                begin(await attempt)
            except SQLAlchemyError:
                with suppress(SQLAlchemyError):
                    begin(await claiming.claim(ready_by, lease_for, 0))
            raise

    def _inbox_ready_by(self, now: datetime) -> datetime | None:
        """Return until when a message must have become ready to be taken now; none: none is taken.

        Without an engine a worker would take messages away from those that have one, and fail. It takes what nobody
        else took for a while: what agents and their customers say needs no engine.
        """
        if self._parts.has_engine():
            self._engineless_since = None
            return now
        self._engineless_since = self._engineless_since or now
        is_patient = now - self._engineless_since < ENGINE_WITHIN
        return None if is_patient else now - ENGINE_WITHIN

    async def _work(self, row: InboxRow) -> None:
        with _held(self._inbox_leases, row.lease):
            await self._working.work(row)

    async def _send(self, row: OutboxRow) -> None:
        with _held(self._outbox_leases, row.lease):
            await self._working.send(row)

    async def _sweep(self) -> None:
        while True:
            try:
                await self._renew()
                await self._release(is_alone=False)
                now, boxes = self._parts.clock.now(), (inbox_table, outbox_table)
                await self._parts.database.write(lanes.bring_forward, boxes, now)
                if await self._parts.database.write(fire_timers, now):
                    self._parts.hints.inbox.give()
                if self._parts.watch is not None:
                    await self._parts.watch.look(self._parts.writer())
                await self._gauges.measure(self._parts.clock.now())
            except SQLAlchemyError:
                log.exception("sweep_failed")
            await asyncio.sleep(SWEEP_EVERY)

    async def _look_after_tickets(self) -> None:
        while True:
            try:
                await self._keep_promises()
            except SQLAlchemyError:
                log.exception("tickets_not_looked_after")
            await asyncio.sleep(SWEEP_EVERY)

    async def _keep_promises(self) -> None:
        """Do what tickets wait for, and give out what somebody has room for."""
        writer = self._parts.writer()
        database = self._parts.database
        if self._people_due_at is None or self._people_due_at <= writer.now:
            self._people_due_at = writer.now + PEOPLE_EVERY
            await routing.dismiss_leavers(database, writer.now, self._parts.may_work)
        due_count = await overdue.sweep(database, writer) + await routing.drain(database, writer, self._parts.may_work)
        if due_count + await places.tell(database, writer):
            self._parts.hints.outbox.give()
            self._parts.hints.desk.give()
            self._parts.changed()

    async def _renew(self) -> None:
        until = self._parts.clock.now() + LEASE_FOR
        for table, leases in ((inbox_table, self._inbox_leases), (outbox_table, self._outbox_leases)):
            if leases:
                # However much waits for the database: what is late with this loses what it has in work.
                await self._parts.database.write_first("", lanes.renew, table, tuple(leases), until)

    def _take_over(self, gone: frozenset[str]) -> None:
        """Take from workers that are gone what they had in work, unless that is under way."""
        if self._taking_over is None or self._taking_over.done():
            log.warning("workers_gone", workers=sorted(gone))
            self._taking_over = asyncio.create_task(self._release_from(gone))

    async def _release_from(self, gone: frozenset[str]) -> None:
        # Where it cannot be done now, the pulse tells again.
        with suppress(SQLAlchemyError):
            await self._release(is_alone=False, gone=gone)

    async def _release(self, *, is_alone: bool, gone: frozenset[str] = frozenset()) -> None:
        ours = frozenset(lease.token for lease in self._inbox_leases | self._outbox_leases)
        which = Release(now=self._parts.clock.now(), is_alone=is_alone, gone=gone, ours=ours)
        _log_release("inbox", await self._parts.database.write(release_inbox, self._parts.writer(), which))
        _log_release("outbox", await self._parts.database.write(release_outbox, self._parts.writer(), which))
        self._suspected.give()


def _log_release(box: str, released: Released[InboxRow] | Released[OutboxRow]) -> None:
    for row in released.pending:
        log.warning("row_released", box=box, row=row.lease.row_id, kind=row.kind)
    for row in released.dead:
        log.error("dead_letter", box=box, row=row.lease.row_id, kind=row.kind, error="its worker died")


def _now(now: datetime) -> datetime:
    return now


@contextmanager
def _held(leases: set[Lease], lease: Lease) -> Iterator[None]:
    """Keep a lease among those that are renewed for as long as the context lasts."""
    leases.add(lease)
    try:
        yield
    finally:
        leases.discard(lease)
