"""Taking acts back: the ticket is as it was, and the customer never hears of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain.acts import (
    UNDO_FOR,
    Act,
    Assign,
    Claim,
    HandBack,
    Note,
    Promise,
    Release,
    Reopen,
    Reply,
    ReplyElsewhere,
    Resolve,
    SetPriority,
    SetTags,
    Snooze,
    Undo,
    Wake,
)
from bot.domain.conversations import Owner
from bot.domain.customers import CustomerId
from bot.domain.desk import DeskPostKind
from bot.domain.errors import DeskError
from bot.domain.messages import Author, DeliveryState
from bot.domain.rules import Rules
from bot.domain.tickets import Priority, TicketState
from bot.pipeline import phrases
from bot.pipeline.desk.acts import Desk
from bot.store import acts, clocks, conversations, tickets
from tests.pipeline.rig import KIM, SAM, Rig, handoff

HOLD_FOR = timedelta(seconds=5)


def _hold(rig: Rig, hold_replies: timedelta = timedelta()) -> None:
    rig.desk = Desk(replace(rig.desk._parts, undo_for=UNDO_FOR, hold_replies=hold_replies))


@pytest.fixture
async def queued(rig: Rig) -> Rig:
    """Return the pipeline with Ann in the queue, and acts that can be undone."""
    _hold(rig)
    rig.engine.by_text["person please"] = handoff("I'll ask a colleague.")
    await rig.writes("person please")
    return rig


@pytest.fixture
async def claimed(queued: Rig) -> Rig:
    """Return the pipeline with Ann's ticket claimed by Sam some time ago."""
    await queued.act(Claim(), SAM)
    await queued.wait_out(minutes=1)
    return queued


async def _state(rig: Rig) -> tuple[object, ...]:
    conversation = await rig.conversation()
    ticket = (await rig.act(Note(text="look"), SAM)).ticket
    held = await rig.database.read(acts.state_of, ticket.id, conversation.owner)
    return replace(held, columns={k: v for k, v in held.columns.items() if k != "claimed_at"}), conversation.owner


ACTS: list[tuple[str, Callable[[datetime], Act]]] = [
    ("release", lambda _: Release()),
    ("assign", lambda _: Assign(agent=KIM)),
    ("snooze", lambda now: Snooze(until=now + timedelta(hours=1))),
    ("priority", lambda _: SetPriority(priority=Priority.URGENT)),
    ("tags", lambda _: SetTags(tags=("mug",))),
    ("promise", lambda now: Promise(text="a call", due_at=now + timedelta(hours=1))),
    ("resolve", lambda _: Resolve(outcome="done")),
    ("hand back", lambda _: HandBack(outcome="done")),
]


@pytest.mark.parametrize("act", [act for _, act in ACTS], ids=[name for name, _ in ACTS])
async def test_an_undone_act_leaves_no_trace_but_in_the_history(claimed: Rig, act: Callable[[datetime], Act]) -> None:
    """Ticket, clocks and owner are as before, and neither the customer nor the bot ever hears of it."""
    before, seen, asked = await _state(claimed), claimed.seen(), len(claimed.engine.requests)
    done = await claimed.act(act(claimed.clock.now()), SAM, key="act")
    assert done.can_undo_until == claimed.clock.now() + UNDO_FOR
    claimed.clock.pass_(seconds=9)
    await claimed.settle()
    undone = await claimed.act(Undo(key="act"), SAM, key="undo")
    assert undone.can_undo_until is None
    await claimed.wait_out(minutes=1)
    assert await _state(claimed) == before
    assert (claimed.seen(), len(claimed.engine.requests)) == (seen, asked)


async def test_a_claim_is_undone(queued: Rig) -> None:
    """The ticket waits again, the bot answers, and nobody has joined."""
    epoch = (await queued.conversation()).epoch
    await queued.act(Claim(), SAM, key="claim")
    await queued.act(Undo(key="claim"), SAM)
    await queued.writes("hello?")
    assert queued.seen()[-1] == "re: hello?"
    await queued.wait_out(minutes=1)
    conversation = await queued.conversation()
    assert (conversation.owner, conversation.epoch) == (Owner.QUEUE, epoch + 2)
    assert phrases.agent_joined("Sam") not in queued.seen()
    (line,) = [line for line in await queued.transcript() if line.text == phrases.agent_joined("Sam")]
    assert line.delivery is DeliveryState.WITHHELD


