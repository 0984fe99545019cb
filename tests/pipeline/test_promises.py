from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from bot.domain.acts import Claim, HandBack, Note, Promise, Release, Reply, Resolve, SetPriority, Snooze, Wake
from bot.domain.clocks import ClockKind, ClockState, TicketClock
from bot.domain.conversations import Owner
from bot.domain.desk import DeskPostKind
from bot.domain.handoff import Reason
from bot.domain.hours import BusinessHours, Span
from bot.domain.messages import Echo
from bot.domain.promises import PromisePolicy
from bot.domain.rules import Rules, Team
from bot.domain.shifts import Availability
from bot.domain.tickets import EVERYBODY, Priority, Ticket, TicketState
from bot.pipeline import overdue, promises
from bot.pipeline.watch import BROKEN_EVENT
from bot.store import agents, tickets
from tests.pipeline.rig import PLAIN, SAM, Rig, handoff

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def rules() -> Rules:
    """Return promises for a Wednesday's office hours, and a channel that closes after four hours."""
    return replace(
        PLAIN,
        hours=BusinessHours(week=tuple(Span(weekday=day, opens=time(9), closes=time(17)) for day in range(5))),
        policies=(
            PromisePolicy(name="urgent", first_response=10 * MINUTE, priorities=frozenset({Priority.URGENT})),
            PromisePolicy(name="usual", first_response=HOUR, next_response=2 * HOUR, resolution=6 * HOUR),
        ),
        reply_windows={"fake/brand": 4 * HOUR},
        teams=(Team(name=EVERYBODY, title="Care", user_group="S1", on_call=("U7", "U8")),),
        leads=("ULEAD",),
        widen_after=20 * MINUTE,
        on_call_after=30 * MINUTE,
    )


@pytest.fixture
async def asked(rig: Rig) -> Rig:
    """Return the pipeline with Ann in the queue since noon."""
    rig.engine.by_text["person please"] = handoff()
    await rig.writes("person please")
    return rig


async def _ticket(rig: Rig, customer: str = "ann") -> Ticket:
    ticket = await rig.open_ticket(customer)
    assert ticket is not None
    return ticket


async def _clocks(rig: Rig) -> Mapping[ClockKind, TicketClock]:
    conversation = await rig.conversation()
    ticket = await rig.database.read(tickets.last_of, conversation.id)
    assert ticket is not None
    view = await rig.desk.view(ticket.id)
    assert view is not None
    return {clock.kind: clock for clock in view.clocks}


def _told(rig: Rig) -> list[tuple[str, tuple[str, ...]]]:
    """Return what agents were told in the thread, and who was called."""
    return [(post.text, post.mentions) for post in rig.poster.of(DeskPostKind.NOTICE)]


async def test_a_ticket_starts_its_clocks(asked: Rig) -> None:
    """From its first moment a ticket has the promises of its kind, the channel's window and a time to be claimed."""
    clocks = await _clocks(asked)
    due = {kind: clock.due_at - NOON for kind, clock in clocks.items()}
    assert due == {
        ClockKind.FIRST_RESPONSE: HOUR,
        ClockKind.RESOLUTION: 22 * HOUR,
        ClockKind.REPLY_WINDOW: 4 * HOUR,
        ClockKind.UNCLAIMED: 20 * MINUTE,
    }
    ticket = await _ticket(asked)
    assert (ticket.next_due_at, ticket.waiting_since) == (NOON + HOUR, NOON)


