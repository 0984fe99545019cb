"""Moments that a ticket waits for: promises to the customer, the reply window, the end of a snooze."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class ClockKind(StrEnum):
    """What is due."""

    #: a person's first answer
    FIRST_RESPONSE = "first_response"
    #: a person's answer to what the customer wrote since
    NEXT_RESPONSE = "next_response"
    RESOLUTION = "resolution"
    #: after this the channel does not let us answer freely
    REPLY_WINDOW = "reply_window"
    #: what an agent promised the customer
    PROMISE = "promise"
    #: nobody has claimed it: more people are asked
    UNCLAIMED = "unclaimed"
    SNOOZE = "snooze"

    @property
    def orders_queue(self) -> bool:
        """Whether a ticket stands in the queue by it."""
        return self not in {ClockKind.UNCLAIMED, ClockKind.SNOOZE}


class ClockState(StrEnum):
    """Where a clock stands."""

    RUNNING = "running"
    #: it has been said that it will be broken
    WARNED = "warned"
    #: the customer is awaited, or the ticket is snoozed
    PAUSED = "paused"
    MET = "met"
    BROKEN = "broken"

    @property
    def is_running(self) -> bool:
        """Whether time counts."""
        return self in {ClockState.RUNNING, ClockState.WARNED}


@dataclass(frozen=True, kw_only=True)
class TicketClock:
    """One moment a ticket waits for; a ticket has at most one of each kind."""

    kind: ClockKind
    state: ClockState
    #: of a paused one, what it was when it was paused
    due_at: datetime
    #: when people are warned; none: never
    warn_at: datetime | None = None
    #: working time that was left when it was paused
    left: timedelta | None = None
    #: what was promised, who is asked next
    detail: str = ""

    def is_due(self, now: datetime) -> bool:
        """Whether its moment has come."""
        return self.state.is_running and self.due_at <= now

    def warns(self, now: datetime) -> bool:
        """Whether people are to be warned, and have not been."""
        return self.state is ClockState.RUNNING and self.warn_at is not None and self.warn_at <= now
