"""From a channel into the inbox: verify, parse, commit, then acknowledge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog
from pydantic import TypeAdapter
from sqlalchemy import Connection

from bot import metrics, tracing
from bot.domain.channels import ADDRESS_MAX
from bot.domain.connectors import Connector, WebhookRequest
from bot.domain.conversations import ConversationId
from bot.domain.errors import MalformedWebhookError
from bot.domain.messages import (
    MALFORMED,
    Author,
    DeliveryState,
    Echo,
    InboundEvent,
    InboundMessage,
    MessageId,
    Reaction,
    Receipt,
    Renaming,
    TranscriptLine,
    Unsupported,
    Withdrawal,
)
from bot.domain.ports import Clock
from bot.domain.texts import clean, is_storable, line
from bot.pipeline.elsewhere import keep_edit, silence_bot
from bot.pipeline.rush import Rush
from bot.store import aliases, choices, conversations, inbox, quotes, receipts, transcript, unread
from bot.store.codec import ECHO, INBOUND, REACTION, RECEIPT, WITHDRAWAL, to_json
from bot.store.database import Database
from bot.store.hints import Hint
from bot.store.ids import new_message_id
from bot.store.inbox import Arrival, InboxKind
from bot.store.restoring import Forgotten
from bot.store.unread import Unread

log = structlog.get_logger()

#: The longest sign of one character, a family of four with skin tones, has eleven.
_EMOJI_MAX = 16
#: What is kept of one thing that an answer has to carry; ids and subjects are shorter.
_CONTEXT_MAX = 2_000


class Receiver:
    """Takes what channels bring."""

    def __init__(
        self, database: Database, clock: Clock, hint: Hint, new_id: Callable[[], MessageId] = new_message_id
    ) -> None:
        """Write to `database`, and give `hint` after each commit; messages are named by `new_id`."""
        #: what can wait makes way for what comes in
        self.rush = Rush()
        #: what may have been handled before a restore is left to people
        self.forgotten = Forgotten()
        self._new_id = new_id
        self._database = database
        self._clock = clock
        self._hint = hint

    async def receive(self, connector: Connector, request: WebhookRequest) -> None:
        """Make every event of a webhook request durable, then return.

        Raises `WebhookRejectedError` or `MalformedWebhookError` for requests that are not the channel's; any other
        error means that nothing was kept, and the channel must hear a 5xx.
        """
        connector.verify(request)
        await self.take(connector, connector.parse(request), request.body)

    async def take(self, connector: Connector, events: list[InboundEvent], body: bytes = b"") -> None:
        """Make events durable in one transaction; what came before vanishes. `body` is the call that brought them.

        Raises `MalformedWebhookError` for an address that nobody can be answered at.
        """
        if not events:
            return
        for event in events:
            _check_address(event)
        named = [(event, self._new_id()) for event in events]
        doubtful = frozenset(message_id for event, message_id in named if self._is_doubtful(event))
        began = tracing.now()
        with self.rush:
            bringing = _Bringing(connector=connector, named=named, doubtful=doubtful, body=body)
            new = await self._database.write_first(_lane(events[0]), _keep, bringing, self._clock.now())
        for event in events:
            metrics.RECEIVED.labels(connector.channel, type(event).__name__.lower()).inc()
            if isinstance(event, Unsupported):
                tell = log.error if event.kind == MALFORMED else log.info
                tell("event_unsupported", channel=connector.channel, kind=event.kind)
        for message_id in new:
            tracing.arrived(message_id, began, channel=str(connector.channel))
        if doubtful:
            log.error("restored_messages_kept_for_people", channel=connector.channel, count=len(doubtful))
        if new:
            self._hint.give()

    def _is_doubtful(self, event: InboundEvent) -> bool:
        return isinstance(event, InboundMessage) and self.forgotten.has(event.sent_at)


@dataclass(frozen=True, kw_only=True)
class _Bringing:
    """What a channel brings at once."""

    connector: Connector
    #: each with the id of ours that it gets if it is new
    named: list[tuple[InboundEvent, MessageId]]
    #: those of them that may have been handled before a restore
    doubtful: frozenset[MessageId]
    #: the call that brought them; empty where they were fetched
    body: bytes


def _lane(event: InboundEvent) -> str:
    return "" if isinstance(event, Unsupported) else str(event.address)


def _check_address(event: InboundEvent) -> None:
    if isinstance(event, Unsupported):
        return
    address = str(event.address)
    if not event.address.external_id or len(address) > ADDRESS_MAX or not is_storable(address):
        raise MalformedWebhookError("a customer's id is empty, too long or no text")


def _keep(connection: Connection, bringing: _Bringing, now: datetime) -> list[MessageId]:
    """Make durable what is new, and return which that is."""
    connector, account = bringing.connector, str(bringing.connector.account)
    new: list[MessageId] = []
    for brought, message_id in bringing.named:
        event = _at_home(connection, brought, now) if connector.capabilities.has_renamings else brought
        match event:
            case InboundMessage():
                message = _with_choice(connection, connector, _cleaned(event))
                arrival = _message_arrival(message, message_id, account)
                arrival = replace(arrival, is_doubtful=message_id in bringing.doubtful)
                is_new = _keep_message(connection, arrival, message, now)
            case Receipt():
                receipt = replace(event, detail=clean(event.detail))
                is_new = _keep_receipt(connection, account, (receipt, message_id), now)
            case Withdrawal():
                is_new = inbox.add(connection, _arrival(event, message_id, InboxKind.WITHDRAWAL, account), now)
            case Reaction():
                sign = replace(event, emoji=line(event.emoji)[:_EMOJI_MAX])
                is_new = inbox.add(connection, _arrival(sign, message_id, InboxKind.REACTION, account), now)
            case Echo():
                is_new = _keep_echo(connection, account, (event, message_id), now)
            case Unsupported():
                _keep_unread(connection, bringing, (event, message_id), now)
                is_new = False
            case Renaming():
                is_new = False
        if is_new:
            new.append(message_id)
    return new


def _keep_unread(
    connection: Connection, bringing: _Bringing, named: tuple[Unsupported, MessageId], now: datetime
) -> None:
    """Keep as it came what nobody knows what it says."""
    event, message_id = named
    raw = event.raw or bringing.body.decode("utf-8", "replace")
    if event.is_unread and raw:
        account = f"{bringing.connector.channel}/{bringing.connector.account}"
        unread.keep(connection, Unread(account=account, kind=line(event.kind), raw=raw), message_id, now)


def _at_home(connection: Connection, event: InboundEvent, now: datetime) -> InboundEvent:
    """Return the event as one of the conversation that its customer began, maybe under another id."""
    if isinstance(event, Unsupported):
        return event
    if isinstance(event, Renaming):
        aliases.rename(connection, replace(event.address, external_id=event.former), event.address, now)
        return event
    others = event.also if isinstance(event, InboundMessage) else ()
    also = [replace(event.address, external_id=each) for each in others]
    return replace(event, address=aliases.home(connection, event.address, also, now))


def _message_arrival(message: InboundMessage, message_id: MessageId, account: str) -> Arrival:
    return Arrival(
        account=f"{message.address.channel}/{account}",
        external_id=message.external_id,
        address=str(message.address),
        kind=InboxKind.MESSAGE,
        body=to_json(INBOUND, message),
        message_id=message_id,
    )


def _keep_message(connection: Connection, arrival: Arrival, message: InboundMessage, now: datetime) -> bool:
    message_id = arrival.message_id
    if not inbox.add(connection, arrival, now):
        return False
    inbox.waken(connection, arrival.address, now)
    conversation = conversations.meet(connection, message.address, message.display_name, now)
    if message.language and conversation.language is None:
        conversations.set_language(connection, message.address, message.language)
    if message.reply_context:
        conversations.set_reply_context(connection, conversation.id, message.reply_context)
    edited = transcript.find_external(connection, conversation.id, message.edits) if message.edits else None
    line = TranscriptLine(
        id=message_id,
        author=Author.CUSTOMER,
        author_name=conversation.display_name,
        text=message.text or _tapped(connection, conversation.id, message.choice),
        attachments=message.attachments,
        choices=(),
        at=now,
        delivery=None,
        edited_from=edited.text if edited else None,
    )
    keep_edit(connection, conversation, message, message_id)
    answered = quotes.meant(connection, conversation.id, message.quotes) if message.quotes else None
    quotes.note(connection, message_id, answered, message.quote_token)
    transcript.add(connection, conversation.id, line, message.edits or message.external_id)
    return True


def _keep_echo(connection: Connection, account: str, named: tuple[Echo, MessageId], now: datetime) -> bool:
    """Keep what a person of the brand wrote, and silence the bot with the same commit; what we sent is no news."""
    echo, message_id = named
    echo = replace(
        echo,
        text=clean(echo.text),
        author_name=line(echo.author_name)[:200] if echo.author_name else None,
        attachments=tuple(replace(item, name=line(item.name)[:200]) for item in echo.attachments),
    )
    if receipts.is_ours(connection, echo):
        return False
    if not inbox.add(connection, _arrival(echo, message_id, InboxKind.ECHO, account), now):
        return False
    known = conversations.find_by_address(connection, echo.address)
    conversation = known or conversations.meet(connection, echo.address, None, now)
    said = TranscriptLine(
        id=message_id,
        author=Author.AGENT,
        author_name=echo.author_name,
        text=echo.text,
        attachments=echo.attachments,
        choices=(),
        at=now,
        delivery=DeliveryState.SENT,
    )
    transcript.add(connection, conversation.id, said, echo.external_id)
    silence_bot(connection, conversation)
    return True


def _arrival(event: Withdrawal | Reaction | Echo, message_id: MessageId, kind: InboxKind, account: str) -> Arrival:
    adapters: dict[InboxKind, TypeAdapter[Any]] = {
        InboxKind.WITHDRAWAL: WITHDRAWAL,
        InboxKind.REACTION: REACTION,
        InboxKind.ECHO: ECHO,
    }
    return Arrival(
        account=f"{event.address.channel}/{account}",
        external_id=event.external_id,
        address=str(event.address),
        kind=kind,
        body=to_json(adapters[kind], event),
        message_id=message_id,
    )


def _with_choice(connection: Connection, connector: Connector, message: InboundMessage) -> InboundMessage:
    """Return the message as a tap where it is the number of a choice that this channel could only write out."""
    number = choices.number_in(message.text)
    if number is None or message.choice or message.edits or message.address.channel != connector.channel:
        return message
    conversation = conversations.find_by_address(connection, message.address)
    if conversation is None:
        return message
    shown_max = connector.capabilities.choices_max
    return replace(message, choice=choices.numbered(connection, conversation.id, number, shown_max))


def _tapped(connection: Connection, conversation_id: ConversationId, choice: str | None) -> str:
    """Return the title of the choice that was tapped, for people to read."""
    found = choices.meaning_of(connection, conversation_id, choice) if choice else None
    return found[0] if found else ""


def _keep_receipt(connection: Connection, account: str, named: tuple[Receipt, MessageId], now: datetime) -> bool:
    receipt, message_id = named
    arrival = Arrival(
        account=f"{receipt.address.channel}/{account}",
        external_id=receipt.external_id,
        address=str(receipt.address),
        kind=InboxKind.RECEIPT,
        body=to_json(RECEIPT, receipt),
        message_id=message_id,
    )
    return inbox.add(connection, arrival, now)


def _cleaned(message: InboundMessage) -> InboundMessage:
    return replace(
        message,
        text=clean(message.text),
        display_name=line(message.display_name)[:200] if message.display_name else None,
        language=line(message.language)[:20] if message.language else None,
        reply_context={name: line(value)[:_CONTEXT_MAX] for name, value in message.reply_context.items()},
        referral=line(message.referral)[:_CONTEXT_MAX],
        quote_token=line(message.quote_token)[:_CONTEXT_MAX],
        attachments=tuple(replace(item, name=line(item.name)[:200]) for item in message.attachments),
    )
