from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta

import pytest

from bot.domain.acts import Claim, Note, Release, Reply, Resolve, Transfer
from bot.domain.customers import CustomerId
from bot.domain.desk import DeskPostKind
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.hours import BusinessHours, Span
from bot.domain.promises import PromisePolicy
from bot.domain.rules import Assignment, Rules, Team
from bot.domain.shifts import Availability
from bot.domain.tickets import Agent, AgentId, TeamName, Ticket, TicketState
from bot.pipeline.desk.acts import DeskParts
from bot.pipeline.desk.shifts import Shifts
from bot.store import conversations
from tests.pipeline.rig import KIM, PLAIN, SAM, Rig, handoff, turn

CARE, ORDERS = TeamName("care"), TeamName("orders")
THERE, AWAY = Availability(is_available=True), Availability(is_available=False)


@pytest.fixture
def rules() -> Rules:
    """Return a team whose tickets are claimed, and one whose tickets are given out."""
    return replace(
        PLAIN,
        hours=BusinessHours(week=tuple(Span(weekday=day, opens=time(8), closes=time(20)) for day in range(7))),
        teams=(
            Team(
                name=ORDERS,
                title="Orders",
                topics=frozenset({"order"}),
                assign=Assignment.ROUND_ROBIN,
                capacity=2,
                slack_channel="CORDERS",
            ),
            Team(name=CARE, title="Care"),
        ),
        policies=(PromisePolicy(name="usual", first_response=timedelta(minutes=30)),),
    )


@pytest.fixture
def shifts(rig: Rig) -> Shifts:
    """Return the shifts of the pipeline's desk."""
    rig.engine.by_text["person please"] = handoff()
    about_orders = HandoffRequest(reason=Reason.OTHER, topic="an order", summary="It is about an order.")
    rig.engine.by_text["order"] = turn("A colleague will answer you.", handoff=about_orders)
    parts = DeskParts(
        database=rig.database, clock=rig.clock, directory=rig.directory, desk=rig.converse_parts.desk, rules=rig.rules
    )
    return Shifts(parts, rig.desk)


async def _ticket(rig: Rig, customer: str) -> Ticket:
    ticket = await rig.open_ticket(customer)
    assert ticket is not None
    return ticket


async def _owner(rig: Rig, customer: str) -> AgentId | None:
    agent = (await _ticket(rig, customer)).agent
    return agent.id if agent else None


async def test_who_left_is_given_nothing_and_is_away(rig: Rig, shifts: Shifts) -> None:
    """When a ticket is to be given out, it is asked who still works here; the others have it."""

    async def may_work(agent: Agent) -> bool:
        return agent.id != SAM.id

    for parts in (shifts._parts, rig.worker._parts):
        object.__setattr__(parts, "may_work", may_work)
    await shifts.set_availability(SAM, THERE)
    await shifts.set_availability(KIM, THERE)
    assert await shifts.availability(SAM) == THERE
    await rig.writes("order")
    await rig.worker._keep_promises()
    assert await _owner(rig, "ann") == KIM.id
    assert await shifts.availability(SAM) == AWAY
    assert await shifts.availability(KIM) == THERE


async def test_who_left_gets_no_customer_back(rig: Rig, shifts: Shifts) -> None:
    """Where tickets are claimed as well it is asked who still works here: no ticket waits for those who do not."""
    rules = replace(rig.rules, reopen_within=timedelta(hours=1))
    object.__setattr__(rig.converse_parts, "rules", rules)

    async def nobody(_: Agent) -> bool:
        return False

    await rig.writes("person please")
    await shifts.set_availability(SAM, THERE)
    await rig.act(Resolve(), SAM)
    object.__setattr__(rig.worker._parts, "may_work", nobody)
    await rig.wait_out(minutes=6)
    await rig.writes("person please")
    ticket = await _ticket(rig, "ann")
    assert (ticket.number, ticket.state) == (1, TicketState.QUEUED)
    assert await shifts.availability(SAM) == AWAY


async def test_who_says_nothing_is_away(rig: Rig, shifts: Shifts) -> None:
    """Somebody new is away; who is there or away stays so, and who said when is back by then."""
    assert await shifts.availability(SAM) == AWAY
    await shifts.set_availability(SAM, THERE)
    assert await shifts.availability(SAM) == THERE
    back_at = rig.clock.now() + timedelta(hours=1)
    await shifts.set_availability(SAM, Availability(is_available=False, back_at=back_at, teams=(ORDERS,), capacity=3))
    known = await shifts.availability(SAM)
    assert (known.back_at, known.teams, known.capacity) == (back_at, (ORDERS,), 3)
    assert not known.is_there(rig.clock.now())
    assert known.is_there(back_at)


