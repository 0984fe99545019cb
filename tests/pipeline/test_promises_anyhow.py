from __future__ import annotations

import random
from datetime import time, timedelta

import pytest

from bot.domain.acts import (
    Act,
    Assign,
    Claim,
    Promise,
    Release,
    Reopen,
    Reply,
    Resolve,
    SetPriority,
    Snooze,
    Transfer,
    Undo,
    Wake,
)
from bot.domain.clocks import ClockKind, ClockState, TicketClock
from bot.domain.errors import DeskError
from bot.domain.hours import BusinessHours, Span
from bot.domain.promises import PROMISED, PromisePolicy, next_due
from bot.domain.rules import Rules, Team
from bot.domain.tickets import EVERYBODY, Priority, TeamName, Ticket, TicketState, TicketView
from bot.pipeline.watch import BROKEN_EVENT
from bot.store import tickets
from tests.pipeline.rig import KIM, SAM, Rig, handoff

MINUTE = timedelta(minutes=1)
OTHERS = TeamName("others")


@pytest.fixture
def rules() -> Rules:
    """Return promises so short that any order of things keeps and breaks some."""
    return Rules(
        hours=BusinessHours(week=tuple(Span(weekday=day, opens=time(9), closes=time(18)) for day in range(7))),
        policies=(
            PromisePolicy(name="urgent", first_response=5 * MINUTE, priorities=frozenset({Priority.URGENT})),
            PromisePolicy(name="usual", first_response=20 * MINUTE, next_response=15 * MINUTE, resolution=90 * MINUTE),
        ),
        teams=(Team(name=EVERYBODY, title="Care"), Team(name=OTHERS, title="Others")),
        reply_windows={"fake/brand": 2 * 60 * MINUTE},
        widen_after=10 * MINUTE,
        on_call_after=10 * MINUTE,
        leads=("ULEAD",),
        asks_satisfaction=False,
    )


def _act(dice: random.Random, rig: Rig, done: list[str]) -> Act:
    until = rig.clock.now() + dice.randrange(1, 60) * MINUTE
    acts: list[Act] = [
        Claim(),
        Release(),
        Assign(agent=KIM),
        Transfer(team=dice.choice([EVERYBODY, OTHERS])),
        Reply(text="hello"),
        Reply(text="and more"),
        Snooze(until=until),
        Wake(),
        SetPriority(priority=dice.choice(list(Priority))),
        Promise(text="news", due_at=until),
        Resolve(outcome="done"),
        Reopen(),
        Undo(key=dice.choice(done or ["none"])),
    ]
    return dice.choice(acts)


async def _last(rig: Rig, customer: str) -> Ticket:
    conversation = await rig.conversation(customer)
    ticket = await rig.database.read(tickets.last_of, conversation.id)
    assert ticket is not None
    return ticket


@pytest.mark.no_cover
@pytest.mark.parametrize("seed", [0, 1, 2, 3, 4, 145])
async def test_whatever_happens_the_clocks_agree_with_the_ticket(rig: Rig, seed: int) -> None:
    """After any order of acts, messages and time a ticket's clocks fit its state, and what was broken stays told."""
    dice = random.Random(seed)
    rig.engine.by_text["person please"] = handoff()
    rig.engine.by_text["?"] = handoff()
    await rig.writes("person please")
    done: list[str] = []
    broken: set[str] = set()
    for step in range(40):
        match dice.randrange(4):
            case 0:
                await rig.writes("?")
            case 1:
                rig.clock.pass_(minutes=dice.randrange(1, 25))
                await rig.sweep()
                await rig.settle()
            case _:
                key = f"{seed}:{step}"
                try:
                    await rig.desk.do((await _last(rig, "ann")).id, SAM, _act(dice, rig, done), key)
                    done.append(key)
                except DeskError:
                    pass
        ticket = await _last(rig, "ann")
        view = await rig.desk.view(ticket.id)
        assert view is not None
        _check(view)
        told = {f"{ticket.id}:{event.detail}" for event in view.events if event.kind == BROKEN_EVENT}
        assert {key for key in broken if key.startswith(ticket.id)} <= told
        broken |= told


def _check(view: TicketView) -> None:
    ticket, clocks = view.ticket, {clock.kind: clock for clock in view.clocks}
    assert ticket.next_due_at == next_due(ticket, clocks.values())
    running = {kind for kind, clock in clocks.items() if clock.state.is_running}
    if not ticket.state.is_open:
        assert running <= {ClockKind.PROMISE}
        assert ticket.waiting_since is None
        return
    assert (ClockKind.SNOOZE in running) == (ticket.snoozed_until is not None)
    assert not (running & {*PROMISED} and ticket.snoozed_until is not None)
    assert not (ClockKind.UNCLAIMED in running and ticket.state is TicketState.CLAIMED)
    if ticket.waiting_since is None:
        assert not running & {*PROMISED}
    for clock in clocks.values():
        assert (clock.left is not None) == (clock.state is ClockState.PAUSED), _named(clock)


def _named(clock: TicketClock) -> str:
    return f"{clock.kind} is {clock.state}"
