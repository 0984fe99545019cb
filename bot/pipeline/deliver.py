"""From the outbox to the outside: one claimed row, one result, recorded with everybody told who must know."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from bot import metrics, tracing
from bot.domain.breakers import State
from bot.domain.channels import ChannelAddress
from bot.domain.connectors import (
    Ambiguous,
    Connector,
    ConnectorRegistry,
    Permanent,
    Refusal,
    RepliesPrivately,
    Retry,
    SendOperation,
    SendResult,
    SendText,
    Sent,
)
from bot.domain.desk import DeskPoster
from bot.domain.errors import DirectoryUnavailableError
from bot.domain.file_links import FileLinks
from bot.domain.messages import Attachment, OutboundMessage
from bot.domain.ports import BusinessCommands, Clock
from bot.domain.retry import SEND_RETRY
from bot.domain.rules import Rules
from bot.domain.windows import admit
from bot.pipeline import amending, phrases
from bot.pipeline.accounts import Accounts
from bot.pipeline.breakers import Breakers
from bot.pipeline.drafts import leave_to_people
from bot.pipeline.effects import record_command, record_piece, record_sent
from bot.pipeline.giving_up import give_up_outgoing
from bot.pipeline.inviting import ask_in_public, record_asked
from bot.pipeline.outgoing import DeskAddress, Writer
from bot.pipeline.posting import Posting, PostingParts
from bot.store import aliases, conversations, lanes, outbox
from bot.store.codec import OUTBOUND
from bot.store.database import Database
from bot.store.outbox import OutboxKind, OutboxRow
from bot.store.schema import outbox as outbox_table

log = structlog.get_logger()

#: What a row waits for whose call was not made.
HELD_BACK = "nothing went through to its account lately"
#: Seconds for which a claimed row is certainly ours: others wait for longer before they take one.
SURE_FOR = 1.0
#: Seconds after which it is mostly known what came of a probe.
_PROBE_TAKES = 1.0
_OTHERS_FIRST = timedelta(seconds=2)


@dataclass(frozen=True, kw_only=True)
class DeliverParts:
    """What delivering needs."""

    database: Database
    clock: Clock
    connectors: ConnectorRegistry
    commands: BusinessCommands
    #: none: no desk is posted to
    poster: DeskPoster | None
    desk: DeskAddress | None
    dice: random.Random
    #: how tickets are worked
    rules: Rules = field(default_factory=Rules)
    #: channels on which a message that may have arrived is sent again rather than shown to a person
    resending: frozenset[str] = frozenset()
    #: hears of accounts that nothing goes through
    accounts: Accounts = field(default_factory=Accounts)
    #: holds back calls to accounts that none comes through to
    breakers: Breakers = field(default_factory=Breakers)
    #: makes files reachable for channels that fetch them; none: nothing can reach us
    file_links: FileLinks | None = None
    #: called after each commit that changed what agents or customers see
    changed: Callable[[], None] = lambda: None


class Delivering:
    """Works on rows of the outbox."""

    def __init__(self, parts: DeliverParts) -> None:
        """Use `parts`."""
        self._parts = parts

    async def deliver(self, row: OutboxRow) -> None:
        """Make the row's calls and record what came of them; raises `StaleLeaseError` when another has the row."""
        match row.kind:
            case OutboxKind.MESSAGE:
                await self._message(row)
            case OutboxKind.DESK:
                await self._desk_post(row)
            case OutboxKind.COMMAND:
                await self._command(row)
            case OutboxKind.AMENDMENT:
                await self._amendment(row)
        self._parts.changed()

    async def _message(self, row: OutboxRow) -> None:
        address = ChannelAddress.parse(row.address)
        connector = self._parts.connectors.find(address.channel, address.account)
        if connector is None:
            await self._refuse(row, f"{address.channel}/{address.account} is not connected any more")
            return
        message: OutboundMessage = OUTBOUND.validate_python(row.body)
        if connector.capabilities.is_public and not self._parts.rules.public.allows(message):
            await self._refuse(row, phrases.NOT_FOR_PUBLIC)
            return
        if message.invitation:
            await self._ask_privately(row, connector, message)
            return
        message = replace(message, attachments=self._linked(message.attachments))
        admitted = await self._admit(row, connector, message)
        if isinstance(admitted, Refusal):
            await self._leave_to_people(row, message, admitted.reason)
            return
        planned = connector.plan(admitted, await self._reached_at(connector, address))
        if isinstance(planned, Refusal):
            await self._refuse(row, planned.reason)
            return
        can_repeat = connector.capabilities.is_send_idempotent or address.channel in self._parts.resending
        if row.is_ambiguous and not can_repeat:
            await self._give_up(row, "it may or may not have arrived", "held")
            return
        external_id = await self._send_all(row, connector, await self._with_doubts(row, planned))
        if external_id is not None:
            await self._parts.database.write_together(row.address, record_sent, self._writer(), row, external_id)
            metrics.SENT.labels(row.kind, "sent").inc()

    async def _ask_privately(self, row: OutboxRow, connector: Connector, message: OutboundMessage) -> None:
        """Ask somebody who wrote in public where only they read it; in public, where the channel does not let us.

        What channels promise of repeats they promise of what is public: this is made once.
        """
        if row.is_ambiguous:
            await self._give_up(row, "it may or may not have arrived", "held")
            return
        address, account = ChannelAddress.parse(row.address), account_of(row.address)
        if not self._parts.breakers.of(account).admit():
            await self._hold_back(row, account, is_ambiguous=False)
            return
        asked = SendText(address=address, text=message.text, author=message.author, reply_context=message.reply_context)
        result: SendResult = Permanent(reason="the channel is not answered in private any more")
        await self._make_sure(row)
        if isinstance(connector, RepliesPrivately):
            result = await connector.reply_privately(asked, f"{row.key}:0")
        self._parts.accounts.note(connector, result)
        self._note(row, account, result)
        match result:
            case Sent():
                await self._parts.database.write(record_asked, self._writer(), row, message, result)
                metrics.SENT.labels(row.kind, "sent").inc()
            case Permanent(reason=reason, is_account=False):
                log.info("not_asked_privately", row=row.lease.row_id, reason=reason)
                await self._parts.database.write(ask_in_public, self._writer(), row, message, reason)
            case _:
                await self._not_sent(row, result, can_repeat=False, was_in_doubt=False)

    def _linked(self, files: tuple[Attachment, ...]) -> tuple[Attachment, ...]:
        """Return files with their links: the same at each attempt of a day, and of one length always."""
        links, now = self._parts.file_links, self._parts.clock.now()
        return files if links is None else tuple(replace(each, link=links.link(each.media_id, now)) for each in files)

    async def _admit(self, row: OutboxRow, connector: Connector, message: OutboundMessage) -> OutboundMessage | Refusal:
        """Return what may leave now that the customer has been silent for a while, with what it has to carry.

        That is the same at each attempt: what is made again with other words to carry could be shown again.
        """
        can = connector.capabilities
        if not can.has_reply_context:
            message = replace(message, reply_context={})
        if row.conversation_id is None or can.reply_window is None:
            return message
        conversation = await self._parts.database.read(conversations.get, row.conversation_id)
        return admit(message, can, self._parts.clock.now() - conversation.last_inbound_at)

    async def _with_doubts(self, row: OutboxRow, planned: tuple[SendOperation, ...]) -> tuple[SendOperation, ...]:
        """Return the calls, that which may have been made already with since when."""
        if not row.is_ambiguous:
            return planned
        since, next_one = await self._parts.database.read(outbox.in_doubt_since, row), row.progress
        doubtful = (replace(each, in_doubt_since=since) for each in planned[next_one : next_one + 1])
        return (*planned[:next_one], *doubtful, *planned[next_one + 1 :])

    async def _reached_at(self, connector: Connector, address: ChannelAddress) -> ChannelAddress:
        if not connector.capabilities.has_renamings:
            return address
        return await self._parts.database.read(aliases.reached_at, address)

    async def _leave_to_people(self, row: OutboxRow, message: OutboundMessage, reason: str) -> None:
        log.warning("reply_window_shut", row=row.lease.row_id, author=message.author, reason=reason)
        await self._parts.database.write(leave_to_people, self._writer(), row, message, reason)
        metrics.SENT.labels(row.kind, "dead").inc()

    async def _send_all(self, row: OutboxRow, connector: Connector, planned: tuple[SendOperation, ...]) -> str | None:
        """Make the calls still to be made; return the last one's external id, or none when the row waits or ended."""
        external_id = ""
        account = account_of(row.address)
        for index in range(row.progress, len(planned)):
            was_in_doubt = row.is_ambiguous and index == row.progress
            if not self._parts.breakers.of(account).admit():
                await self._hold_back(row, account, is_ambiguous=was_in_doubt)
                return None
            await self._make_sure(row)
            with tracing.span("call", tracing.cause_of(row.key), channel=str(connector.channel), index=index):
                result = await connector.send(planned[index], f"{row.key}:{index}")
            self._parts.accounts.note(connector, result)
            self._note(row, account, result)
            if not isinstance(result, Sent):
                can_repeat = connector.capabilities.is_send_idempotent or connector.channel in self._parts.resending
                await self._not_sent(row, result, can_repeat=can_repeat, was_in_doubt=was_in_doubt)
                return None
            external_id = result.external_id
            if index + 1 < len(planned):
                await self._parts.database.write(record_piece, row, index + 1, external_id)
        return external_id

    async def _make_sure(self, row: OutboxRow) -> None:
        """Before a call, ask whether a row is still ours that was claimed a while ago; raises `StaleLeaseError`.

        This process may have stood still meanwhile, and others have taken it for dead.
        """
        if time.monotonic() - row.lease.since > SURE_FOR:
            await self._parts.database.read(lanes.confirm, outbox_table, row.lease)

    async def _amendment(self, row: OutboxRow) -> None:
        address = ChannelAddress.parse(row.address)
        connector = self._parts.connectors.find(address.channel, address.account)
        if connector is None or row.message_id is None or row.conversation_id is None:
            await self._give_up(row, "the channel is not connected any more", "dead")
            return
        if connector.capabilities.is_public and row.body["text"] and not row.body.get("is_known_public"):
            await self._give_up(row, phrases.NOT_FOR_PUBLIC, "dead")
            return
        sent = await self._parts.database.read(amending.read_sent, row.conversation_id, row.message_id)
        if sent is not None:
            sent = replace(sent, line=replace(sent.line, attachments=self._linked(sent.line.attachments)))
        changes = amending.plan_changes(connector, sent, row.body["text"], address)
        if isinstance(changes, Refusal):
            await self._give_up(row, changes.reason, "dead")
            return
        can_repeat = connector.capabilities.is_send_idempotent or address.channel in self._parts.resending
        for index, change in enumerate(changes[row.progress :], row.progress):
            # What is changed already stays so: a change may be repeated on any channel, but not one more message.
            is_safe = can_repeat or not change.is_new
            if row.is_ambiguous and index == row.progress and not is_safe:
                await self._give_up(row, "the rest of it may or may not have arrived", "held")
                return
            was_in_doubt = row.is_ambiguous and index == row.progress
            account = account_of(row.address)
            if not self._parts.breakers.of(account).admit():
                await self._hold_back(row, account, is_ambiguous=was_in_doubt)
                return
            await self._make_sure(row)
            result = await change.make(connector, address, f"{row.key}:{index}")
            self._note(row, account, result)
            if not isinstance(result, Sent):
                await self._not_sent(row, result, can_repeat=is_safe, was_in_doubt=was_in_doubt)
                return
            new_piece = result.external_id if change.is_new else None
            await self._parts.database.write(amending.record_change, row, index + 1, new_piece)
        await self._parts.database.write(amending.record_amended, self._writer(), row, amending.kept(sent, changes))
        metrics.SENT.labels(row.kind, "sent").inc()

    def _note(self, row: OutboxRow, account: str, result: SendResult) -> None:
        """Take in what came of a call: an answer, be it a refusal or that we are too fast, shows that all is well."""
        breaker = self._parts.breakers.of(account)
        if isinstance(result, Ambiguous) or (isinstance(result, Retry) and result.after is None):
            breaker.failed(row.key, result.reason)
        else:
            breaker.succeeded()

    async def _hold_back(self, row: OutboxRow, account: str, *, is_ambiguous: bool) -> None:
        """Let a row wait whose call was not made; nothing is counted, and what was in doubt stays so."""
        await self._parts.database.write(_defer_uncounted, row, self._until(account), HELD_BACK, is_ambiguous)
        metrics.SENT.labels(row.kind, "deferred").inc()

    def _until(self, account: str) -> datetime:
        """Return until when a row of an account waits whose breaker is not closed: a little longer than its probe."""
        pause = max(self._parts.breakers.of(account).pauses_for, _PROBE_TAKES) + self._parts.dice.uniform(0, 1)
        return self._parts.clock.now() + timedelta(seconds=pause)

    async def _desk_post(self, row: OutboxRow) -> None:
        if self._parts.poster is None:
            await self._give_up(row, "no desk is connected", "dead")
            return
        parts = PostingParts(
            database=self._parts.database, poster=self._parts.poster, writer=self._writer, dice=self._parts.dice
        )
        await Posting(parts).post(row)

    async def _command(self, row: OutboxRow) -> None:
        account = account_of(row.address)
        if not self._parts.breakers.of(account).admit():
            await self._hold_back(row, account, is_ambiguous=row.is_ambiguous)
            return
        try:
            result = await self._parts.commands.execute(str(row.body["name"]), dict(row.body["arguments"]), row.key)
        except DirectoryUnavailableError as error:
            failure = Retry(reason=str(error))
            self._note(row, account, failure)
            await self._not_sent(row, failure, can_repeat=True, was_in_doubt=row.is_ambiguous)
            return
        self._parts.breakers.of(account).succeeded()
        await self._parts.database.write(record_command, self._writer(), row, result)
        metrics.SENT.labels(row.kind, "done" if result.is_done else "refused").inc()

    async def _not_sent(self, row: OutboxRow, result: SendResult, *, can_repeat: bool, was_in_doubt: bool) -> None:
        """Record what came of a call; a refusal for now leaves a doubt about an earlier one what it was."""
        log.warning(
            "send_failed", row=row.lease.row_id, kind=row.kind, result=type(result).__name__, reason=_reason(result)
        )
        match result:
            case Permanent(reason=reason):
                # What may have arrived before it was refused has not been refused.
                await self._give_up(row, reason, "held" if was_in_doubt else "dead")
            case Ambiguous(reason=reason, is_repeatable=True):
                await self._defer(row, reason, None, in_the_end="held")
            case Ambiguous(reason=reason) if not can_repeat:
                await self._give_up(row, reason, "held")
            case Ambiguous(reason=reason):
                await self._defer(row, reason, None, is_ambiguous=True, in_the_end="held")
            case Retry(reason=reason, after=after):
                in_the_end = "held" if was_in_doubt else "dead"
                await self._defer(row, reason, after, is_ambiguous=was_in_doubt, in_the_end=in_the_end)
            case Sent():
                raise AssertionError("a sent message was not recorded as such")

    async def _defer(
        self, row: OutboxRow, reason: str, after: timedelta | None, *, in_the_end: str, is_ambiguous: bool = False
    ) -> None:
        account = account_of(row.address)
        if after is None and self._parts.breakers.of(account).state is not State.CLOSED:
            # Whatever had been tried would have failed. The others are tried first, as one that always fails may be
            # to blame itself.
            until = self._until(account) + _OTHERS_FIRST
            await self._parts.database.write(_defer_uncounted, row, until, reason, is_ambiguous)
            metrics.SENT.labels(row.kind, "deferred").inc()
            return
        delay = SEND_RETRY.delay(row.attempt_count, after, self._parts.dice)
        if delay is None:
            await self._give_up(row, reason, in_the_end)
            return
        until = self._parts.clock.now() + delay
        await self._parts.database.write(outbox.defer, row.lease, until, reason, is_ambiguous=is_ambiguous)
        metrics.SENT.labels(row.kind, "deferred").inc()

    async def _give_up(self, row: OutboxRow, reason: str, state: str) -> None:
        log.error("dead_letter", box="outbox", row=row.lease.row_id, kind=row.kind, state=state, reason=reason)
        await self._parts.database.write(give_up_outgoing, self._writer(), row, reason, state)
        metrics.SENT.labels(row.kind, state).inc()

    async def _refuse(self, row: OutboxRow, reason: str) -> None:
        """Give up on a row before its call; what may have left in an earlier life has not been refused by that."""
        await self._give_up(row, reason, "held" if row.is_ambiguous else "dead")

    def _writer(self) -> Writer:
        return Writer(now=self._parts.clock.now(), desk=self._parts.desk, rules=self._parts.rules)


def account_of(address: str) -> str:
    """Return what goes in and out together: of an address of the outbox, the channel and the account."""
    return "/".join(address.split("/", 2)[:2])


def _defer_uncounted(connection: Connection, row: OutboxRow, until: datetime, reason: str, is_ambiguous: bool) -> None:
    outbox.forget_attempt(connection, row)
    outbox.defer(connection, row.lease, until, reason, is_ambiguous=is_ambiguous)


def _reason(result: SendResult) -> str:
    return result.external_id if isinstance(result, Sent) else result.reason
