"""The real desk on a real database, with a clock that moves by itself and nothing behind it: no bot, no channel."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar, cast
from unittest.mock import patch

from sqlalchemy import Connection, select

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.connectors import Ambiguous, Retry, Sent
from bot.domain.customers import Clue, Customer, CustomerId, CustomerRecord, OrderNumberForm
from bot.domain.desk import DeskPost, DeskPoster, DeskPostKind, PostResult
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.messages import Attachment, Author, DeliveryState, MessageId, OutboundMessage, TranscriptLine
from bot.domain.ports import CustomerDirectory
from bot.domain.suggestions import Suggestion, SuggestionId, SuggestionState
from bot.domain.tickets import TicketId, TicketView
from bot.pipeline import effects
from bot.pipeline.desk.acts import Desk, DeskParts
from bot.pipeline.desk.views import read_one
from bot.pipeline.handing_off import hand_off
from bot.pipeline.outgoing import DeskAddress, Writer
from bot.store import conversations, outbox, suggestions, tickets, transcript
from bot.store.codec import DESK_POST, OUTBOUND
from bot.store.database import Database, open_engine
from bot.store.ids import new_message_id, new_suggestion_id
from bot.store.lanes import Ending
from bot.store.outbox import OutboxKind, OutboxRow
from bot.store.schema import messages, ticket_events
from bot.store.schema import outbox as outbox_table
from bot.store.schema import tickets as tickets_table

P = ParamSpec("P")
T = TypeVar("T")

START = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
REQUEST = HandoffRequest(
    reason=Reason.EXPLICIT_WISH,
    topic="refund",
    summary="Wants the money back for a broken mug.",
    tried=("looked up CL-104233", "offered a return label"),
    order_number="CL-104233",
)


class TickingClock:
    """A clock of which each look is a second later than the one before."""

    def __init__(self) -> None:
        """Begin at `START`."""
        self.moment = START

    def now(self) -> datetime:
        """Return a moment later than any before."""
        self.moment += timedelta(seconds=1)
        return self.moment


@dataclass
class Records:
    """The brand's records of those customers whom a test knows."""

    known: dict[CustomerId, CustomerRecord] = field(default_factory=dict)

    order_numbers: OrderNumberForm = field(default_factory=OrderNumberForm)

    async def record(self, customer_id: CustomerId) -> CustomerRecord | None:
        """Return what the desk shows of a customer."""
        return self.known.get(customer_id)

    async def resembling(self, clue: Clue, value: str, limit: int) -> list[Customer]:
        """Return customers who have that order, e-mail address or name."""
        found = []
        for known in self.known.values():
            values = {
                Clue.ORDER_NUMBER: [str(order.number) for order in known.orders],
                Clue.EMAIL: [known.customer.email],
                Clue.NAME: [known.customer.name],
            }
            if value in values[clue]:
                found.append(known.customer)
        return found[:limit]