async def test_a_reply_meets_what_was_due_and_awaits_the_customer(asked: Rig) -> None:
    """After a reply nothing is owed and the solution's time stands still until the customer writes."""
    asked.clock.pass_(minutes=30)
    await asked.desk.do((await _ticket(asked)).id, SAM, Reply(text="On it."), "r1")
    clocks, ticket = await _clocks(asked), await _ticket(asked)
    assert {kind: clocks[kind].state for kind in clocks} == {
        ClockKind.FIRST_RESPONSE: ClockState.MET,
        ClockKind.RESOLUTION: ClockState.PAUSED,
        ClockKind.REPLY_WINDOW: ClockState.MET,
    }
    assert (ticket.next_due_at, ticket.waiting_since) == (None, None)
    assert ticket.first_replied_at == asked.clock.now()
    asked.clock.pass_(hours=1)
    await asked.writes("and now?")
    clocks, ticket, now = await _clocks(asked), await _ticket(asked), asked.clock.now()
    assert clocks[ClockKind.NEXT_RESPONSE].due_at == now + 2 * HOUR
    assert clocks[ClockKind.RESOLUTION].due_at == NOON + 23 * HOUR
    assert clocks[ClockKind.REPLY_WINDOW].due_at == now + 4 * HOUR
    assert (ticket.next_due_at, ticket.waiting_since) == (now + 2 * HOUR, now)
    asked.clock.pass_(minutes=5)
    await asked.writes("hello?")
    assert (await _ticket(asked)).waiting_since == now


async def test_who_answers_on_the_channel_itself_is_not_called(rig: Rig) -> None:
    """A ticket of the brand's phone warns like any other, and calls only those whom the desk knows."""
    await rig.writes("hello?")
    address = rig.connector.address("ann")
    await rig.bring(Echo(address=address, external_id="phone-1", text="Hi, Lou here.", author_name="Lou"))
    await rig.settle()
    await rig.writes("and my parcel?")
    await rig.wait_out(minutes=121)
    assert [mentions for _, mentions in _told(rig)] == [(), ("ULEAD",)]


async def test_people_are_warned_and_what_is_late_is_marked(asked: Rig) -> None:
    """Agents are told before something is due, and again with their lead when it is late; an answer mends no mark."""
    await asked.desk.do((await _ticket(asked)).id, SAM, Claim(), "c1")
    await asked.wait_out(minutes=48)
    assert _told(asked) == [("⏳ The first answer is due by 13:00, 12 minutes from now.", ("sam",))]
    await asked.wait_out(minutes=13)
    assert _told(asked)[1:] == [("🔴 The first answer was promised by 13:00 and is late.", ("sam", "ULEAD"))]
    assert (await _ticket(asked)).next_due_at == NOON + HOUR
    await asked.desk.do((await _ticket(asked)).id, SAM, Reply(text="Sorry!"), "r1")
    await asked.wait_out(minutes=5)
    assert (await _clocks(asked))[ClockKind.FIRST_RESPONSE].state is ClockState.BROKEN
    assert (await _ticket(asked)).next_due_at is None
    assert len(_told(asked)) == 2
    events = (await asked.view()).events
    assert [event.detail for event in events if event.kind == BROKEN_EVENT] == ["first_response"]


async def test_two_workers_warn_once(asked: Rig) -> None:
    """However many processes look after tickets at once, people are told each thing once."""
    asked.clock.pass_(minutes=50)
    writer = asked.worker._parts.writer()
    await asyncio.gather(*(overdue.sweep(asked.database, writer) for _ in range(4)))
    await asked.settle()
    assert len(_told(asked)) == 2
    assert {text[0] for text, _ in _told(asked)} == {"⏳", "🔔"}


async def test_an_open_ticket_keeps_its_promise(asked: Rig) -> None:
    """What the settings say later holds for later tickets; an open one keeps what was promised when it was opened."""
    await asked.desk.do((await _ticket(asked)).id, SAM, Reply(text="On it."), "r1")
    later = replace(asked.rules, policies=(PromisePolicy(name="slow", next_response=9 * HOUR),))
    writer, ticket = replace(asked.worker._parts.writer(), rules=later), await _ticket(asked)
    await asked.database.write(promises.customer_wrote, writer, ticket)
    assert (await _clocks(asked))[ClockKind.NEXT_RESPONSE].due_at == NOON + 2 * HOUR
    await asked.database.write(promises.priority_changed, writer, ticket)
    assert (await _clocks(asked))[ClockKind.NEXT_RESPONSE].due_at == NOON + timedelta(days=1, hours=1)


