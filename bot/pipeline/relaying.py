"""While an agent owns the conversation: the customer's words go to the agent, with what the bot can add in silence."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from bot.dialogue.client import Engine
from bot.dialogue.wire import Turn
from bot.domain.conversations import Owner
from bot.domain.desk import DeskPost, DeskPostKind
from bot.domain.errors import EngineError
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.messages import InboundMessage
from bot.domain.ports import Clock, CustomerDirectory
from bot.domain.suggestions import Suggestion, SuggestionState
from bot.domain.tickets import TicketId, TicketState
from bot.pipeline import danger, phrases, promises, proving
from bot.pipeline.background import Background
from bot.pipeline.elsewhere import show_edit
from bot.pipeline.outgoing import Writer
from bot.pipeline.situation import Situation
from bot.store import conversations, inbox, suggestions, tickets
from bot.store.database import Database
from bot.store.ids import new_suggestion_id
from bot.store.inbox import InboxRow

log = structlog.get_logger()

#: Drafts that are made at once: customers who wait for the bot itself come first.
DRAFTS_MAX = 2
#: Drafts that wait to be made; more are not made at all.
WAITING_MAX = 20


@dataclass(frozen=True, kw_only=True)
class RelayParts:
    """What relaying needs."""

    database: Database
    clock: Clock
    engine: Engine
    directory: CustomerDirectory
    background: Background


class Relaying:
    """Works on messages of customers whom an agent has."""

    def __init__(self, parts: RelayParts) -> None:
        """Use `parts`."""
        self._parts = parts
        self._gate = asyncio.Semaphore(DRAFTS_MAX)
        self._waiting_count = 0

    async def relay(self, writer: Writer, row: InboxRow, situation: Situation, message: InboundMessage) -> None:
        """Show the agent the message, check a proof that was asked for, and finish the row.

        A draft of the bot's answer follows when it is ready, if it ever is. Raises `OwnerChangedError`.
        """
        checked = await self._check(situation)
        await self._parts.database.write(_relay, writer, row, situation, checked)
        if checked is None and (message.text or situation.meaning) and self._waiting_count < WAITING_MAX:
            self._waiting_count += 1
            self._parts.background.start(self._draft(writer, row, situation, message))

    async def _check(self, situation: Situation) -> proving.Check | None:
        if situation.ticket is None:
            return None
        directory = self._parts.directory
        claimed = await self._parts.database.read(proving.read_claim, situation.ticket, directory)
        return await proving.check(claimed, directory) if claimed is not None else None

    async def _draft(self, writer: Writer, row: InboxRow, situation: Situation, message: InboundMessage) -> None:
        """Ask the engine what the bot would say; nothing of that turn is kept but the words of a sure one."""
        try:
            async with self._gate:
                turn = await self._parts.engine.step(situation.request(row, message.text, situation.meaning, Owner.BOT))
        except EngineError as error:
            log.info("no_draft", message=row.message_id, error=str(error))
            return
        finally:
            self._waiting_count -= 1
        if turn.handoff is not None and turn.handoff.reason is Reason.IN_DANGER and situation.ticket is not None:
            await self._parts.database.write(_alarm, writer, situation, turn.handoff)
        text = draft_of(turn)
        if text and situation.ticket is not None:
            draft = Suggestion(
                id=new_suggestion_id(),
                message_id=row.message_id,
                text=text,
                intent=turn.intent,
                confidence=turn.confidence,
                state=SuggestionState.OFFERED,
                at=self._parts.clock.now(),
            )
            await self._parts.database.write(_offer, writer, situation.ticket.id, draft)


def draft_of(turn: Turn) -> str:
    """Return what the bot would say and do, in words; empty when it is not sure."""
    if turn.is_fallback or turn.handoff is not None:
        return ""
    would = [phrases.would(command.name, command.arguments.get("order_number")) for command in turn.commands]
    return "\n\n".join(filter(None, [*(answer.text.strip() for answer in turn.answers), *would]))


def _relay(
    connection: Connection, writer: Writer, row: InboxRow, situation: Situation, checked: proving.Check | None
) -> None:
    conversation = conversations.lock_at(connection, situation.conversation.id, situation.conversation.epoch)
    ticket = tickets.open_of(connection, conversation.id)
    if ticket is not None:
        promises.customer_wrote(connection, writer, ticket)
        writer.post_line(connection, ticket.id, row.message_id)
        show_edit(connection, writer, ticket, row)
        writer.post_card(connection, ticket.id)
        if checked is not None:
            proving.record_check(connection, writer, conversation, ticket, checked)
    inbox.finish(connection, row.lease, writer.now)


def _alarm(connection: Connection, writer: Writer, situation: Situation, request: HandoffRequest) -> None:
    conversations.lock(connection, situation.conversation.id)
    ticket = tickets.open_of(connection, situation.conversation.id)
    if ticket is not None:
        danger.alarm(connection, writer, ticket, request)


def _offer(connection: Connection, writer: Writer, ticket_id: TicketId, draft: Suggestion) -> None:
    ticket = tickets.get(connection, ticket_id)
    if ticket is None or ticket.state is not TicketState.CLAIMED or not suggestions.add(connection, ticket_id, draft):
        return
    post = DeskPost(ticket_id=ticket_id, kind=DeskPostKind.SUGGESTION, message_id=draft.message_id)
    writer.post(connection, post, f"suggestion:{draft.id}")
