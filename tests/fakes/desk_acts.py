"""An in-memory `DeskActs` with the outbox it fills, for tests of the desk alone."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from bot.domain.assurance import Level
from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.connectors import Ambiguous, Retry, SendResult, Sent
from bot.domain.conversations import Conversation, ConversationId, Owner
from bot.domain.customers import CustomerRecord
from bot.domain.desk import DeskPost, DeskPoster, DeskPostKind
from bot.domain.errors import DeskError, MediaError
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.messages import (
    Attachment,
    Author,
    DeliveryState,
    MediaId,
    MessageId,
    TranscriptLine,
    message_id_of,
)
from bot.domain.tickets import Agent, Ticket, TicketEvent, TicketId, TicketState, TicketView

START = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
REQUEST = HandoffRequest(
    reason=Reason.EXPLICIT_WISH,
    topic="refund",
    summary="Wants the money back for a broken mug.",
    tried=("looked up CL-104233", "offered a return label"),
    order_number="CL-104233",
)


@dataclass
class FakeDeskActs:
    """Tickets, their conversations and the posts the pipeline would send, in memory."""

    #: of each ticket, as it is now
    views: dict[TicketId, TicketView] = field(default_factory=dict)
    #: to be shown on the desk: post and key
    outbox: list[tuple[DeskPost, str]] = field(default_factory=list)
    #: every act that had an effect: name, ticket, agent's name, text
    log: list[tuple[str, TicketId, str, str]] = field(default_factory=list)
    #: told to customers: ticket, text, attachments
    sent: list[tuple[TicketId, str, tuple[Attachment, ...]]] = field(default_factory=list)
    #: the next acts raise this
    broken: Exception | None = None
    _done: dict[str, object] = field(default_factory=dict)
    _now: datetime = START

    def now(self) -> datetime:
        """Return a moment later than any before."""
        self._now += timedelta(seconds=1)
        return self._now

    def open(
        self, request: HandoffRequest = REQUEST, name: str | None = "Dana Fox", record: CustomerRecord | None = None
    ) -> TicketId:
        """Open a ticket with two lines before it, and queue its card and transcript."""
        number = len(self.views) + 1
        ticket_id = TicketId(f"{number:032x}")
        conversation_id = ConversationId(f"{number + 1000:032x}")
        address = ChannelAddress(
            channel=ChannelName("telegram"), account=AccountId("brand"), external_id=str(100 + number)
        )
        conversation = Conversation(
            id=conversation_id,
            address=address,
            owner=Owner.QUEUE,
            epoch=1,
            display_name=name,
            started_at=self.now(),
            last_inbound_at=self.now(),
        )
        transcript = (
            self._line(Author.CUSTOMER, "My mug arrived broken", name),
            self._line(Author.BOT, "I am sorry. A colleague will answer here soon."),
        )
        ticket = Ticket(
            id=ticket_id,
            number=number,
            conversation_id=conversation_id,
            state=TicketState.QUEUED,
            request=request,
            opened_at=self.now(),
            agent=None,
            claimed_at=None,
            closed_at=None,
            outcome="",
            desk_reference=None,
        )
        opened = TicketEvent(at=ticket.opened_at, kind="opened", agent=None, detail=request.summary)
        self.views[ticket_id] = TicketView(
            ticket=ticket,
            conversation=conversation,
            transcript=transcript,
            events=(opened,),
            record=record,
            record_note="" if record else "The customer is not verified.",
            level=Level.L1 if record else Level.L0,
            place_in_queue=number,
        )
        self._post(ticket_id, DeskPostKind.CARD)
        self._post(ticket_id, DeskPostKind.TRANSCRIPT)
        return ticket_id

    def customer_writes(self, ticket_id: TicketId, text: str, attachments: tuple[Attachment, ...] = ()) -> MessageId:
        """Add a customer's message and queue its line."""
        name = self.views[ticket_id].conversation.display_name
        entry = replace(self._line(Author.CUSTOMER, text, name), attachments=attachments)
        self._append(ticket_id, entry)
        self._post(ticket_id, DeskPostKind.LINE, entry.id)
        return entry.id

    def deliver(self, ticket_id: TicketId, message_id: MessageId, state: DeliveryState, detail: str = "") -> None:
        """Record how far a message came and queue its receipt."""
        view = self.views[ticket_id]
        lines = tuple(
            replace(entry, delivery=state, delivery_detail=detail) if entry.id == message_id else entry
            for entry in view.transcript
        )
        self.views[ticket_id] = replace(view, transcript=lines)
        self._post(ticket_id, DeskPostKind.RECEIPT, message_id)

    async def drain(self, poster: DeskPoster) -> list[SendResult]:
        """Send all queued posts in order, as the pipeline does: look first where the last try was ambiguous."""
        results: list[SendResult] = []
        while self.outbox:
            post, key = self.outbox[0]
            result = await poster.send(post, key)
            results.append(result)
            if isinstance(result, Ambiguous):
                result = await poster.find(post, key)
                results.append(result)
            if isinstance(result, Retry):
                continue
            self.outbox.pop(0)
            if post.kind is DeskPostKind.CARD and isinstance(result, Sent):
                self.refer(post.ticket_id, result.external_id)
        return results

    def refer(self, ticket_id: TicketId, desk_reference: str) -> None:
        """Keep what the desk calls a ticket's card."""
        view = self.views[ticket_id]
        self.views[ticket_id] = replace(view, ticket=replace(view.ticket, desk_reference=desk_reference))

    async def claim(self, ticket_id: TicketId, agent: Agent, key: str) -> Ticket:
        """Make the agent the owner."""
        if self._is_new(key):
            view = self._open(ticket_id)
            if view.ticket.state is TicketState.CLAIMED and view.ticket.agent != agent:
                raise DeskError(
                    f"{view.ticket.agent.name if view.ticket.agent else 'Somebody'} already has this ticket."
                )
            self._change(ticket_id, state=TicketState.CLAIMED, agent=agent, claimed_at=self.now())
            self._log("claimed", ticket_id, agent, "", key)
        return self.views[ticket_id].ticket

    async def reply(
        self, ticket_id: TicketId, agent: Agent, text: str, attachments: tuple[Attachment, ...], key: str
    ) -> MessageId:
        """Send the customer a message."""
        message_id = message_id_of(key)
        if self._is_new(key):
            view = self._open(ticket_id)
            if view.ticket.state is TicketState.QUEUED:
                self._change(ticket_id, state=TicketState.CLAIMED, agent=agent, claimed_at=self.now())
            entry = replace(
                self._line(Author.AGENT, text, agent.name),
                id=message_id,
                attachments=attachments,
                delivery=DeliveryState.PENDING,
            )
            self._append(ticket_id, entry)
            self.sent.append((ticket_id, text, attachments))
            self._log("reply", ticket_id, agent, text, key)
            self._post(ticket_id, DeskPostKind.LINE, message_id)
        return message_id

    async def note(self, ticket_id: TicketId, agent: Agent, text: str, key: str) -> None:
        """Keep a remark."""
        if self._is_new(key):
            self._open(ticket_id)
            self._log("note", ticket_id, agent, text, key)

    async def resolve(self, ticket_id: TicketId, agent: Agent, outcome: str, key: str) -> Ticket:
        """Close the ticket."""
        return self._close(TicketState.RESOLVED, ticket_id, agent, outcome, key)

    async def hand_back(self, ticket_id: TicketId, agent: Agent, outcome: str, key: str) -> Ticket:
        """Give the conversation back to the bot."""
        return self._close(TicketState.HANDED_BACK, ticket_id, agent, outcome, key)

    async def view(self, ticket_id: TicketId) -> TicketView | None:
        """Return the ticket, or none."""
        if self.broken:
            raise self.broken
        return self.views.get(ticket_id)

    async def open_tickets(self) -> list[TicketView]:
        """Return the queue, then the claimed ones."""
        views = [view for view in self.views.values() if view.ticket.state.is_open]
        return sorted(views, key=lambda view: (view.ticket.state is TicketState.CLAIMED, view.ticket.number))

    async def by_reference(self, desk_reference: str) -> TicketId | None:
        """Return the ticket of a card."""
        found = (t for t, view in self.views.items() if view.ticket.desk_reference == desk_reference)
        return next(found, None)

    def _close(self, state: TicketState, ticket_id: TicketId, agent: Agent, outcome: str, key: str) -> Ticket:
        if self._is_new(key):
            self._open(ticket_id)
            self._change(ticket_id, state=state, agent=agent, outcome=outcome, closed_at=self.now())
            self._log(state.value, ticket_id, agent, outcome, key)
        return self.views[ticket_id].ticket

    def _is_new(self, key: str) -> bool:
        if self.broken:
            raise self.broken
        return key not in self._done

    def _open(self, ticket_id: TicketId) -> TicketView:
        view = self.views.get(ticket_id)
        if view is None:
            raise DeskError("There is no such ticket.")
        if not view.ticket.state.is_open:
            raise DeskError("This ticket is closed.")
        return view

    def _change(self, ticket_id: TicketId, **values: object) -> None:
        view = self.views[ticket_id]
        ticket: Ticket = replace(view.ticket, **values)  # type: ignore[arg-type]
        place = view.place_in_queue if ticket.state is TicketState.QUEUED else None
        self.views[ticket_id] = replace(view, ticket=ticket, place_in_queue=place)
        self._post(ticket_id, DeskPostKind.CARD)

    def _log(self, kind: str, ticket_id: TicketId, agent: Agent, text: str, key: str) -> None:
        self._done[key] = True
        self.log.append((kind, ticket_id, agent.name, text))
        view = self.views[ticket_id]
        event = TicketEvent(at=self.now(), kind=kind, agent=agent, detail=text)
        self.views[ticket_id] = replace(view, events=(*view.events, event))

    def _append(self, ticket_id: TicketId, entry: TranscriptLine) -> None:
        view = self.views[ticket_id]
        self.views[ticket_id] = replace(view, transcript=(*view.transcript, entry))

    def _post(self, ticket_id: TicketId, kind: DeskPostKind, message_id: MessageId | None = None) -> None:
        post = DeskPost(ticket_id=ticket_id, kind=kind, message_id=message_id)
        self.outbox.append((post, f"desk:{len(self._done)}:{self.now().timestamp():.0f}"))

    def _line(self, author: Author, text: str, name: str | None = None) -> TranscriptLine:
        at = self.now()
        return TranscriptLine(
            id=MessageId(f"{int(at.timestamp()):032x}"),
            author=author,
            author_name=name,
            text=text,
            attachments=(),
            choices=(),
            at=at,
            delivery=None,
        )


@dataclass
class FakeMediaStore:
    """Files in memory."""

    files: dict[MediaId, tuple[Attachment, bytes]] = field(default_factory=dict)
    #: in bytes
    size_max: int = 1_000_000

    async def put(self, content: bytes, attachment: Attachment) -> Attachment:
        """Keep the bytes."""
        if len(content) > self.size_max:
            raise MediaError(f"{attachment.name} is too large.")
        media_id = MediaId(f"{len(self.files) + 1:032x}")
        kept = replace(attachment, media_id=media_id, size=len(content), reference="")
        self.files[media_id] = (kept, content)
        return kept

    async def get(self, media_id: MediaId) -> tuple[Attachment, bytes] | None:
        """Return the file, or none."""
        return self.files.get(media_id)