async def test_the_most_urgent_ticket_of_ones_teams_comes_next(rig: Rig, shifts: Shifts) -> None:
    """The next ticket is the most urgent that waits for the agent's teams; a repeat claims no second one."""
    await rig.writes("order", "olga")
    rig.clock.pass_(minutes=1)
    await rig.writes("person please", "ann")
    rig.clock.pass_(minutes=1)
    await rig.writes("person please", "bob")
    await shifts.set_availability(SAM, Availability(is_available=True, teams=(CARE,)))
    first = await shifts.next_for(SAM, "n1")
    again = await shifts.next_for(SAM, "n1")
    assert first is not None
    assert again is not None
    assert first.ticket.id == again.ticket.id == (await _ticket(rig, "ann")).id
    second = await shifts.next_for(SAM, "n2")
    assert second is not None
    assert second.ticket.id == (await _ticket(rig, "bob")).id
    assert await shifts.next_for(SAM, "n3") is None
    third = await shifts.next_for(KIM, "n4")
    assert third is not None
    assert third.ticket.id == (await _ticket(rig, "olga")).id


async def test_tickets_are_given_out_in_turn(rig: Rig, shifts: Shifts) -> None:
    """Each gets one after the other until nobody has room; who is given one is told, and the customer too."""
    await shifts.set_availability(SAM, THERE)
    await shifts.set_availability(KIM, THERE)
    for n in range(5):
        await rig.writes("order", f"c{n}")
        await rig.sweep()
        rig.clock.pass_(seconds=1)
    await rig.settle()
    owners = [await _owner(rig, f"c{n}") for n in range(5)]
    assert owners[0] != owners[1]
    assert owners == [*owners[:2], *owners[:2], None]
    assert "Kim has joined" in rig.seen("c0")[-1] + rig.seen("c1")[-1]
    told = [post for post in rig.poster.of(DeskPostKind.NOTICE) if "whose turn it is" in post.text]
    assert {mention for post in told for mention in post.mentions} == {"sam", "kim"}


async def test_room_is_filled_when_there_is_some(rig: Rig, shifts: Shifts) -> None:
    """What waits is given out when a ticket is closed, and when somebody comes; a claimed team's tickets are not."""
    await rig.writes("person please", "ann")
    for n in range(3):
        await rig.writes("order", f"c{n}")
    await shifts.set_availability(SAM, THERE)
    assert [await _owner(rig, f"c{n}") for n in range(3)] == [SAM.id, SAM.id, None]
    await rig.desk.do((await _ticket(rig, "c0")).id, SAM, Resolve(outcome="done"), "r1")
    await rig.sweep()
    assert await _owner(rig, "c2") == SAM.id
    assert await _owner(rig, "ann") is None


async def test_a_customer_comes_back_to_who_knows_them(rig: Rig, shifts: Shifts) -> None:
    """Whoever had a customer's last ticket gets the next one, even when it is another's turn."""
    await shifts.set_availability(SAM, THERE)
    await rig.writes("order", "ann")
    await rig.sweep()
    await rig.desk.do((await _ticket(rig, "ann")).id, SAM, Resolve(outcome="done"), "r1")
    await rig.settle()
    await shifts.set_availability(KIM, THERE)
    await rig.writes("order", "ann")
    await rig.sweep()
    assert await _owner(rig, "ann") == SAM.id


async def test_a_customer_is_known_on_every_channel(rig: Rig, shifts: Shifts) -> None:
    """Whoever had a customer's last ticket gets the next one, from wherever the customer writes."""
    await shifts.set_availability(SAM, THERE)
    await rig.writes("order", "ann")
    await rig.sweep()
    await rig.desk.do((await _ticket(rig, "ann")).id, SAM, Resolve(outcome="done"), "r1")
    await rig.writes("hello", "ann at work")
    for address in ("ann", "ann at work"):
        conversation = await rig.conversation(address)
        await rig.database.write(
            conversations.bind_customer, conversation.address, CustomerId("c1"), "a proof", rig.clock.now()
        )
    await shifts.set_availability(KIM, THERE)
    await rig.writes("order", "ann at work")
    await rig.sweep()
    assert await _owner(rig, "ann at work") == SAM.id


