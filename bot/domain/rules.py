"""How the brand wants its tickets worked: hours, promises, teams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from bot.domain.channels import ChannelAddress, ChannelName
from bot.domain.handoff import Reason
from bot.domain.hours import ALWAYS, BusinessHours
from bot.domain.promises import PromisePolicy
from bot.domain.public import PublicRules
from bot.domain.tickets import EVERYBODY, Priority, TeamName


class Assignment(StrEnum):
    """How a team's tickets find their agent."""

    #: who wants one claims it
    CLAIM = "claim"
    #: they are given to those who are available, in turn
    ROUND_ROBIN = "round_robin"


@dataclass(frozen=True, kw_only=True)
class Team:
    """People who answer the same kind of tickets, and which tickets those are."""

    name: TeamName
    #: what people call it
    title: str
    #: id of the Slack channel of its tickets; none: the general one
    slack_channel: str | None = None
    #: id of the Slack user group that is asked when a ticket stays unclaimed
    user_group: str | None = None
    #: which tickets come to it: each of these that is not empty has to fit
    topics: frozenset[str] = frozenset()
    reasons: frozenset[Reason] = frozenset()
    channels: frozenset[ChannelName] = frozenset()
    languages: frozenset[str] = frozenset()
    tiers: frozenset[str] = frozenset()
    #: how urgent its tickets are at first; none: normal
    priority: Priority | None = None
    assign: Assignment = Assignment.CLAIM
    #: tickets that one agent has at once
    capacity: int = 5
    #: Slack ids of people or groups who are asked last
    on_call: tuple[str, ...] = ()

    @property
    def takes_all(self) -> bool:
        """Whether any ticket fits."""
        return not (self.topics or self.reasons or self.channels or self.languages or self.tiers)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How the brand wants its tickets worked; by default one team, no promises, around the clock."""

    hours: BusinessHours = ALWAYS
    #: the first that fits a ticket is its policy
    policies: tuple[PromisePolicy, ...] = ()
    #: the first that names a ticket's kind is its team
    teams: tuple[Team, ...] = (Team(name=EVERYBODY, title="Everybody"),)
    #: how long each channel account (`channel/account`) lets us answer
    reply_windows: Mapping[str, timedelta] = field(default_factory=dict)
    #: of a customer whose channel does not tell
    language: str = "en"
    #: Slack ids of people or groups who are told when a promise is broken
    leads: tuple[str, ...] = ()
    #: how long after its end a ticket is opened again by what the bot is not sure of
    reopen_within: timedelta = timedelta(hours=72)
    #: whether customers are asked how it was
    asks_satisfaction: bool = True
    #: working time after which the team's group is asked to claim a ticket; none: never
    widen_after: timedelta | None = None
    #: working time after that until those on call are asked; none: never
    on_call_after: timedelta | None = None
    #: what is done where everybody reads it
    public: PublicRules = field(default_factory=PublicRules)

    @property
    def default_team(self) -> Team:
        """The team of what fits no other: the first that takes all, else the first."""
        return next((team for team in self.teams if team.takes_all), self.teams[0])

    @property
    def asks_tier(self) -> bool:
        """Whether some team is for customers of a certain value."""
        return any(team.tiers for team in self.teams)

    def team(self, name: TeamName) -> Team:
        """Return the team of that name; the default one when the settings do not name it any more."""
        return next((team for team in self.teams if team.name == name), self.default_team)

    def policy(self, priority: Priority, channel: ChannelName, team: TeamName) -> PromisePolicy | None:
        """Return what is promised about such a ticket; none: nothing."""
        return next((policy for policy in self.policies if policy.fits(priority, channel, team)), None)

    def hours_of(self, policy: PromisePolicy) -> BusinessHours:
        """Return the hours in which a policy's time counts."""
        return self.hours if policy.in_hours else ALWAYS

    def reply_window(self, address: ChannelAddress) -> timedelta | None:
        """Return how long after a message the channel lets us answer freely; none: always."""
        return self.reply_windows.get(f"{address.channel}/{address.account}")
