from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.channels import ChannelName
from bot.domain.clocks import ClockKind, ClockState, TicketClock
from bot.domain.conversations import ConversationId
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.hours import ALWAYS, BusinessHours, Span
from bot.domain.promises import PromisePolicy, meet, next_due, pause, resume, start, window
from bot.domain.tickets import Priority, TeamName, Ticket, TicketId, TicketState

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
POLICY = PromisePolicy(name="usual", first_response=HOUR, warn_share=0.75)
OFFICE = BusinessHours(week=tuple(Span(weekday=day, opens=time(9), closes=time(17)) for day in range(5)))


def _started(hours: BusinessHours = ALWAYS, since: datetime = NOON) -> TicketClock:
    clock = start(ClockKind.FIRST_RESPONSE, since, POLICY, hours)
    assert clock is not None
    return clock


def test_a_promise_counts_from_when_it_is_owed() -> None:
    """A promise is due after its time and warned of after its share of it; what is not promised has no clock."""
    clock = _started()
    assert (clock.due_at, clock.warn_at) == (NOON + HOUR, NOON + timedelta(minutes=45))
    assert start(ClockKind.RESOLUTION, NOON, POLICY, ALWAYS) is None
    assert start(ClockKind.PROMISE, NOON, POLICY, ALWAYS) is None


@given(st.integers(0, 59), st.integers(0, 10_000), st.sampled_from((ALWAYS, OFFICE)))
def test_a_pause_takes_no_time(before: int, paused: int, hours: BusinessHours) -> None:
    """However long a clock is stopped, what was left before is left after."""
    clock = _started(hours)
    stopped_at = hours.add(NOON, timedelta(minutes=before))
    going_on_at = stopped_at + timedelta(minutes=paused)
    stopped = pause(clock, stopped_at, hours)
    assert (stopped.state, stopped.left) == (ClockState.PAUSED, HOUR - timedelta(minutes=before))
    going_on = resume(stopped, going_on_at, hours)
    assert hours.between(going_on_at, going_on.due_at) == stopped.left
    assert going_on.state is (ClockState.WARNED if before >= 45 else ClockState.RUNNING)
    assert pause(stopped, going_on_at, hours) == stopped
    assert resume(clock, going_on_at, hours) == clock


def test_what_is_broken_stays_broken() -> None:
    """Too late is broken, whether it is noticed by an answer or by a pause, and no later answer mends it."""
    clock, late = _started(), NOON + HOUR + timedelta(seconds=1)
    assert meet(clock, NOON + HOUR).state is ClockState.MET
    assert meet(clock, late).state is ClockState.BROKEN
    assert pause(clock, late, ALWAYS).state is ClockState.BROKEN
    assert meet(meet(clock, late), NOON).state is ClockState.BROKEN


def test_people_are_warned_before_a_window_closes() -> None:
    """A day's window is warned of an hour before, a short one when a fifth of it is left."""
    assert window(NOON, 24 * HOUR).warn_at == NOON + 23 * HOUR
    assert window(NOON, HOUR).warn_at == NOON + timedelta(minutes=48)


def _ticket(*, waits: bool = True, is_answered: bool = False) -> Ticket:
    return Ticket(
        id=TicketId("t"),
        number=1,
        conversation_id=ConversationId("c"),
        state=TicketState.CLAIMED,
        request=HandoffRequest(reason=Reason.OTHER, topic="", summary=""),
        opened_at=NOON,
        agent=None,
        claimed_at=None,
        closed_at=None,
        outcome="",
        desk_reference=None,
        waiting_since=NOON if waits else None,
        first_replied_at=NOON if is_answered else None,
    )


def _clock(kind: ClockKind, hours: int, state: ClockState = ClockState.RUNNING) -> TicketClock:
    return TicketClock(kind=kind, state=state, due_at=NOON + hours * HOUR)


@pytest.mark.parametrize(
    ("ticket", "clocks", "hours"),
    [
        (_ticket(), [], None),
        (_ticket(), [_clock(ClockKind.FIRST_RESPONSE, 2), _clock(ClockKind.REPLY_WINDOW, 1)], 1),
        (_ticket(), [_clock(ClockKind.FIRST_RESPONSE, 2), _clock(ClockKind.REPLY_WINDOW, 3)], 2),
        (_ticket(), [_clock(ClockKind.SNOOZE, 1), _clock(ClockKind.UNCLAIMED, 1)], None),
        (_ticket(), [_clock(ClockKind.FIRST_RESPONSE, 1, ClockState.PAUSED)], None),
        (_ticket(), [_clock(ClockKind.FIRST_RESPONSE, 1, ClockState.MET), _clock(ClockKind.RESOLUTION, 9)], 9),
        (_ticket(), [_clock(ClockKind.FIRST_RESPONSE, -1, ClockState.BROKEN), _clock(ClockKind.RESOLUTION, 9)], -1),
        (_ticket(is_answered=True), [_clock(ClockKind.FIRST_RESPONSE, -1, ClockState.BROKEN)], None),
        (_ticket(waits=False), [_clock(ClockKind.RESOLUTION, -1, ClockState.BROKEN)], None),
        (_ticket(), [_clock(ClockKind.REPLY_WINDOW, -1, ClockState.BROKEN)], None),
    ],
)
def test_a_ticket_stands_by_the_first_thing_it_owes(
    ticket: Ticket, clocks: list[TicketClock], hours: int | None
) -> None:
    """The queue is sorted by the earlier of promise and reply window; what is late comes first while it is awaited."""
    assert next_due(ticket, clocks) == (None if hours is None else NOON + hours * HOUR)


@pytest.mark.parametrize(
    ("narrow", "is_covered"),
    [
        (PromisePolicy(name="b", priorities=frozenset({Priority.HIGH})), True),
        (PromisePolicy(name="b", priorities=frozenset({Priority.HIGH, Priority.LOW})), False),
        (PromisePolicy(name="b"), False),
    ],
)
def test_a_policy_may_leave_nothing_for_a_later_one(narrow: PromisePolicy, *, is_covered: bool) -> None:
    """Whether a policy takes all that another one is for is known beforehand."""
    wide = PromisePolicy(name="a", priorities=frozenset({Priority.HIGH, Priority.URGENT}))
    assert wide.covers(narrow) == is_covered
    assert PromisePolicy(name="all").covers(narrow)


def test_a_policy_is_for_what_it_names() -> None:
    """Each of priority, channel and team has to fit where the policy names it."""
    policy = PromisePolicy(
        name="vip", channels=frozenset({ChannelName("telegram")}), teams=frozenset({TeamName("vip")})
    )
    assert policy.fits(Priority.LOW, ChannelName("telegram"), TeamName("vip"))
    assert not policy.fits(Priority.LOW, ChannelName("webchat"), TeamName("vip"))
    assert not policy.fits(Priority.LOW, ChannelName("telegram"), TeamName("orders"))
