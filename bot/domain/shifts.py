"""Who is there, how much they have, and how the day goes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from bot.domain.desk import Done
from bot.domain.tickets import Agent, TeamName, TicketId


@dataclass(frozen=True, kw_only=True)
class Availability:
    """Whether an agent takes tickets."""

    is_available: bool
    #: of one who is away: when they are back; none: when they say so
    back_at: datetime | None = None
    #: tickets at once; none: the team's
    capacity: int | None = None
    #: whose tickets they take; none: every team's
    teams: tuple[TeamName, ...] | None = None

    def is_there(self, now: datetime) -> bool:
        """Whether they take tickets at that moment."""
        return self.is_available or (self.back_at is not None and self.back_at <= now)


#: Tells whether an agent may still work here: people leave without saying so.
MayWork = Callable[[Agent], Awaitable[bool]]


async def anybody(_: Agent) -> bool:
    """Say that everybody may: nobody knows better."""
    return True


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """What came of some tickets."""

    #: tickets that were closed
    handled_count: int
    #: median time until a person's first answer; none: nobody was answered
    first_response: timedelta | None
    #: of those closed, how many something was promised about
    promised_count: int
    #: and about how many of these every promise was kept
    kept_count: int
    #: customers who said how it was, and their mean, 1 to 5
    rated_count: int
    rating: float | None


@dataclass(frozen=True, kw_only=True)
class AgentLoad:
    """What one agent has now."""

    agent: Agent
    is_there: bool
    back_at: datetime | None
    #: open tickets of the team, without those put aside
    ticket_count: int
    #: of these, how many are past what was promised
    overdue_count: int
    #: open tickets of all teams
    load_count: int
    #: tickets they are given at once; none: each takes as many as they like
    capacity: int | None


@dataclass(frozen=True, kw_only=True)
class TeamLoad:
    """What one team has now."""

    team: TeamName
    title: str
    #: tickets in its queue
    queued_count: int
    #: since when the customer waits who waits longest there; none: nobody waits
    waiting_since: datetime | None
    #: open tickets past what was promised, the most urgent first
    overdue: tuple[TicketId, ...]
    #: promises about its tickets that were broken today
    broken_count: int
    #: those who are there or have tickets, by name
    agents: tuple[AgentLoad, ...]


class DeskShifts(Protocol):
    """What the desk asks about people, whatever surface they work on."""

    async def availability(self, agent: Agent) -> Availability:
        """Return whether the agent takes tickets; somebody new is away."""
        ...

    async def set_availability(self, agent: Agent, availability: Availability) -> None:
        """Note that the agent is there or away; who is there may be given tickets at once."""
        ...

    async def next_for(self, agent: Agent, key: str) -> Done | None:
        """Claim for the agent what is most urgent in their teams' queues; none: nothing waits.

        `key` is that of an act: a repeat returns what was claimed the first time.
        """
        ...

    async def numbers(self, agent: Agent | None = None) -> Numbers:
        """Return the numbers of today, the agent's or everybody's; the day begins where the hours are kept."""
        ...

    async def people(self) -> list[Agent]:
        """Return everybody who ever said whether they are there, by name."""
        ...

    async def load(self) -> list[TeamLoad]:
        """Return what each team has, in the order of the settings."""
        ...
