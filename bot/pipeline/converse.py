"""From the inbox to the outbox: one message becomes one turn, decided by whoever owns the conversation."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import structlog
from sqlalchemy import Connection

from bot.dialogue.client import Engine
from bot.dialogue.wire import ProofAttempt, Turn
from bot.domain import invitations
from bot.domain.channels import ChannelAddress
from bot.domain.connectors import (
    Acknowledging,
    Connector,
    ConnectorRegistry,
    FetchesMedia,
    KnowsNames,
    MarksRead,
    ShowsTyping,
)
from bot.domain.conversations import Owner
from bot.domain.customers import CustomerId, OrderNumber
from bot.domain.errors import (
    DirectoryUnavailableError,
    EngineDiedError,
    EngineError,
    EngineUnavailableError,
    MediaError,
    SupersededError,
)
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.messages import Attachment, Author, InboundMessage, Meaning, MessageId, OutboundMessage
from bot.domain.ports import Clock, CustomerDirectory, MediaStore
from bot.domain.retry import CRASHES_MAX, ENGINE_OUTAGE, RetryPolicy
from bot.domain.rules import Rules
from bot.pipeline import bursts, phrases, promises
from bot.pipeline.aftercare import answer_aftercare
from bot.pipeline.background import Background
from bot.pipeline.bursts import Burst, Pauses, read_burst
from bot.pipeline.elsewhere import record_withdrawal, withdrawn_files
from bot.pipeline.giving_up import give_up_message
from bot.pipeline.handing_off import hand_off
from bot.pipeline.inviting import expected, join
from bot.pipeline.naming import Naming
from bot.pipeline.outgoing import DeskAddress, Writer
from bot.pipeline.public import Publicly
from bot.pipeline.relaying import Relaying, RelayParts
from bot.pipeline.situation import Situation, read_situation
from bot.pipeline.turns import Decision, commit_turn
from bot.pipeline.waiting import outlook
from bot.store import conversations, inbox, tickets, transcript
from bot.store.codec import INBOUND
from bot.store.database import Database
from bot.store.inbox import InboxKind, InboxRow

log = structlog.get_logger()

#: Seconds after which a customer is shown that an answer is being written; most answers are there before.
TYPING_AFTER = 0.3
#: How long a customer waits for a turn before being told that it takes longer.
HOLDING_AFTER = timedelta(seconds=20)
#: A turn that the engine calls failed is tried this often: a broken action rarely mends itself.
FAILED_TURN_RETRY = RetryPolicy(first=timedelta(seconds=0.5), longest=timedelta(seconds=5), attempts_max=3)


@dataclass(frozen=True, kw_only=True)
class ConverseParts:
    """What conversing needs."""

    database: Database
    clock: Clock
    engine: Engine
    directory: CustomerDirectory
    media: MediaStore
    connectors: ConnectorRegistry
    background: Background
    #: none: agents read the database itself
    desk: DeskAddress | None
    dice: random.Random
    #: how tickets are worked
    rules: Rules = field(default_factory=Rules)
    #: how long a customer's next words are waited for, on every channel; none: as each channel says
    debounce: timedelta | None = None
    #: told after how many seconds a row that was held is to be taken up; it is found without that, only later
    wake_in: Callable[[float], object] = lambda _: None


#: A transaction that ends a row's work without a turn.
_Body = Callable[[Connection, Writer, InboxRow, Situation], None]


class Conversing:
    """Works on rows of the inbox."""

    def __init__(self, parts: ConverseParts) -> None:
        """Use `parts`."""
        self._parts = parts
        self._pauses = Pauses(connectors=parts.connectors, chosen=parts.debounce)
        self._naming = Naming(parts.database)
        self._publicly = Publicly(parts.database, parts.engine, parts.directory.order_numbers)
        self._relaying = Relaying(
            RelayParts(
                database=parts.database,
                clock=parts.clock,
                engine=parts.engine,
                directory=parts.directory,
                background=parts.background,
            )
        )

    async def converse(self, row: InboxRow) -> None:
        """Answer, relay or hand over the message of a claimed row, and finish the row in the same commit.

        What its customer writes right behind it is answered with it; what may be but the beginning is held for a while.
        Raises `OwnerChangedError` when the conversation changed hands meanwhile (nothing was written: call it again)
        and `StaleLeaseError` when somebody else has taken the row over.
        """
        if row.kind is InboxKind.TRIGGER:
            await self._trigger(row)
            return
        message: InboundMessage = INBOUND.validate_python(row.body)
        is_ended = False
        while not is_ended:
            try:
                await self._take_up(row, message)
                is_ended = True
            except SupersededError:
                log.info("turn_superseded", message=row.message_id)

    async def _take_up(self, row: InboxRow, message: InboundMessage) -> None:
        pause = self._pauses.at(message.address)
        burst = await self._parts.database.read_together(read_burst, row, message, pause)
        row, situation, message = burst.row, burst.situation, burst.whole
        self._acknowledge(burst)
        if self._parts.rules.public.covers(message.address):
            await self._take_in_public(burst)
            return
        brought = invitations.brought(message.text, message.referral)
        if brought is None and self._parts.rules.public.awaits(message.address):
            brought = await self._parts.database.read(expected, message, self._parts.clock.now())
        if brought is not None:
            words = await self._parts.database.write(join, self._writer(), row, situation.conversation, brought)
            if situation.conversation.owner is not Owner.AGENT:
                if not words:
                    return
                message = replace(message, text=words)
            situation = await self._parts.database.read(read_situation, message.address, message)
        if situation.aftercare is not None:
            await self._write(_answer_aftercare, row, situation)
            return
        attachments = await self._keep_files(burst)
        if situation.conversation.owner is Owner.AGENT:
            await self._relaying.relay(self._writer(), row, situation, message)
        elif message.text or situation.meaning or not attachments:
            await self._answer(row, situation, message)
        elif not await self._hold(row):
            await self._write(_hand_off_files, row, situation)

    async def _hold(self, row: InboxRow) -> bool:
        """Leave a row until its customer has had time to go on; return whether there is any left."""
        now = self._parts.clock.now()
        until = self._pauses.until(row)
        if row.pieces is None or until <= now:
            return False
        await self._parts.database.write(bursts.hold, row, until)
        self._parts.wake_in((until - now).total_seconds())
        return True

    async def _take_in_public(self, burst: Burst) -> None:
        await self._keep_files(burst)
        try:
            await self._publicly.take(self._writer(), burst.row, burst.situation, burst.whole)
        except EngineError as error:
            await self._try_later(burst.row, burst.situation, error)

    async def _trigger(self, row: InboxRow) -> None:
        address = ChannelAddress.parse(row.address)
        situation = await self._parts.database.read(read_situation, address, None)
        is_public = self._parts.rules.public.covers(address)
        if situation.conversation.owner is not Owner.BOT or is_public:
            log.info("trigger_dropped", conversation=situation.conversation.id, owner=situation.conversation.owner)
            await self._parts.database.write(inbox.finish, row.lease, self._parts.clock.now())
            return
        meaning = Meaning(intent=str(row.body["intent"]), entities=dict(row.body["entities"]))
        await self._answer(row, replace(situation, meaning=meaning), None)

    async def _answer(self, row: InboxRow, situation: Situation, message: InboundMessage | None) -> None:
        text = message.text if message else ""
        request = situation.request(row, text, situation.meaning, situation.conversation.owner)
        loop = asyncio.get_running_loop()
        typing = loop.call_later(TYPING_AFTER, self._show_typing, situation.conversation.address)
        try:
            turn = await self._parts.engine.step(request)
        except EngineError as error:
            await self._try_later(row, situation, error)
            return
        finally:
            typing.cancel()
        if bursts.may_go_on(text, turn) and await self._hold(row):
            return
        decision = replace(await self._decide(turn, situation), text=text)
        turn_of = (self._writer(), row, situation.conversation, decision)
        await self._parts.database.write_together(row.address, commit_turn, *turn_of)

    async def _try_later(self, row: InboxRow, situation: Situation, error: EngineError) -> None:
        now = self._parts.clock.now()
        waited = now - row.received_at
        is_outage = isinstance(error, EngineUnavailableError)
        has_died = isinstance(error, EngineDiedError)
        if has_died and row.crash_count + 1 >= CRASHES_MAX:
            delay = None
        elif isinstance(error, EngineUnavailableError):
            # What waited for other reasons before is not given up on for a moment without an engine.
            away_for = waited if error.away_for is None else min(waited, error.away_for)
            delay = ENGINE_OUTAGE.delay(away_for, self._parts.dice)
        else:
            delay = FAILED_TURN_RETRY.delay(row.attempt_count, None, self._parts.dice)
        log.warning("turn_failed", message=row.message_id, attempt=row.attempt_count, error=str(error))
        if delay is None:
            await self._write(_give_up, row, situation)
            return
        if waited > HOLDING_AFTER and situation.conversation.owner is Owner.BOT:
            await self._write(_say_holding, row, situation)
        if is_outage:
            until = now + delay
            await self._parts.database.write(inbox.defer_for_engine, row, until, str(error), has_broken_off=has_died)
        else:
            await self._parts.database.write(inbox.defer, row.lease, now + delay, str(error))

    async def _decide(self, turn: Turn, situation: Situation) -> Decision:
        """Look again at what an action believed: only the brand's records decide who somebody is."""
        proved: CustomerId | None = None
        failed: list[ProofAttempt] = []
        for attempt in turn.proofs:
            try:
                number = OrderNumber(attempt.order_number)
                order = await self._parts.directory.find_order(number, attempt.proof) if attempt.succeeded else None
            except DirectoryUnavailableError:
                continue
            if order is None:
                failed.append(attempt)
            elif proved is None:
                proved = order.customer_id
        tier = await self._tier(situation, proved) if turn.handoff and self._parts.rules.asks_tier else ""
        return Decision(turn=turn, proved=proved, failed_proofs=tuple(failed), tier=tier)

    async def _tier(self, situation: Situation, proved: CustomerId | None) -> str:
        """Return the customer's value to the brand; empty when it is not known."""
        assurance = await self._parts.database.read(conversations.read_assurance, situation.conversation.id)
        customer_id = proved or assurance.customer_id
        try:
            record = await self._parts.directory.record(customer_id) if customer_id else None
        except DirectoryUnavailableError:
            return ""
        return record.customer.tier if record else ""

    async def _keep_files(self, burst: Burst) -> tuple[Attachment, ...]:
        """Keep the messages' files, each once however often this is tried; one that cannot be had is named only."""
        kept: list[Attachment] = []
        for message_id, message in zip(burst.row.message_ids, burst.pieces, strict=True):
            kept += await self._keep_files_of(message_id, message)
        return tuple(kept)

    async def _keep_files_of(self, message_id: MessageId, message: InboundMessage) -> tuple[Attachment, ...]:
        connector = self._find(message.address)
        if not message.attachments or connector is None or not isinstance(connector, FetchesMedia):
            return message.attachments
        line = await self._parts.database.read(transcript.get, message_id)
        files = line.attachments if line else message.attachments
        for index, attachment in enumerate(files):
            if attachment.media_id is not None:
                continue
            try:
                kept = await self._parts.media.put(await connector.fetch(attachment), attachment)
            except MediaError as error:
                log.warning("file_not_kept", channel=message.address.channel, error=str(error))
                continue
            files = (*files[:index], kept, *files[index + 1 :])
            await self._parts.database.write(transcript.set_attachments, message_id, files)
        return files

    def _acknowledge(self, burst: Burst) -> None:
        """Show the customer that the messages have come, and learn their name if nobody has told it."""
        head, start = burst.pieces[0], self._parts.background.start
        connector = self._find(head.address)
        if connector is None:
            return
        if head.choice and isinstance(connector, Acknowledging):
            start(connector.acknowledge(head))
        if isinstance(connector, MarksRead):
            for piece in burst.pieces:
                start(connector.mark_read(piece))
        is_nameless = burst.situation.conversation.display_name is None
        if is_nameless and isinstance(connector, KnowsNames) and self._naming.is_new(head.address):
            start(self._naming.learn(connector, head.address))

    async def take_back(self, row: InboxRow) -> None:
        """Note that a customer took a message back, erase what may not stay, and finish the row."""
        gone = await self._parts.database.read(withdrawn_files, row)
        if gone:
            # Before the row is finished: it is done again if this process dies in between.
            await self._parts.media.erase(gone)
        await self._parts.database.write(record_withdrawal, self._writer(), row)

    def _find(self, address: ChannelAddress) -> Connector | None:
        return self._parts.connectors.find(address.channel, address.account)

    def _show_typing(self, address: ChannelAddress) -> None:
        connector = self._find(address)
        if connector is not None and isinstance(connector, ShowsTyping):
            self._parts.background.start(connector.show_typing(address))

    def _writer(self) -> Writer:
        return Writer(now=self._parts.clock.now(), desk=self._parts.desk, rules=self._parts.rules)

    async def _write(self, body: _Body, row: InboxRow, situation: Situation) -> None:
        await self._parts.database.write(body, self._writer(), row, situation)


