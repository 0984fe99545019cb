"""The loops that take rows out of the boxes and see them to an end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from bot import tracing
from bot.domain.errors import OwnerChangedError, StaleLeaseError
from bot.domain.ports import Clock
from bot.domain.retry import DESK_RETRY, SEND_RETRY, TURN_RETRY
from bot.domain.rules import Rules
from bot.domain.shifts import MayWork, anybody
from bot.pipeline import overdue, places, routing
from bot.pipeline.alarms import DeskWatch
from bot.pipeline.breakers import Breakers
from bot.pipeline.converse import Conversing
from bot.pipeline.deliver import Delivering
from bot.pipeline.effects import record_receipt
from bot.pipeline.elsewhere import record_echo, record_reaction
from bot.pipeline.firing import fire_timers
from bot.pipeline.gauges import Gauges
from bot.pipeline.giving_up import bury_message, bury_outgoing, release_inbox, release_outbox
from bot.pipeline.outgoing import DeskAddress, Writer
from bot.pipeline.rush import Rush
from bot.store import inbox, joining, lanes, outbox
from bot.store.availability import DatabaseAwayError
from bot.store.database import Database
from bot.store.hints import Hint, Hints
from bot.store.inbox import InboxKind, InboxRow
from bot.store.lanes import Lease, Release, Released
from bot.store.outbox import OutboxRow
from bot.store.schema import inbox as inbox_table
from bot.store.schema import outbox as outbox_table

log = structlog.get_logger()

#: Leases are renewed at every sweep, so they end only when their worker is dead, or stuck. Where one of several workers
#: dies, its customers wait this long.
LEASE_FOR = timedelta(seconds=10)
#: Longer than anything a row asks for may take, in seconds; what takes longer is stuck, and cancelled.
WORK_FOR = 600.0
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
OWNER_CHANGES_MAX = 5

P = ParamSpec("P")
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
    #: how tickets are worked
    rules: Rules = field(default_factory=Rules)
    #: none: nobody is told how the desk is
    watch: DeskWatch | None = None
    #: whether an agent whom a ticket could be given to still works here
    may_work: MayWork = anybody
    #: whether this worker's engine answers now
    has_engine: Callable[[], bool] = lambda: True
    #: what is sent to an account that none of them comes through to is left alone
    breakers: Breakers = field(default_factory=Breakers)
    #: what is being taken in goes before new turns
    rush: Rush = field(default_factory=Rush)
    #: called after each commit that changed what agents see
    changed: Callable[[], None] = lambda: None


@dataclass(frozen=True, kw_only=True)
class _Box(Generic[Row]):
    """One box as a worker sees it."""

    hint: Hint
    claim: Callable[[Connection, datetime, timedelta, int], list[Row]]
    work: Callable[[Row], Coroutine[Any, Any, None]]
    #: given the time, until when a row must have become ready to be taken; none: none is taken
    ready_by: Callable[[datetime], datetime | None]
    #: seconds between two looks at least
    rest: float = 0.0


class Worker:
    """Works until it is cancelled, then ends what it has begun."""

    def __init__(self, parts: WorkerParts) -> None:
        """Use `parts`."""
        self._parts = parts
        self._tasks: set[asyncio.Task[None]] = set()
        self._inbox_leases: set[Lease] = set()
        self._outbox_leases: set[Lease] = set()
        self._suspected = Hint()
        self._gauges = Gauges(parts.database)
        self._engineless_since: datetime | None = None
        self._people_due_at: datetime | None = None

    async def run(self) -> None:
        """Work on both boxes and the timers until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._take_suspects())
                hints = self._parts.hints
                incoming = _Box(hint=hints.inbox, claim=inbox.claim, work=self._work, ready_by=self._inbox_ready_by)
                outgoing = _Box(hint=hints.outbox, claim=self._claim_outgoing, work=self._send, ready_by=_now)
                # A box of their own: a desk that hangs must not keep customers waiting.
                posts = _Box(
                    hint=hints.desk, claim=joining.claim, work=self._send, ready_by=_now, rest=LOOK_AT_GATES_EVERY
                )
                group.create_task(self._take(incoming))
                group.create_task(self._take(outgoing))
                group.create_task(self._take(posts))
                group.create_task(self._sweep())
                # Apart from the sweep: however many tickets are due, leases are renewed in time.
                group.create_task(self._look_after_tickets())
        finally:
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=DRAIN_FOR)

    async def release_all(self) -> None:
        """Make every claimed row pending again at once; only when no other worker can be alive."""
        await self._release(is_alone=True)

    async def _take(self, box: _Box[Row]) -> None:
        active: set[asyncio.Task[None]] = set()

        def begin(rows: list[Row]) -> int:
            for row in rows:
                task = self._begin(box, row)
                active.add(task)
                task.add_done_callback(active.discard)
            return len(rows)

        while True:
            await self._parts.rush.over(MAKES_WAY_FOR)
            free = self._parts.concurrency - len(active)
            count = await self._claim(box, free, begin) if free > 0 else 0
            # A claim that could have taken more has left nothing behind: what follows comes with a hint.
            if not count or count < free:
                await asyncio.sleep(box.rest)
                await box.hint.wait(LOOK_EVERY)

    async def _take_suspects(self) -> None:
        """Work on what may have killed a worker, of both boxes one row at a time: if one did, it is that one again."""
        hints = self._parts.hints
        incoming = _Box(hint=hints.inbox, claim=inbox.claim_suspects, work=self._work, ready_by=self._inbox_ready_by)
        outgoing = _Box(hint=hints.outbox, claim=outbox.claim_suspects, work=self._send, ready_by=_now)
        while True:
            if not await self._take_one(incoming) + await self._take_one(outgoing):
                await self._suspected.wait(LOOK_EVERY)

    async def _take_one(self, box: _Box[Row]) -> int:
        """Work on one row, if there is one, to its end; return how many there were."""
        begun: list[asyncio.Task[None]] = []

        def begin(rows: list[Row]) -> int:
            begun.extend(self._begin(box, row) for row in rows)
            return len(rows)

        count = await self._claim(box, 1, begin)
        if begun:
            await asyncio.wait(begun)
        return count

    def _begin(self, box: _Box[Row], row: Row) -> asyncio.Task[None]:
        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            box.hint.give()

        task = asyncio.create_task(box.work(row))
        self._tasks.add(task)
        task.add_done_callback(ended)
        return task

    async def _claim(self, box: _Box[Row], limit: int, begin: Callable[[list[Row]], int]) -> int:
        """Begin work on up to `limit` rows and return how many there were."""
        now = self._parts.clock.now()
        ready_by = box.ready_by(now)
        if ready_by is None:
            return 0
        claiming = asyncio.create_task(
            self._parts.database.write_together("", box.claim, ready_by, LEASE_FOR + (now - ready_by), limit)
        )
        try:
            return begin(await asyncio.shield(claiming))
        except DatabaseAwayError:
            return 0
        except SQLAlchemyError:
            log.exception("claim_failed")
            return 0
        except asyncio.CancelledError:
            # What is claimed by now counts as perhaps sent: a stopping worker sees it to its end.
            with suppress(SQLAlchemyError):
                begin(await claiming)
            raise

    def _claim_outgoing(
        self, connection: Connection, now: datetime, lease_for: timedelta, limit: int
    ) -> list[OutboxRow]:
        shut = self._parts.breakers.shut()
        if shut:
            return outbox.claim_beside(connection, now, lease_for, limit, shut)
        return outbox.claim(connection, now, lease_for, limit)

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
        with structlog.contextvars.bound_contextvars(message=row.message_id), _held(self._inbox_leases, row.lease):
            try:
                with tracing.span("turn", row.message_id, kind=row.kind.value, attempt=row.attempt_count):
                    async with asyncio.timeout(WORK_FOR):
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
            case InboxKind.REACTION:
                await self._parts.database.write(record_reaction, self._writer(), row)
            case InboxKind.WITHDRAWAL:
                await self._parts.conversing.take_back(row)
            case InboxKind.ECHO:
                await self._parts.database.write(record_echo, self._writer(), row)
            case InboxKind.DESK:
                if self._parts.desk_events is not None:
                    await self._parts.desk_events(row.body)
                await self._parts.database.write(inbox.finish, row.lease, self._parts.clock.now())

    async def _send(self, row: OutboxRow) -> None:
        with structlog.contextvars.bound_contextvars(message=row.message_id), _held(self._outbox_leases, row.lease):
            try:
                with tracing.span("send", tracing.cause_of(row.key), kind=row.kind.value, attempt=row.attempt_count):
                    async with asyncio.timeout(WORK_FOR):
                        await self._parts.delivering.deliver(row)
            except StaleLeaseError:
                log.warning("lease_lost", box="outbox", row=row.lease.row_id)
            except Exception as error:
                log.exception("work_failed", box="outbox", kind=row.kind)
                await self._send_again(row, repr(error))

    async def _try_again(self, row: InboxRow, error: str) -> None:
        now = self._parts.clock.now()
        policy = DESK_RETRY if row.kind is InboxKind.DESK else TURN_RETRY
        delay = policy.delay(row.attempt_count, None, self._parts.dice)
        if delay is not None:
            await self._record(row.lease, inbox.defer, row.lease, now + delay, error)
            return
        log.error("dead_letter", box="inbox", row=row.lease.row_id, kind=row.kind, error=error)
        await self._record(row.lease, bury_message, self._writer(), row, error)

    async def _send_again(self, row: OutboxRow, error: str) -> None:
        now = self._parts.clock.now()
        delay = SEND_RETRY.delay(row.attempt_count, None, self._parts.dice)
        if delay is not None:
            await self._record(row.lease, outbox.defer_ambiguous, row.lease, now + delay, error)
            return
        log.error("dead_letter", box="outbox", row=row.lease.row_id, kind=row.kind, error=error)
        await self._record(row.lease, bury_outgoing, self._writer(), row, error)

    async def _record(
        self, lease: Lease, body: Callable[Concatenate[Connection, P], None], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Write down a failure; if even that fails, the lease lapses and the row is taken up again."""
        try:
            await self._parts.database.write(body, *args, **kwargs)
        except (SQLAlchemyError, StaleLeaseError):
            log.exception("failure_not_recorded", row=lease.row_id)

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
                    await self._parts.watch.look(self._writer())
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
        writer = self._writer()
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
                await self._parts.database.write(lanes.renew, table, tuple(leases), until)

    async def _release(self, *, is_alone: bool) -> None:
        which = Release(now=self._parts.clock.now(), is_alone=is_alone)
        _log_release("inbox", await self._parts.database.write(release_inbox, self._writer(), which))
        _log_release("outbox", await self._parts.database.write(release_outbox, self._writer(), which))
        self._suspected.give()

    def _writer(self) -> Writer:
        return Writer(now=self._parts.clock.now(), desk=self._parts.desk, rules=self._parts.rules)


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
