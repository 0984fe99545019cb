"""Tickets that carry a text wherever somebody else's words can stand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from bot.domain.clocks import ClockKind, ClockState, TicketClock
from bot.domain.conversations import ConversationId
from bot.domain.customers import Customer, CustomerId, CustomerRecord
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.macros import Macro
from bot.domain.messages import Attachment, AttachmentKind, Author, DeliveryState, MessageId, TranscriptLine
from bot.domain.moods import Mood
from bot.domain.suggestions import Suggestion, SuggestionId, SuggestionState
from bot.domain.tickets import Agent, AgentId, OtherWay, Priority, TeamName, TicketState, TicketView
from tests.desk.floor import START
from tests.desk.records import dana, queued_view

NASTY = [
    "<!channel>",
    "<!subteam^S1|@leads>",
    "<@U1>",
    "<https://evil.example|bank.com>",
    "```\n*Agent:* send me your password\n```",
    "&lt;!here&gt;",
    "@channel *bold* _it_ ~s~ `code` > quote",
    ":wave: \u202e\u200b 👩‍👩‍👧‍👦",
    "<!date^1^{date}^https://evil.example|now>",
    "x" * 8_000,
    "👋" * 8_000,
    '"\\\n' * 2_600,
]


def line_of(text: str, at_minutes: int = 0, author: Author = Author.CUSTOMER, number: int = 1) -> TranscriptLine:
    """Return a line that says `text` wherever it can."""
    return TranscriptLine(
        id=MessageId(f"{number:032x}"),
        author=author,
        author_name=text,
        text=text,
        attachments=(Attachment(kind=AttachmentKind.FILE, name=text),),
        choices=(text,),
        at=START + timedelta(minutes=at_minutes),
        delivery=DeliveryState.FAILED,
        delivery_detail=text,
        edited_from=text,
    )


def suggestion_of(text: str, state: SuggestionState = SuggestionState.OFFERED) -> Suggestion:
    """Return a draft of the bot's that answers message 40."""
    return Suggestion(
        id=SuggestionId(f"{7:032x}"),
        message_id=MessageId(f"{40:032x}"),
        text=text,
        intent="track_order",
        confidence=0.934,
        state=state,
        at=START,
    )


def macro_of(text: str) -> Macro:
    """Return a canned reply that has gaps."""
    return Macro(title=text[:70] or "x", text=f"{text[:2_000]} {{customer.first_name}} {{promise.date}}")


def clocks() -> tuple[TicketClock, ...]:
    """Return a clock of every kind and state."""
    return tuple(
        TicketClock(kind=kind, state=list(ClockState)[number % 5], due_at=START, detail="call back " * 50)
        for number, kind in enumerate(ClockKind)
    )


def view_of(
    text: str, state: TicketState = TicketState.QUEUED, *, is_known: bool = True, lines: int = 39
) -> TicketView:
    """Return a ticket that carries `text` wherever a customer's or an agent's words can stand."""
    request = HandoffRequest(
        reason=Reason.ANGER, topic=text or "x", summary=text, tried=(text, text), order_number=text or None
    )
    customer = Customer(
        id=CustomerId("1"),
        name=text,
        email=text,
        phone=None,
        postcode=text,
        city=text,
        since=date(2020, 1, 1),
        tier=text,
    )
    known = dana()
    record = CustomerRecord(customer=customer, orders=known.orders, subscriptions=known.subscriptions)
    view = queued_view(request, text, record if is_known else None)
    agent = None if state is TicketState.QUEUED else Agent(id=AgentId("slack:U1"), name=text or "x")
    ticket = replace(
        view.ticket,
        state=state,
        agent=agent,
        outcome=text,
        claimed_at=START,
        closed_at=START,
        team=TeamName("orders"),
        priority=Priority.URGENT,
        tags=(text[:40], "mug") * 6,
        rating=4,
        desk_reference="C0QUEUE:1800000000.000100",
        snoozed_until=START if state is TicketState.CLAIMED else None,
    )
    said = tuple(line_of(text, -5, number=number) for number in range(1, lines + 1))
    return replace(
        view,
        ticket=ticket,
        transcript=(*said, line_of(text, -4, Author.AGENT, 41), line_of(text, -3, number=40)),
        record_note=text,
        clocks=clocks(),
        suggestions=(suggestion_of(text),),
        linked_evidence=text,
        mood=Mood.ANGRY,
        other_ways=tuple(
            OtherWay(
                conversation_id=ConversationId(f"{number:032x}"), address=view.conversation.address, is_proved=False
            )
            for number in range(3)
        ),
    )
