"""An afternoon at the sample brand's desk: the tickets that the pictures show."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.domain.assurance import Level
from bot.domain.channels import ChannelName
from bot.domain.clocks import ClockKind, ClockState, TicketClock
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.messages import Author, DeliveryState, MessageId, TranscriptLine
from bot.domain.shifts import AgentLoad, Numbers, TeamLoad
from bot.domain.suggestions import Suggestion, SuggestionId, SuggestionState
from bot.domain.tickets import Agent, AgentId, Priority, TeamName, TicketId, TicketState, TicketView
from tests.desk.records import dana, queued_view

NOW = datetime(2026, 11, 20, 14, 12, tzinfo=UTC)
SAM = Agent(id=AgentId("slack:U0SAM"), name="Sam")
KIM = Agent(id=AgentId("slack:U0KIM"), name="Kim")
RETURNS = TeamName("returns")


def ago(minutes: float) -> datetime:
    """Return a moment so many minutes before the picture is taken."""
    return NOW - timedelta(minutes=minutes)


def line(number: int, author: Author, text: str, minutes: float, **more: object) -> TranscriptLine:
    """Return one line of a conversation."""
    names = {Author.CUSTOMER: "Dana Fox", Author.AGENT: "Sam"}
    entry = TranscriptLine(
        id=MessageId(f"{number:032x}"),
        author=author,
        author_name=names.get(author),
        text=text,
        attachments=(),
        choices=(),
        at=ago(minutes),
        delivery=None,
    )
    return replace(entry, **more)  # type: ignore[arg-type]


def broken_mug() -> TicketView:
    """Return a ticket that waits: an upset customer, two promises, a draft of the bot."""
    request = HandoffRequest(
        reason=Reason.ANGER,
        topic="broken on arrival",
        summary="The speckled mug of CL-104233 arrived broken, for the second time. She wants her money back.",
        tried=("looked up CL-104233", "offered a return label"),
        order_number="CL-104233",
    )
    view = queued_view(request, "Dana Fox", dana())
    said = (
        line(1, Author.CUSTOMER, "hi, my mug came broken AGAIN", 9),
        line(2, Author.BOT, "I am sorry to hear that! I can send you a return label for CL-104233.", 8.9),
        line(3, Author.CUSTOMER, "no label. second time now. I just want my £14 back", 8),
        line(4, Author.BOT, "I have asked a colleague to take over. You are next in line.", 7.9),
    )
    ticket = replace(
        view.ticket,
        id=TicketId(f"{118:032x}"),
        number=118,
        opened_at=ago(8),
        team=RETURNS,
        priority=Priority.URGENT,
        tags=("broken", "mug"),
        waiting_since=ago(8),
        desk_reference="C0CARE:1795270000.000100",
    )
    due = TicketClock(kind=ClockKind.FIRST_RESPONSE, state=ClockState.WARNED, due_at=ago(-7))
    window = TicketClock(kind=ClockKind.REPLY_WINDOW, state=ClockState.RUNNING, due_at=ago(-23 * 60 + 8))
    draft = Suggestion(
        id=SuggestionId(f"{1:032x}"),
        message_id=MessageId(f"{3:032x}"),
        text="I have found your order CL-104233: Speckled mug, £14.00, delivered. A refund goes back the way you paid "
        "and takes three to five working days.",
        intent="request_refund",
        confidence=0.94,
        state=SuggestionState.OFFERED,
        at=ago(8),
    )
    return replace(
        view,
        ticket=ticket,
        team_title="Returns and refunds",
        transcript=said,
        clocks=(due, window),
        suggestions=(draft,),
        level=Level.L1,
        place_in_queue=1,
    )


def in_work() -> TicketView:
    """Return the same ticket once Sam has it and has answered."""
    view = broken_mug()
    answers = (
        line(
            5,
            Author.AGENT,
            "Hello Dana, I am so sorry – twice is two times too many. I have refunded £14.00 for CL-104233.",
            4,
            delivery=DeliveryState.READ,
        ),
        line(6, Author.CUSTOMER, "thank you!! how long does it take?", 2),
    )
    ticket = replace(view.ticket, state=TicketState.CLAIMED, agent=SAM, claimed_at=ago(6))
    due = TicketClock(kind=ClockKind.NEXT_RESPONSE, state=ClockState.RUNNING, due_at=ago(-13))
    promised = TicketClock(
        kind=ClockKind.PROMISE, state=ClockState.RUNNING, due_at=ago(-44 * 60), detail="check that the refund arrived"
    )
    draft = replace(
        view.suggestions[0],
        message_id=MessageId(f"{6:032x}"),
        text="Refunds go back the way you paid and usually take three to five working days to show.",
        intent="refund_status",
        confidence=0.91,
    )
    return replace(
        view,
        ticket=ticket,
        transcript=(*view.transcript, *answers),
        clocks=(due, view.clocks[1], promised),
        suggestions=(draft,),
        place_in_queue=None,
    )


def other(number: int, topic: str, name: str, channel: ChannelName, agent: Agent | None = None) -> TicketView:
    """Return another ticket of the afternoon."""
    request = HandoffRequest(reason=Reason.EXPLICIT_WISH, topic=topic, summary="")
    view = queued_view(request, name, None)
    address = replace(view.conversation.address, channel=channel)
    ticket = replace(
        view.ticket,
        id=TicketId(f"{number:032x}"),
        number=number,
        opened_at=ago(130 - number),
        state=TicketState.CLAIMED if agent else TicketState.QUEUED,
        agent=agent,
        desk_reference=f"C0CARE:17952{number}.000100",
    )
    state = ClockState.BROKEN if number == 112 else ClockState.RUNNING
    due = TicketClock(kind=ClockKind.NEXT_RESPONSE, state=state, due_at=ago((115 - number) * 8))
    return replace(view, ticket=ticket, conversation=replace(view.conversation, address=address), clocks=(due,))


def numbers() -> Numbers:
    """Return an agent's day so far."""
    return Numbers(
        handled_count=14,
        first_response=timedelta(minutes=4),
        promised_count=13,
        kept_count=12,
        rated_count=9,
        rating=4.7,
    )


def load() -> list[TeamLoad]:
    """Return what two teams have."""

    def one(agent: Agent, count: int, late: int, *, is_there: bool = True) -> AgentLoad:
        return AgentLoad(
            agent=agent,
            is_there=is_there,
            back_at=None,
            ticket_count=count,
            overdue_count=late,
            load_count=count,
            capacity=4,
        )

    lee = Agent(id=AgentId("slack:U0LEE"), name="Lee")
    return [
        TeamLoad(
            team=RETURNS,
            title="Returns and refunds",
            queued_count=2,
            waiting_since=ago(8),
            overdue=(TicketId("1"),),
            broken_count=1,
            agents=(one(KIM, 4, 1), one(SAM, 2, 0)),
        ),
        TeamLoad(
            team=TeamName("orders"),
            title="Orders",
            queued_count=0,
            waiting_since=None,
            overdue=(),
            broken_count=0,
            agents=(one(lee, 1, 0, is_there=False),),
        ),
    ]
