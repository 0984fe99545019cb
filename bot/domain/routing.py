"""Which team a ticket goes to, and which of its people gets it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.domain.channels import ChannelName
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.rules import Rules, Team
from bot.domain.tickets import Agent, AgentId, Priority

#: How urgent a ticket is at least, for the reason it was opened.
_LEAST = {Reason.ANGER: Priority.HIGH, Reason.IN_DANGER: Priority.URGENT}
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Asker:
    """Whom a ticket is for, as far as routing cares."""

    channel: ChannelName
    #: as the channel tells it ("pt-br"); none: the settings' language
    language: str | None = None
    #: the brand's word for the customer's value; empty: not known
    tier: str = ""


@dataclass(frozen=True, kw_only=True)
class Route:
    """Where a ticket goes."""

    team: Team
    priority: Priority


@dataclass(frozen=True, kw_only=True)
class Colleague:
    """An agent who is there."""

    agent: Agent
    #: tickets they have, without those put aside
    load: int
    #: tickets they can have
    capacity: int
    #: when they were last given one; none: never
    last_assigned_at: datetime | None

    @property
    def has_room(self) -> bool:
        """Whether they can have another ticket."""
        return self.load < self.capacity


def route(rules: Rules, request: HandoffRequest, asker: Asker) -> Route:
    """Return the first team that names such a ticket, else the default one, and how urgent it is there."""
    language = asker.language or rules.language
    team = next((team for team in rules.teams if _takes(team, request, asker, language)), rules.default_team)
    usual = team.priority or Priority.NORMAL
    least = _LEAST.get(request.reason, Priority.LOW)
    return Route(team=team, priority=min(usual, least, key=lambda priority: priority.rank))


def choose(colleagues: Iterable[Colleague], preferred: AgentId | None) -> Agent | None:
    """Return who gets the next ticket: the preferred one if they can, else who waited longest; none: nobody can."""
    free = [colleague for colleague in colleagues if colleague.has_room]
    known = next((colleague for colleague in free if colleague.agent.id == preferred), None)
    if known is not None:
        return known.agent
    turn = min(free, key=_turn, default=None)
    return turn.agent if turn else None


def _turn(colleague: Colleague) -> tuple[datetime, int, AgentId]:
    return colleague.last_assigned_at or _LONG_AGO, colleague.load, colleague.agent.id


def _takes(team: Team, request: HandoffRequest, asker: Asker, language: str) -> bool:
    topic = f" {request.topic.casefold()} "
    return (
        not team.takes_all
        and (not team.topics or any(f" {word.casefold()} " in topic for word in team.topics))
        and (not team.reasons or request.reason in team.reasons)
        and (not team.channels or asker.channel in team.channels)
        and (not team.languages or any(_speaks(known, language) for known in team.languages))
        and (not team.tiers or asker.tier.casefold() in {tier.casefold() for tier in team.tiers})
    )


def _speaks(known: str, language: str) -> bool:
    """Whether people who know `pt` are right for `pt-BR`."""
    wanted = language.casefold().replace("_", "-")
    return wanted == known.casefold() or wanted.startswith(f"{known.casefold()}-")