async def test_an_answer_that_is_too_late_breaks_the_promise_itself(asked: Rig) -> None:
    """Whether or not a sweep came first, an answer after its time is late."""
    asked.clock.pass_(minutes=61)
    await asked.desk.do((await _ticket(asked)).id, SAM, Reply(text="Sorry!"), "r1")
    assert (await _clocks(asked))[ClockKind.FIRST_RESPONSE].state is ClockState.BROKEN


async def test_more_people_are_asked_while_nobody_claims(asked: Rig) -> None:
    """First the team's group is called, then those on call, and then nobody any more; a release begins anew."""
    await asked.wait_out(minutes=21)
    assert _told(asked) == [("🔔 Ticket 1 has waited 20 minutes for somebody of Care. Who claims it?", ("S1",))]
    await asked.wait_out(minutes=30)
    assert [called for _, called in _told(asked)][-1] == ("U7", "U8")
    count = len(_told(asked))
    await asked.wait_out(minutes=5)
    assert len(_told(asked)) == count
    await asked.desk.do((await _ticket(asked)).id, SAM, Claim(), "c1")
    await asked.desk.do((await _ticket(asked)).id, SAM, Release(), "x1")
    clock = (await _clocks(asked))[ClockKind.UNCLAIMED]
    assert (clock.state, clock.due_at) == (ClockState.RUNNING, asked.clock.now() + 20 * MINUTE)


async def test_a_snooze_stops_the_time_and_ends_by_itself(asked: Rig) -> None:
    """While a ticket is put aside nothing of it falls due but the window; when its time is over it is up again."""
    ticket_id = (await _ticket(asked)).id
    await asked.desk.do(ticket_id, SAM, Claim(), "c1")
    asked.clock.pass_(minutes=30)
    await asked.desk.do(ticket_id, SAM, Snooze(until=NOON + 2 * HOUR), "s1")
    assert (await _clocks(asked))[ClockKind.FIRST_RESPONSE].left == 30 * MINUTE
    await asked.wait_out(minutes=91)
    assert _told(asked) == [("⏰ The snooze is over: this ticket is up again.", ("sam",))]
    ticket, clocks = await _ticket(asked), await _clocks(asked)
    assert ticket.snoozed_until is None
    assert ClockKind.SNOOZE not in clocks
    woken_at = clocks[ClockKind.FIRST_RESPONSE].due_at - 30 * MINUTE
    assert NOON + 2 * HOUR <= woken_at <= asked.clock.now()


@pytest.mark.parametrize("by_customer", [True, False])
async def test_a_snooze_ends_early(asked: Rig, *, by_customer: bool) -> None:
    """The customer's next message ends a snooze, and so does the agent."""
    ticket_id = (await _ticket(asked)).id
    await asked.desk.do(ticket_id, SAM, Claim(), "c1")
    await asked.desk.do(ticket_id, SAM, Snooze(until=NOON + 2 * HOUR), "s1")
    asked.clock.pass_(minutes=10)
    if by_customer:
        await asked.writes("one more thing")
    else:
        await asked.desk.do(ticket_id, SAM, Wake(), "w1")
    assert (await _ticket(asked)).snoozed_until is None
    assert (await _clocks(asked))[ClockKind.FIRST_RESPONSE].due_at == asked.clock.now() + HOUR


async def test_a_higher_priority_leaves_what_is_left_of_a_shorter_time(asked: Rig) -> None:
    """When a ticket becomes urgent, the urgent promise counts, less the time that has gone by."""
    asked.clock.pass_(minutes=4)
    await asked.desk.do((await _ticket(asked)).id, SAM, SetPriority(priority=Priority.URGENT), "p1")
    clocks = await _clocks(asked)
    assert clocks[ClockKind.FIRST_RESPONSE].due_at == NOON + 10 * MINUTE
    assert ClockKind.RESOLUTION not in clocks
    await asked.desk.do((await _ticket(asked)).id, SAM, SetPriority(priority=Priority.LOW), "p2")
    clocks = await _clocks(asked)
    assert clocks[ClockKind.FIRST_RESPONSE].due_at == NOON + HOUR
    assert clocks[ClockKind.RESOLUTION].due_at == NOON + 22 * HOUR


