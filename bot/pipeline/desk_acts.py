"""What agents do: each act is one transaction that changes owner, ticket and outbox together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from bot.domain.assurance import Level
from bot.domain.conversations import Conversation, Owner
from bot.domain.customers import CustomerRecord
from bot.domain.desk import DeskPost, DeskPostKind
from bot.domain.errors import DeskError, DirectoryUnavailableError
from bot.domain.messages import Attachment, Author, MessageId, OutboundMessage
from bot.domain.ports import Clock, CustomerDirectory
from bot.domain.tickets import Agent, Ticket, TicketEvent, TicketId, TicketState, TicketView
from bot.pipeline import phrases
from bot.pipeline.outgoing import DeskAddress, Writer
from bot.store import conversations, inbox, outbox, tickets, transcript, turns
from bot.store.database import Database
from bot.store.ids import new_message_id
from bot.store.inbox import Arrival, InboxKind
from bot.store.turns import TurnRecord

P = ParamSpec("P")
T = TypeVar("T")

#: Lines of the transcript that an agent sees at once.
TRANSCRIPT_MAX = 200
#: The intent that tells the bot it answers again; its entity `outcome` is what the agent did.
HANDED_BACK_INTENT = "handed_back"


@dataclass(frozen=True, kw_only=True)
class DeskParts:
    """What the desk's acts need."""

    database: Database
    clock: Clock
    directory: CustomerDirectory
    #: none: agents read the database itself
    desk: DeskAddress | None
    #: called after each act
    changed: Callable[[], None] = lambda: None