async def test_a_closed_ticket_stays_closed_when_its_reopening_is_undone(claimed: Rig) -> None:
    """A reopening by mistake gives the conversation back to the bot."""
    await claimed.act(Resolve(), SAM)
    await claimed.wait_out(minutes=1)
    await claimed.act(Reopen(), KIM, key="reopen")
    done = await claimed.act(Undo(key="reopen"), KIM)
    assert (done.ticket.state, done.ticket.agent) == (TicketState.RESOLVED, SAM)
    assert (await claimed.conversation()).owner is Owner.BOT


async def test_what_an_act_tells_waits_until_it_cannot_be_undone(queued: Rig) -> None:
    """The customer is told after ten seconds, or at once when something else happens to the ticket."""
    await queued.act(Claim(), SAM)
    await queued.settle()
    assert phrases.agent_joined("Sam") not in queued.seen()
    queued.clock.pass_(seconds=10)
    await queued.settle()
    assert queued.seen()[-1] == phrases.agent_joined("Sam")
    await queued.act(Assign(agent=KIM), SAM)
    await queued.act(Reply(text="Hello"), KIM)
    await queued.settle()
    assert queued.seen()[-2:] == [phrases.agent_joined("Kim"), "Hello"]


async def test_undoing_has_its_limits(claimed: Rig) -> None:
    """Another's act, one too long ago, one that something followed, and one that never was are not undone."""
    await claimed.act(SetPriority(priority=Priority.HIGH), KIM, key="first")
    with pytest.raises(DeskError, match="Only Kim"):
        await claimed.act(Undo(key="first"), SAM)
    await claimed.act(SetTags(tags=("mug",)), SAM, key="second")
    with pytest.raises(DeskError, match="has been changed since"):
        await claimed.act(Undo(key="first"), KIM)
    claimed.clock.pass_(seconds=10)
    with pytest.raises(DeskError, match="too late"):
        await claimed.act(Undo(key="second"), SAM)
    await claimed.act(Note(text="hm"), SAM, key="third")
    with pytest.raises(DeskError, match="cannot be taken back"):
        await claimed.act(Undo(key="third"), SAM)
    with pytest.raises(DeskError, match="nothing to take back"):
        await claimed.act(Undo(key="never"), SAM)


async def test_undoing_and_the_undone_act_may_be_handed_in_again(claimed: Rig) -> None:
    """Repeats of the undo, of the act it took back, and another undo of it change nothing more."""
    first = await claimed.act(SetPriority(priority=Priority.HIGH), SAM, key="act")
    assert await claimed.act(SetPriority(priority=Priority.HIGH), SAM, key="act") == first
    undone = await claimed.act(Undo(key="act"), SAM, key="undo")
    for act, key in ((Undo(key="act"), "undo"), (SetPriority(priority=Priority.HIGH), "act"), (Undo(key="act"), "u2")):
        again = await claimed.act(act, SAM, key=key)
        assert (again.ticket, again.can_undo_until) == (undone.ticket, None)


async def test_replies_leave_at_once_and_stay(claimed: Rig) -> None:
    """Unless the brand holds replies back, one that was sent cannot be taken back by undoing."""
    done = await claimed.act(Reply(text="Hello"), SAM, key="reply")
    assert done.can_undo_until is None
    with pytest.raises(DeskError, match="cannot be taken back"):
        await claimed.act(Undo(key="reply"), SAM)


async def test_a_reply_that_is_held_back_can_be_taken_back(queued: Rig) -> None:
    """Within the time that the brand holds replies back, an undone one never leaves, and neither does its claim."""
    _hold(queued, HOLD_FOR)
    done = await queued.act(Reply(text="Hello"), SAM, key="reply")
    assert done.can_undo_until == queued.clock.now() + HOLD_FOR
    await queued.settle()
    undone = await queued.act(Undo(key="reply"), SAM)
    await queued.wait_out(minutes=1)
    assert (undone.ticket.state, undone.ticket.first_replied_at) == (TicketState.QUEUED, None)
    assert not {"Hello", phrases.agent_joined("Sam")} & set(queued.seen())
    lines = [line for line in await queued.transcript() if line.author is Author.AGENT]
    assert [line.delivery for line in lines] == [DeliveryState.WITHHELD]


