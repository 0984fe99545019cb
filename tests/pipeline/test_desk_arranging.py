"""Notes, snoozes, priorities, tags and promises."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.acts import Claim, Promise, Resolve, SetPriority, SetTags, Snooze, Wake
from bot.domain.clocks import ClockKind
from bot.domain.errors import DeskError
from bot.domain.tickets import Priority
from bot.pipeline import phrases
from bot.store import clocks
from tests.pipeline.rig import KIM, SAM, Rig, handoff


@pytest.fixture
async def claimed(rig: Rig) -> Rig:
    """Return the pipeline with Ann's ticket claimed by Sam."""
    rig.engine.by_text["person please"] = handoff("I'll ask a colleague.")
    await rig.writes("person please")
    await rig.act(Claim(), SAM)
    await rig.settle()
    return rig


async def kinds(rig: Rig) -> list[ClockKind]:
    """Return the kinds of the clocks of Ann's ticket."""
    ticket = (await rig.view()).ticket
    return [clock.kind for clock in await rig.database.read(clocks.of, ticket.id)]


async def test_a_snoozed_ticket_sleeps_until_it_is_woken(claimed: Rig) -> None:
    """A snooze is a moment on the ticket and a clock; waking ends both."""
    until = claimed.clock.now() + timedelta(hours=3)
    done = await claimed.act(Snooze(until=until), SAM)
    assert done.ticket.snoozed_until == until
    assert ClockKind.SNOOZE in await kinds(claimed)
    done = await claimed.act(Wake(), SAM)
    assert done.ticket.snoozed_until is None
    assert ClockKind.SNOOZE not in await kinds(claimed)
    with pytest.raises(DeskError, match="not snoozed"):
        await claimed.act(Wake(), SAM)


async def test_a_customer_who_writes_wakes_the_ticket(claimed: Rig) -> None:
    """Whoever writes is not put off."""
    await claimed.act(Snooze(until=claimed.clock.now() + timedelta(days=2)), SAM)
    await claimed.writes("any news?")
    assert (await claimed.view()).ticket.snoozed_until is None


@pytest.mark.parametrize("days", [-1, 0, 366])
async def test_only_moments_to_come_can_be_chosen(claimed: Rig, days: int) -> None:
    """The past, this very moment and another year's are refused for snoozes and promises alike."""
    at = claimed.clock.now() + timedelta(days=days)
    for act in (Snooze(until=at), Promise(text="a call", due_at=at)):
        with pytest.raises(DeskError, match="still to come"):
            await claimed.act(act, SAM)


async def test_anybody_says_how_urgent_a_ticket_is(claimed: Rig) -> None:
    """A colleague may set another's priority; saying what it is already changes nothing."""
    done = await claimed.act(SetPriority(priority=Priority.URGENT), KIM)
    assert done.ticket.priority is Priority.URGENT
    again = await claimed.act(SetPriority(priority=Priority.URGENT), KIM)
    assert (again.ticket.version, again.can_undo_until) == (done.ticket.version, None)
    await claimed.act(Resolve(), SAM)
    with pytest.raises(DeskError, match="closed"):
        await claimed.act(SetPriority(priority=Priority.LOW), KIM)


async def test_tags_are_kept_tidy(claimed: Rig) -> None:
    """Tags are lower case, without signs and doubles, in the order they were given; also on closed tickets."""
    await claimed.act(Resolve(), SAM)
    done = await claimed.act(SetTags(tags=("#Damaged", "mug ", "damaged", " ", "Gift wrap")), KIM)
    assert done.ticket.tags == ("damaged", "mug", "gift wrap")
    for tags in (("x" * 41,), tuple(map(str, range(13)))):
        with pytest.raises(DeskError, match="at most 12 tags of 40 characters"):
            await claimed.act(SetTags(tags=tags), KIM)


async def test_a_promise_becomes_a_clock(claimed: Rig) -> None:
    """What was promised stands on the ticket with its date, in place of an earlier promise, which is told."""
    remarks = []
    for days in (1, 2):
        due_at = claimed.clock.now() + timedelta(days=days)
        done = await claimed.act(Promise(text=f"a call in {days} days", due_at=due_at), SAM)
        remarks.append(done.remark)
    ticket = (await claimed.view()).ticket
    (promised,) = [c for c in await claimed.database.read(clocks.of, ticket.id) if c.kind is ClockKind.PROMISE]
    assert (promised.detail, promised.due_at) == ("a call in 2 days", due_at)
    assert remarks == ["", phrases.promise_replaced("a call in 1 days")]
    with pytest.raises(DeskError, match="what you promised"):
        await claimed.act(Promise(text=" ", due_at=due_at), SAM)


async def test_what_somebody_has_is_arranged_by_them_alone(claimed: Rig) -> None:
    """Another's ticket is neither snoozed nor woken, and nothing is promised for it."""
    at = claimed.clock.now() + timedelta(hours=1)
    for act in (Snooze(until=at), Wake(), Promise(text="a call", due_at=at)):
        with pytest.raises(DeskError, match="Sam has claimed"):
            await claimed.act(act, KIM)