class Desk:
    """`bot.domain.desk.DeskActs` over the database."""

    def __init__(self, parts: DeskParts) -> None:
        """Use `parts`."""
        self._parts = parts

    async def claim(self, ticket_id: TicketId, agent: Agent, key: str) -> Ticket:
        """Make the agent the owner; raises `DeskError` when somebody else is, or when the ticket is closed."""
        return await self._act(_claim, ticket_id, agent, key)

    async def reply(
        self, ticket_id: TicketId, agent: Agent, text: str, attachments: tuple[Attachment, ...], key: str
    ) -> MessageId:
        """Send the customer a message; raises `DeskError` when the ticket is closed or somebody else's."""
        if not text.strip() and not attachments:
            raise DeskError("There is nothing to send: write a text or attach a file.")
        message = OutboundMessage(
            author=Author.AGENT, author_name=agent.name, text=text.strip(), attachments=attachments
        )
        return await self._act(_reply, ticket_id, (agent, message), key)

    async def note(self, ticket_id: TicketId, agent: Agent, text: str, key: str) -> None:
        """Keep a remark that the customer never sees."""
        if not text.strip():
            raise DeskError("The note is empty.")
        await self._act(_note, ticket_id, (agent, text.strip()), key)

    async def resolve(self, ticket_id: TicketId, agent: Agent, outcome: str, key: str) -> Ticket:
        """Close the ticket and give the conversation back to the bot, which starts afresh."""
        closing = _Closing(agent=agent, outcome=outcome.strip(), state=TicketState.RESOLVED)
        return await self._act(_close, ticket_id, closing, key)

    async def hand_back(self, ticket_id: TicketId, agent: Agent, outcome: str, key: str) -> Ticket:
        """Give the conversation back to the bot, which tells the customer what was done."""
        if not outcome.strip():
            raise DeskError("Say what was done, in a sentence the customer may read: the bot will pass it on.")
        closing = _Closing(agent=agent, outcome=outcome.strip(), state=TicketState.HANDED_BACK)
        return await self._act(_close, ticket_id, closing, key)

    async def view(self, ticket_id: TicketId) -> TicketView | None:
        """Return the ticket with all an agent needs to see, or none."""
        found = await self._parts.database.read(_view, ticket_id)
        return await self._with_record(found) if found else None

    async def open_tickets(self) -> list[TicketView]:
        """Return the open tickets: the queue oldest first, then the claimed ones."""
        views = await self._parts.database.read(_open_views)
        return list(await asyncio.gather(*(self._with_record(view) for view in views)))

    async def by_reference(self, desk_reference: str) -> TicketId | None:
        """Return the ticket whose card the desk calls so, or none."""
        return await self._parts.database.read(tickets.by_reference, desk_reference)

    async def _with_record(self, view: TicketView) -> TicketView:
        assurance = await self._parts.database.read(conversations.read_assurance, view.conversation.id)
        record: CustomerRecord | None = None
        note = "The customer has not been identified."
        if assurance.customer_id is not None:
            try:
                record = await self._parts.directory.record(assurance.customer_id)
                note = "" if record else "The brand's records do not know this customer any more."
            except DirectoryUnavailableError as error:
                note = f"The brand's records cannot be read now: {error}"
        return TicketView(
            ticket=view.ticket,
            conversation=view.conversation,
            transcript=view.transcript,
            events=view.events,
            record=record,
            record_note=note,
            level=assurance.level_at(self._parts.clock.now()),
            place_in_queue=view.place_in_queue,
        )

    async def _act(self, body: Callable[Concatenate[Connection, Writer, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        writer = Writer(now=self._parts.clock.now(), desk=self._parts.desk)
        result = await self._parts.database.write(body, writer, *args, **kwargs)
        self._parts.changed()
        return result


@dataclass(frozen=True, kw_only=True)
class _Closing:
    agent: Agent
    outcome: str
    state: TicketState


def _find(connection: Connection, ticket_id: TicketId) -> tuple[Ticket, Conversation]:
    """Return the ticket as it is once its conversation is locked."""
    known = tickets.get(connection, ticket_id)
    if known is None:
        raise DeskError("There is no such ticket.")
    conversation = conversations.lock(connection, known.conversation_id)
    ticket = tickets.get(connection, ticket_id)
    if ticket is None:
        raise DeskError("There is no such ticket.")
    return ticket, conversation


def _require_mine(ticket: Ticket, agent: Agent) -> None:
    if not ticket.state.is_open:
        raise DeskError(f"Ticket {ticket.number} is closed.")
    if ticket.agent is not None and ticket.agent.id != agent.id:
        raise DeskError(f"{ticket.agent.name} has claimed ticket {ticket.number}.")


def _claim(connection: Connection, writer: Writer, ticket_id: TicketId, agent: Agent, key: str) -> Ticket:
    ticket, conversation = _find(connection, ticket_id)
    event = TicketEvent(at=writer.now, kind="claimed", agent=agent, detail="")
    if not tickets.log(connection, ticket.id, event, key):
        return ticket
    _require_mine(ticket, agent)
    return _take(connection, writer, (ticket, conversation), agent)


def _take(connection: Connection, writer: Writer, found: tuple[Ticket, Conversation], agent: Agent) -> Ticket:
    ticket, conversation = found
    if ticket.state is TicketState.CLAIMED:
        return ticket
    conversations.give_to(connection, conversation, Owner.AGENT)
    changed = tickets.change(
        connection,
        ticket.id,
        state=TicketState.CLAIMED.value,
        agent_id=agent.id,
        agent_name=agent.name,
        claimed_at=writer.now,
    )
    now_owned = conversations.get(connection, conversation.id)
    message = OutboundMessage(author=Author.SYSTEM, text=phrases.agent_joined(agent.name))
    writer.say(connection, now_owned, message, f"claimed:{ticket.id}:{now_owned.epoch}")
    writer.post_card(connection, ticket.id)
    return changed


def _reply(
    connection: Connection, writer: Writer, ticket_id: TicketId, what: tuple[Agent, OutboundMessage], key: str
) -> MessageId:
    agent, message = what
    ticket, conversation = _find(connection, ticket_id)
    known = outbox.message_of(connection, key)
    if known is not None:
        return known
    _require_mine(ticket, agent)
    _take(connection, writer, (ticket, conversation), agent)
    message_id = writer.say(connection, conversation, message, key)
    event = TicketEvent(at=writer.now, kind="reply", agent=agent, detail=message.text)
    tickets.log(connection, ticket.id, event, key)
    post = DeskPost(ticket_id=ticket.id, kind=DeskPostKind.LINE, message_id=message_id)
    writer.post(connection, post, f"line:{message_id}")
    writer.post_card(connection, ticket.id)
    return message_id


def _note(connection: Connection, writer: Writer, ticket_id: TicketId, what: tuple[Agent, str], key: str) -> None:
    agent, text = what
    ticket, _ = _find(connection, ticket_id)
    tickets.log(connection, ticket.id, TicketEvent(at=writer.now, kind="note", agent=agent, detail=text), key)


def _close(connection: Connection, writer: Writer, ticket_id: TicketId, closing: _Closing, key: str) -> Ticket:
    ticket, conversation = _find(connection, ticket_id)
    event = TicketEvent(at=writer.now, kind=closing.state.value, agent=closing.agent, detail=closing.outcome)
    if not tickets.log(connection, ticket.id, event, key):
        return ticket
    _require_mine(ticket, closing.agent)
    conversations.give_to(connection, conversation, Owner.BOT)
    changed = tickets.change(
        connection,
        ticket.id,
        state=closing.state.value,
        agent_id=closing.agent.id,
        agent_name=closing.agent.name,
        closed_at=writer.now,
        outcome=closing.outcome,
    )
    returned = conversations.get(connection, conversation.id)
    if closing.state is TicketState.RESOLVED:
        message = OutboundMessage(author=Author.SYSTEM, text=phrases.RESOLVED)
        writer.say(connection, returned, message, f"resolved:{ticket.id}")
        turns.add(connection, _fresh_start(connection, conversation), writer.now)
    else:
        inbox.add(connection, _handed_back(conversation, ticket, closing), writer.now)
    writer.post_card(connection, ticket.id)
    return changed


def _fresh_start(connection: Connection, conversation: Conversation) -> TurnRecord:
    """Return a turn that leaves whatever form was open, so that the next message is not taken for its answer."""
    state = turns.history(connection, conversation.id).state
    slots = {name: value for name, value in state.get("slots", {}).items() if name != "requested_slot"}
    return TurnRecord(
        id=new_message_id(),
        conversation_id=conversation.id,
        events=[
            {"event": "active_loop", "name": None},
            {"event": "slot", "name": "requested_slot", "value": None},
            {"event": "action", "name": "action_listen"},
        ],
        state={"slots": slots, "active_loop": None},
    )


def _handed_back(conversation: Conversation, ticket: Ticket, closing: _Closing) -> Arrival:
    entities = {"outcome": closing.outcome, "agent": closing.agent.name}
    return Arrival(
        account="desk",
        external_id=f"handed_back:{ticket.id}",
        address=str(conversation.address),
        kind=InboxKind.TRIGGER,
        body={"intent": HANDED_BACK_INTENT, "entities": entities},
        message_id=new_message_id(),
    )


def _view(connection: Connection, ticket_id: TicketId) -> TicketView | None:
    ticket = tickets.get(connection, ticket_id)
    return _view_of(connection, ticket) if ticket else None


def _open_views(connection: Connection) -> list[TicketView]:
    return [_view_of(connection, ticket) for ticket in tickets.all_open(connection)]


def _view_of(connection: Connection, ticket: Ticket) -> TicketView:
    return TicketView(
        ticket=ticket,
        conversation=conversations.get(connection, ticket.conversation_id),
        transcript=tuple(transcript.last(connection, ticket.conversation_id, TRANSCRIPT_MAX)),
        events=tuple(tickets.events(connection, ticket.id)),
        record=None,
        record_note="",
        level=Level.L0,
        place_in_queue=tickets.place_in_queue(connection, ticket),
    )
