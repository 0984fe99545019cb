"""What is promised to customers about answers, and the clocks that count it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.domain.channels import ChannelName
from bot.domain.clocks import ClockKind, ClockState, TicketClock
from bot.domain.hours import BusinessHours
from bot.domain.tickets import Priority, TeamName, Ticket

#: What a policy promises.
PROMISED = (ClockKind.FIRST_RESPONSE, ClockKind.NEXT_RESPONSE, ClockKind.RESOLUTION)
#: People are warned at most this long before a reply window closes.
_WINDOW_WARNING = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class PromisePolicy:
    """How soon people answer and solve, for some tickets."""

    #: what the settings call it
    name: str
    #: a person's first answer; none: not promised
    first_response: timedelta | None = None
    #: a person's answer to what the customer writes later; none: not promised
    next_response: timedelta | None = None
    #: the end of the ticket, without the time in which the customer is awaited; none: not promised
    resolution: timedelta | None = None
    #: whether only the time counts in which people work
    in_hours: bool = True
    #: share of the time after which people are warned
    warn_share: float = 0.8
    #: which tickets it is for; empty: any
    priorities: frozenset[Priority] = frozenset()
    channels: frozenset[ChannelName] = frozenset()
    teams: frozenset[TeamName] = frozenset()

    def fits(self, priority: Priority, channel: ChannelName, team: TeamName) -> bool:
        """Whether it is for such a ticket."""
        return (
            (not self.priorities or priority in self.priorities)
            and (not self.channels or channel in self.channels)
            and (not self.teams or team in self.teams)
        )

    def covers(self, other: PromisePolicy) -> bool:
        """Whether it is for every ticket that `other` is for."""
        pairs = (
            (self.priorities, other.priorities),
            (self.channels, other.channels),
            (self.teams, other.teams),
        )
        return all(not mine or (theirs and theirs <= mine) for mine, theirs in pairs)

    def target(self, kind: ClockKind) -> timedelta | None:
        """Return how long that may take; none: nothing is promised."""
        match kind:
            case ClockKind.FIRST_RESPONSE:
                return self.first_response
            case ClockKind.NEXT_RESPONSE:
                return self.next_response
            case ClockKind.RESOLUTION:
                return self.resolution
            case _:
                return None


def start(kind: ClockKind, since: datetime, policy: PromisePolicy, hours: BusinessHours) -> TicketClock | None:
    """Return the clock of what a policy promises from `since` on, counted in `hours`; none: nothing is promised."""
    target = policy.target(kind)
    if target is None:
        return None
    return TicketClock(
        kind=kind,
        state=ClockState.RUNNING,
        due_at=hours.add(since, target),
        warn_at=hours.add(since, target * policy.warn_share),
    )


def window(opened_at: datetime, open_for: timedelta) -> TicketClock:
    """Return the clock of a channel that lets us answer for so long after the customer's message."""
    closes_at = opened_at + open_for
    return TicketClock(
        kind=ClockKind.REPLY_WINDOW,
        state=ClockState.RUNNING,
        due_at=closes_at,
        warn_at=closes_at - min(_WINDOW_WARNING, open_for / 5),
    )


def pause(clock: TicketClock, now: datetime, hours: BusinessHours) -> TicketClock:
    """Return a running clock stopped with the working time that was left, broken if none was; any other as it is."""
    if not clock.state.is_running:
        return clock
    if clock.due_at < now:
        return replace(clock, state=ClockState.BROKEN)
    return replace(clock, state=ClockState.PAUSED, left=hours.between(now, clock.due_at))


def resume(clock: TicketClock, now: datetime, hours: BusinessHours) -> TicketClock:
    """Return a paused clock running on with what was left; any other as it is."""
    if clock.state is not ClockState.PAUSED or clock.left is None:
        return clock
    due_at = hours.add(now, clock.left)
    if clock.warn_at is None:
        return replace(clock, state=ClockState.RUNNING, due_at=due_at, left=None)
    before = hours.between(clock.warn_at, clock.due_at)
    is_warned = clock.left <= before
    return replace(
        clock,
        state=ClockState.WARNED if is_warned else ClockState.RUNNING,
        due_at=due_at,
        warn_at=now if is_warned else hours.add(now, clock.left - before),
        left=None,
    )


def meet(clock: TicketClock, now: datetime) -> TicketClock:
    """Return the clock of something that has happened: met, or broken if it is too late; a broken one stays so."""
    if clock.state is ClockState.BROKEN:
        return clock
    is_late = clock.state.is_running and clock.due_at < now
    return replace(clock, state=ClockState.BROKEN if is_late else ClockState.MET, left=None)


def next_due(ticket: Ticket, clocks: Iterable[TicketClock]) -> datetime | None:
    """Return the moment by which the ticket stands in the queue: the earliest of what is still owed.

    What is broken is still owed while the customer waits for it; a closed reply window is lost.
    """
    return min((clock.due_at for clock in clocks if _is_owed(clock, ticket)), default=None)


def _is_owed(clock: TicketClock, ticket: Ticket) -> bool:
    if not clock.kind.orders_queue:
        return False
    if clock.state is not ClockState.BROKEN:
        return clock.state.is_running
    if clock.kind is ClockKind.FIRST_RESPONSE and ticket.first_replied_at is not None:
        return False
    return clock.kind is not ClockKind.REPLY_WINDOW and ticket.waiting_since is not None