async def test_closing_ends_every_clock(asked: Rig) -> None:
    """Nothing of a closed ticket falls due."""
    await asked.desk.do((await _ticket(asked)).id, SAM, Resolve(outcome="done"), "x1")
    assert all(not clock.state.is_running for clock in (await _clocks(asked)).values())
    await asked.wait_out(minutes=120)
    assert _told(asked) == []


async def test_a_promised_date_is_recalled(asked: Rig) -> None:
    """An agent is reminded of what they promised before it is due; an early answer does not count for it."""
    ticket_id = (await _ticket(asked)).id
    await asked.desk.do(ticket_id, SAM, Promise(text="a refund", due_at=NOON + 3 * HOUR), "p1")
    await asked.desk.do(ticket_id, SAM, Reply(text="Working on it."), "r1")
    assert (await _ticket(asked)).next_due_at == NOON + 3 * HOUR
    await asked.wait_out(minutes=145)
    assert [text for text, _ in _told(asked)] == [
        "⏳ You promised the customer something by 15:00, 36 minutes from now: a refund"
    ]
    await asked.desk.do(ticket_id, SAM, Reply(text="Here it is."), "r2")
    assert (await _clocks(asked))[ClockKind.PROMISE].state is ClockState.MET
    await asked.wait_out(minutes=60)
    assert len(_told(asked)) == 1


@pytest.mark.parametrize("is_there", [True, False])
async def test_a_promise_outlives_its_ticket(asked: Rig, *, is_there: bool) -> None:
    """What was promised when a ticket was handed back opens it again: for its agent if they are there, else queued."""
    ticket_id = (await _ticket(asked)).id
    await asked.database.write(agents.set_availability, SAM, Availability(is_available=is_there), NOON)
    await asked.desk.do(ticket_id, SAM, Claim(), "c1")
    await asked.desk.do(ticket_id, SAM, HandBack(outcome="I asked the roaster."), "h1")
    closed = await asked.database.read(tickets.get, ticket_id)
    assert closed is not None
    due_at = NOON + HOUR
    await asked.database.write(promises.promised, asked.worker._parts.writer(), closed, "news of the roaster", due_at)
    await asked.settle()
    assert await asked.open_ticket() is None
    await asked.wait_out(minutes=61)
    ticket = await _ticket(asked)
    assert ticket.id == ticket_id
    assert ticket.state is (TicketState.CLAIMED if is_there else TicketState.QUEUED)
    assert (await asked.conversation()).owner is (Owner.AGENT if is_there else Owner.QUEUE)
    assert _told(asked)[0] == (
        "⏰ This ticket is open again: the customer was promised something for now: news of the roaster",
        ("sam",),
    )


async def test_the_queue_is_sorted_by_what_is_due_first(asked: Rig) -> None:
    """Who is due first is next, whether by a promise or by the channel's window; a note changes nothing."""
    asked.clock.pass_(minutes=10)
    asked.engine.by_text["outrage"] = handoff(reason=Reason.ANGER)
    await asked.writes("outrage", "bob")
    bob = await _ticket(asked, "bob")
    assert bob.priority is Priority.HIGH
    assert (await asked.view("bob")).place_in_queue == 2
    await asked.desk.do(bob.id, SAM, Note(text="look"), "n1")
    await asked.desk.do(bob.id, SAM, SetPriority(priority=Priority.URGENT), "p1")
    assert (await asked.view("bob")).place_in_queue == 1
    assert (await asked.view("ann")).place_in_queue == 2
    assert next(view.ticket.id for view in await asked.desk.open_tickets()) == bob.id