async def test_only_who_works_for_a_team_is_given_its_tickets(rig: Rig, shifts: Shifts) -> None:
    """Somebody of another team is not given a ticket, and a ticket that moves is given out there."""
    await shifts.set_availability(KIM, Availability(is_available=True, teams=(CARE,)))
    await rig.writes("order", "olga")
    await rig.writes("person please", "ann")
    await rig.sweep()
    assert await _owner(rig, "olga") is None
    await shifts.set_availability(SAM, Availability(is_available=True, teams=(ORDERS,)))
    assert await _owner(rig, "olga") == SAM.id
    await rig.desk.do((await _ticket(rig, "ann")).id, KIM, Transfer(team=ORDERS), "t1")
    await rig.sweep()
    ticket = await _ticket(rig, "ann")
    assert (ticket.team, ticket.state, ticket.agent) == (ORDERS, TicketState.CLAIMED, SAM)


async def test_nothing_is_given_out_of_hours(rig: Rig, shifts: Shifts) -> None:
    """Whoever forgot to say that they have left is given nothing at night."""
    await shifts.set_availability(SAM, THERE)
    rig.clock.pass_(hours=11)
    await rig.writes("order", "olga")
    await rig.sweep()
    assert await _owner(rig, "olga") is None
    rig.clock.pass_(hours=10)
    await rig.sweep()
    assert await _owner(rig, "olga") == SAM.id


async def test_the_numbers_of_the_day(rig: Rig, shifts: Shifts) -> None:
    """Today's numbers count what was closed, how soon people were answered, and which promises were kept."""
    assert (await shifts.numbers()).handled_count == 0
    for minutes, customer, agent in ((10, "ann", SAM), (20, "bob", SAM), (40, "cy", KIM)):
        await rig.writes("person please", customer)
        await rig.wait_out(minutes=minutes)
        ticket_id = (await _ticket(rig, customer)).id
        await rig.desk.do(ticket_id, agent, Reply(text="Hello."), f"r-{customer}")
        await rig.desk.do(ticket_id, agent, Resolve(outcome="done"), f"x-{customer}")
    await rig.writes("person please", "dee")
    await rig.desk.do((await _ticket(rig, "dee")).id, SAM, Note(text="nothing yet"), "n1")
    everybody, sams = await shifts.numbers(), await shifts.numbers(SAM)
    assert (everybody.handled_count, everybody.promised_count, everybody.kept_count) == (3, 3, 2)
    assert everybody.first_response == timedelta(minutes=20)
    assert (sams.handled_count, sams.kept_count, sams.first_response) == (2, 2, timedelta(minutes=15))
    assert (sams.rated_count, sams.rating) == (0, None)
    rig.clock.pass_(hours=24)
    assert (await shifts.numbers()).handled_count == 0


async def test_leads_see_who_has_what(rig: Rig, shifts: Shifts) -> None:
    """A team's load names its queue, who waits longest, who has how much, and what is late."""
    for customer in ("ann", "bob", "cy"):
        await rig.writes("person please", customer)
        rig.clock.pass_(minutes=1)
    await shifts.set_availability(KIM, Availability(is_available=True, teams=(CARE,)))
    ann, bob = await _ticket(rig, "ann"), await _ticket(rig, "bob")
    await rig.desk.do(ann.id, SAM, Claim(), "c1")
    await rig.desk.do(bob.id, SAM, Claim(), "c2")
    await rig.desk.do(bob.id, SAM, Release(), "x2")
    await rig.wait_out(minutes=28.5)
    orders, care = await shifts.load()
    assert (orders.title, orders.queued_count, orders.waiting_since, orders.agents) == ("Orders", 0, None, ())
    assert (care.queued_count, care.waiting_since, care.overdue) == (2, bob.opened_at, (ann.id, bob.id))
    assert [(load.agent, load.is_there, load.ticket_count, load.overdue_count) for load in care.agents] == [
        (KIM, True, 0, 0),
        (SAM, False, 1, 1),
    ]
    assert (orders.broken_count, care.broken_count) == (0, 2)
    rig.clock.pass_(hours=24)
    assert [team.broken_count for team in await shifts.load()] == [0, 0]


async def test_leads_see_who_is_full(rig: Rig, shifts: Shifts) -> None:
    """Where tickets are given out, an agent's load is told with all they have and how much they are given at most."""
    await rig.writes("person please", "ann")
    await rig.desk.do((await _ticket(rig, "ann")).id, SAM, Claim(), "c1")
    await rig.writes("order", "olga")
    await shifts.set_availability(SAM, THERE)
    orders, care = await shifts.load()
    known = [(load.ticket_count, load.load_count, load.capacity) for load in (*orders.agents, *care.agents)]
    assert known == [(1, 2, 2), (1, 2, None)]