async def test_a_reply_that_has_left_is_not_taken_back(claimed: Rig) -> None:
    """Once the held reply is on its way, undoing says so and leaves everything as it is."""
    _hold(claimed, HOLD_FOR)
    await claimed.act(Reply(text="Hello"), SAM, key="reply")
    claimed.clock.pass_(seconds=5)
    await claimed.settle()
    claimed.clock.pass_(seconds=-1)
    with pytest.raises(DeskError, match="it has reached the customer"):
        await claimed.act(Undo(key="reply"), SAM)
    assert claimed.seen()[-1] == "Hello"


async def test_a_resolution_is_not_undone_once_the_customer_is_back(claimed: Rig) -> None:
    """A customer who was handed over anew meanwhile is in the queue, and stays there."""
    object.__setattr__(claimed.converse_parts, "rules", Rules())
    closed = (await claimed.act(Resolve(), SAM, key="resolve")).ticket
    await claimed.writes("person please")
    with pytest.raises(DeskError, match=r"has been changed since|newer ticket"):
        await claimed.desk.do(closed.id, SAM, Undo(key="resolve"), "undo")
    assert (await claimed.conversation()).owner is Owner.QUEUE


async def test_clocks_go_on_as_if_nothing_had_been(claimed: Rig) -> None:
    """An undone wake leaves the snooze as it was."""
    await claimed.act(Snooze(until=claimed.clock.now() + timedelta(hours=2)), SAM)
    ticket = (await claimed.view()).ticket
    before = await claimed.database.read(clocks.of, ticket.id)
    await claimed.act(Wake(), SAM, key="wake")
    await claimed.act(Undo(key="wake"), SAM)
    assert await claimed.database.read(clocks.of, ticket.id) == before


@pytest.mark.parametrize("other", ["no ticket", "waits", "closed", "closed lately"])
async def test_an_answer_on_another_channel_is_held_and_taken_back_there(claimed: Rig, other: str) -> None:
    """It waits like any reply; taken back, it never leaves, and the other conversation is as it was, without people."""
    _hold(claimed, HOLD_FOR)
    await claimed.writes("hello", "ann elsewhere")
    if other != "no ticket":
        await claimed.writes("person please", "ann elsewhere")
    if "closed" in other:
        await claimed.act(Resolve(), KIM, customer="ann elsewhere")
    await claimed.wait_out(minutes=1)
    if other == "closed lately":
        claimed.desk = Desk(
            replace(claimed.desk._parts, rules=replace(claimed.rules, reopen_within=timedelta(hours=1)))
        )
    for customer in ("ann", "ann elsewhere"):
        address = (await claimed.conversation(customer)).address
        await claimed.database.write(
            conversations.bind_customer, address, CustomerId("1"), "a proof", claimed.clock.now()
        )
    there = await claimed.conversation("ann elsewhere")
    before, seen = await claimed.database.read(tickets.last_of, there.id), claimed.seen("ann elsewhere")
    answer = ReplyElsewhere(conversation_id=there.id, text="It is on its way.")
    for _ in range(2):
        done = await claimed.act(answer, SAM, key="there")
        assert done.can_undo_until == claimed.clock.now() + HOLD_FOR
    await claimed.settle()
    assert (claimed.seen("ann elsewhere"), (await claimed.conversation("ann elsewhere")).owner) == (seen, Owner.AGENT)
    for key in ("u1", "u2"):
        await claimed.act(Undo(key="there"), SAM, key=key)
    await claimed.wait_out(minutes=1)
    after = await claimed.database.read(tickets.last_of, there.id)
    assert after is not None
    if before is not None and other != "closed":
        assert (after.state, after.agent, after.closing) == (before.state, before.agent, before.closing)
    else:
        assert (after.state, after.closing) == (TicketState.RESOLVED, "nothing_to_do")
    assert claimed.seen("ann elsewhere") == seen
    assert (await claimed.conversation("ann elsewhere")).owner is there.owner
    assert [post.text for post in claimed.poster.of(DeskPostKind.NOTICE)][-1].startswith("Sam has taken back")
    await claimed.act(answer, SAM, key="again")
    await claimed.wait_out(minutes=1)
    assert claimed.seen("ann elsewhere")[-1] == "It is on its way."
    with pytest.raises(DeskError, match="too late"):
        await claimed.act(Undo(key="again"), SAM)
