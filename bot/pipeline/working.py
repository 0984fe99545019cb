"""What a claimed row asks for, done to its end: handled or sent, else tried again later, else given up to people."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Concatenate, ParamSpec

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from bot import tracing
from bot.domain.errors import OwnerChangedError, StaleLeaseError
from bot.domain.retry import DESK_RETRY, SEND_RETRY, TURN_RETRY
from bot.pipeline.effects import record_receipt
from bot.pipeline.elsewhere import record_echo, record_reaction
from bot.pipeline.giving_up import bury_message, bury_outgoing
from bot.pipeline.worker_parts import WorkerParts
from bot.store import inbox, outbox
from bot.store.inbox import InboxKind, InboxRow
from bot.store.lanes import Lease
from bot.store.outbox import OutboxRow

log = structlog.get_logger()

#: Longer than anything a row asks for may take, in seconds; what takes longer is stuck, and cancelled.
WORK_FOR = 600.0
OWNER_CHANGES_MAX = 5

P = ParamSpec("P")


class Working:
    """Sees rows that a worker has claimed to an end."""

    def __init__(self, parts: WorkerParts) -> None:
        """Use `parts`."""
        self._parts = parts

    async def work(self, row: InboxRow) -> None:
        """Do what a row of the inbox asks for; what fails is tried again later, and in the end left to people."""
        with structlog.contextvars.bound_contextvars(message=row.message_id):
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
                await self._parts.database.write(record_receipt, self._parts.writer(), row)
            case InboxKind.REACTION:
                await self._parts.database.write(record_reaction, self._parts.writer(), row)
            case InboxKind.WITHDRAWAL:
                await self._parts.conversing.take_back(row)
            case InboxKind.ECHO:
                await self._parts.database.write(record_echo, self._parts.writer(), row)
            case InboxKind.DESK:
                if self._parts.desk_events is not None:
                    await self._parts.desk_events(row.body)
                await self._parts.database.write(inbox.finish, row.lease, self._parts.clock.now())

    async def send(self, row: OutboxRow) -> None:
        """Send a row of the outbox; what breaks is tried again later, and in the end people are told."""
        with structlog.contextvars.bound_contextvars(message=row.message_id):
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
        await self._record(row.lease, bury_message, self._parts.writer(), row, error)

    async def _send_again(self, row: OutboxRow, error: str) -> None:
        now = self._parts.clock.now()
        delay = SEND_RETRY.delay(row.attempt_count, None, self._parts.dice)
        if delay is not None:
            await self._record(row.lease, outbox.defer_ambiguous, row.lease, now + delay, error)
            return
        log.error("dead_letter", box="outbox", row=row.lease.row_id, kind=row.kind, error=error)
        await self._record(row.lease, bury_outgoing, self._parts.writer(), row, error)

    async def _record(
        self, lease: Lease, body: Callable[Concatenate[Connection, P], None], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Write down a failure; if even that fails, the lease lapses and the row is taken up again."""
        try:
            await self._parts.database.write(body, *args, **kwargs)
        except (SQLAlchemyError, StaleLeaseError):
            log.exception("failure_not_recorded", row=lease.row_id)