def _answer_aftercare(connection: Connection, writer: Writer, row: InboxRow, situation: Situation) -> None:
    if situation.aftercare is not None:
        answer_aftercare(connection, writer, row, situation.conversation, situation.aftercare)


def _hand_off_files(connection: Connection, writer: Writer, row: InboxRow, situation: Situation) -> None:
    conversation = conversations.lock_at(connection, situation.conversation.id, situation.conversation.epoch)
    bursts.check(connection, row)
    request = HandoffRequest(reason=Reason.OTHER, topic="a file", summary="The customer sent a file without any words.")
    is_new = tickets.open_of(connection, conversation.id) is None
    conversation, ticket = hand_off(connection, writer, conversation, request)
    if is_new:
        place = tickets.place_in_queue(connection, ticket) or 1
        language = conversation.language
        waits = phrases.place_in_queue(place, outlook(connection, writer, ticket), language)
        text = f"{phrases.told(phrases.FILE_RECEIVED, language)} {waits}"
        message = OutboundMessage(author=Author.SYSTEM, text=text)
        writer.say(connection, conversation, message, f"{row.message_id}:file")
    else:
        promises.customer_wrote(connection, writer, ticket)
        for message_id in row.message_ids:
            writer.post_line(connection, ticket.id, message_id)
    bursts.finish(connection, row, writer.now)


def _give_up(connection: Connection, writer: Writer, row: InboxRow, situation: Situation) -> None:
    conversation = conversations.lock_at(connection, situation.conversation.id, situation.conversation.epoch)
    if row.kind is InboxKind.MESSAGE:
        give_up_message(connection, writer, row, conversation)
        inbox.finish(connection, row.lease, writer.now)
    else:
        inbox.bury(connection, row.lease, writer.now, "the bot failed on it")


def _say_holding(connection: Connection, writer: Writer, row: InboxRow, situation: Situation) -> None:
    conversation = conversations.lock_at(connection, situation.conversation.id, situation.conversation.epoch)
    message = OutboundMessage(author=Author.SYSTEM, text=phrases.told(phrases.STILL_WORKING, conversation.language))
    writer.say(connection, conversation, message, f"{row.message_id}:holding")