class Floor(Desk):
    """The desk itself, and what a test does around it: customers who write, deliveries, posts that go out."""

    def __init__(self, database: Database) -> None:
        """Work on `database`."""
        self.database = database
        self.clock = TickingClock()
        self.records = Records()
        self._address = DeskAddress(name="floor")
        # The desk asks for records only.
        directory = cast("CustomerDirectory", self.records)
        super().__init__(DeskParts(database=database, clock=self.clock, directory=directory, desk=self._address))
        self._count = 0

    # ------------------------------------------------------------------------------------------------ what happens

    def open(
        self, request: HandoffRequest = REQUEST, name: str | None = "Dana Fox", record: CustomerRecord | None = None
    ) -> TicketId:
        """Open a ticket with two lines before it; the first one's id is 1, the second one's 2."""
        self._count += 1
        address = ChannelAddress(
            channel=ChannelName("telegram"), account=AccountId("brand"), external_id=str(100 + self._count)
        )
        if record is not None:
            self.records.known[record.customer.id] = record
        with patch.object(tickets, "new_ticket_id", lambda: TicketId(f"{self._count:032x}")):
            return self._write(self._open, address, (request, name, record))

    def _open(
        self,
        connection: Connection,
        address: ChannelAddress,
        of: tuple[HandoffRequest, str | None, CustomerRecord | None],
    ) -> TicketId:
        request, name, record = of
        conversation = conversations.meet(connection, address, name, self.clock.now())
        if record is not None:
            conversations.bind_customer(connection, address, record.customer.id, "test", self.clock.now())
        for line in (
            self._line(Author.CUSTOMER, "My mug arrived broken", name),
            self._line(Author.BOT, "I am sorry. A colleague will answer here soon."),
        ):
            transcript.add(connection, conversation.id, line, None)
        _, ticket = hand_off(connection, self._writer(), conversation, request)
        return ticket.id

    def customer_writes(self, ticket_id: TicketId, text: str, attachments: tuple[Attachment, ...] = ()) -> MessageId:
        """Let the customer write something that is shown in the thread."""
        view = self.views[ticket_id]
        line = self._line(Author.CUSTOMER, text, view.conversation.display_name)
        return self.adds(ticket_id, replace(line, attachments=attachments))

    def adds(self, ticket_id: TicketId, line: TranscriptLine) -> MessageId:
        """Add a line to the transcript and show it in the thread."""

        def body(connection: Connection) -> None:
            ticket = tickets.get(connection, ticket_id)
            assert ticket is not None
            transcript.add(connection, ticket.conversation_id, line, None)
            self._writer().post_line(connection, ticket_id, line.id)

        self._write(body)
        return line.id

    def deliver(self, ticket_id: TicketId, message_id: MessageId, state: DeliveryState, detail: str = "") -> None:
        """Record how far a message came and show it at the message."""

        def body(connection: Connection) -> None:
            transcript.mark(connection, message_id, state, detail)
            post = DeskPost(ticket_id=ticket_id, kind=DeskPostKind.RECEIPT, message_id=message_id)
            self._writer().post(connection, post, f"receipt:{message_id}:{self.clock.now()}")

        self._write(body)

    def offers(self, ticket_id: TicketId, text: str) -> SuggestionId:
        """Let the bot offer agents a draft of an answer to the customer's newest message."""
        said = [line for line in self.views[ticket_id].transcript if line.author is Author.CUSTOMER]
        draft = Suggestion(
            id=new_suggestion_id(),
            message_id=said[-1].id,
            text=text,
            intent="refund_status",
            confidence=0.9,
            state=SuggestionState.OFFERED,
            at=self.clock.now(),
        )

        def body(connection: Connection) -> None:
            suggestions.add(connection, ticket_id, draft)
            post = DeskPost(ticket_id=ticket_id, kind=DeskPostKind.SUGGESTION, message_id=draft.message_id)
            self._writer().post(connection, post, f"suggestion:{draft.id}")
            self._writer().post_card(connection, ticket_id)

        self._write(body)
        return draft.id

    def refer(self, ticket_id: TicketId, desk_reference: str | None) -> None:
        """Say what the desk calls a ticket's card."""
        self._write(lambda connection: tickets.change(connection, ticket_id, desk_reference=desk_reference))

    async def drain(self, poster: DeskPoster) -> list[PostResult]:
        """Send all that waits in order, as the pipeline does: look first where the last try was ambiguous."""
        results: list[PostResult] = []
        while rows := self._write(outbox.claim, self.clock.now(), timedelta(minutes=1), 1):
            await self._send(poster, rows[0], results)
        return results

    async def _send(self, poster: DeskPoster, row: OutboxRow, results: list[PostResult]) -> None:
        if row.kind is not OutboxKind.DESK:
            self._write(outbox.finish, row.lease, Ending(state="sent", at=self.clock.now()))
            return
        post = DESK_POST.validate_python(row.body)
        results.append(await poster.send(post, row.key))
        if isinstance(results[-1], Ambiguous):
            results.append(await poster.find(post, row.key))
        while isinstance(results[-1], Retry):
            results.append(await poster.send(post, row.key))
        sent = results[-1]
        if isinstance(sent, Sent):
            self._write(effects.record_desk_post, self._writer(), row, sent.external_id)
        else:
            self._write(outbox.finish, row.lease, Ending(state="dead", at=self.clock.now()))

    def forget_posts(self) -> None:
        """Drop what waits to be posted."""
        while rows := self._write(outbox.claim, self.clock.now(), timedelta(minutes=1), 100):
            for row in rows:
                self._write(outbox.finish, row.lease, Ending(state="sent", at=self.clock.now()))

    # ------------------------------------------------------------------------------------------------ what there is

    @property
    def views(self) -> dict[TicketId, TicketView]:
        """Every ticket as an agent would see it but for the customer's record."""
        return self._read(_views)

    @property
    def log(self) -> list[tuple[str, TicketId, str, str]]:
        """Every act that had an effect: its name, the ticket, the agent's name, the text."""
        query = select(ticket_events).where(ticket_events.c.agent_id.is_not(None)).order_by(ticket_events.c.id)
        rows = self._read(lambda connection: connection.execute(query).all())
        return [(row.kind, TicketId(row.ticket_id), row.agent_name, row.detail) for row in rows]

    @property
    def sent(self) -> list[tuple[TicketId, str, tuple[Attachment, ...]]]:
        """What agents told customers: ticket, text, attachments."""
        return self._read(_sent)

    # ------------------------------------------------------------------------------------------------ how

    def _writer(self) -> Writer:
        return Writer(now=self.clock.now(), desk=self._address)

    def _write(self, body: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        with self.database.engine.connect().execution_options(is_writer=True) as connection, connection.begin():
            return body(connection, *args, **kwargs)

    def _read(self, body: Callable[[Connection], T]) -> T:
        with self.database.engine.connect() as connection, connection.begin():
            return body(connection)

    def _line(self, author: Author, text: str, name: str | None = None) -> TranscriptLine:
        return TranscriptLine(
            id=new_message_id(),
            author=author,
            author_name=name,
            text=text,
            attachments=(),
            choices=(),
            at=self.clock.now(),
            delivery=None,
        )


def _views(connection: Connection) -> dict[TicketId, TicketView]:
    ids = connection.scalars(select(tickets_table.c.id).order_by(tickets_table.c.number))
    found = [read_one(connection, TicketId(ticket_id)) for ticket_id in ids]
    return {view.ticket.id: view for view in found if view is not None}


def _sent(connection: Connection) -> list[tuple[TicketId, str, tuple[Attachment, ...]]]:
    query = (
        select(outbox_table.c.body, outbox_table.c.conversation_id)
        .join(messages, messages.c.id == outbox_table.c.message_id)
        .where(messages.c.author == Author.AGENT.value, outbox_table.c.kind == OutboxKind.MESSAGE.value)
        .order_by(outbox_table.c.id)
    )
    found = []
    for row in connection.execute(query):
        message: OutboundMessage = OUTBOUND.validate_python(row.body)
        ticket = tickets.last_of(connection, row.conversation_id)
        assert ticket is not None
        found.append((ticket.id, message.text, message.attachments))
    return found


@asynccontextmanager
async def open_floor(template: Path, folder: Path) -> AsyncIterator[Floor]:
    """Return the desk over a fresh copy of an empty database."""
    path = shutil.copy(template, folder / "desk.db")
    database = Database(open_engine(f"sqlite:///{path}"))
    yield Floor(database)
    await database.close()
