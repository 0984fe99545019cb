"""How the brand wants its tickets worked, as an operator writes it: hours, teams, promises."""

from __future__ import annotations

import re
from datetime import date, time, timedelta
from pathlib import Path
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, field_validator, model_validator

from bot.domain.acts import UNDO_FOR
from bot.domain.channels import ChannelName
from bot.domain.handoff import Reason
from bot.domain.hours import BusinessHours, Span
from bot.domain.promises import PromisePolicy
from bot.domain.rules import Assignment, Team
from bot.domain.tickets import Priority, TeamName

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
#: Nobody waits longer for a promise.
PROMISE_MAX = timedelta(days=90)

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_DURATION = re.compile(r"(\d+ ?[mhd])( \d+ ?[mhd])*")


def _duration(value: object) -> object:
    """Return the time that `90m`, `4h` or `1d 12h` stands for."""
    if isinstance(value, timedelta):
        return value
    text = str(value).strip().lower()
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{value!r} is not a time; write it as 30m, 4h or 2d")
    return sum((int(count) * _UNITS[unit] for count, unit in re.findall(r"(\d+) ?([mhd])", text)), timedelta())


def _spans(value: object) -> object:
    """Return the times of a day: `09:00-12:00, 13:00-17:30`, or `closed`."""
    if not isinstance(value, str):
        return value
    parts = [part.strip() for part in value.split(",")]
    return () if parts in (["closed"], [""]) else tuple(_open_between(part) for part in parts)


def _open_between(text: str) -> tuple[time, time]:
    match = re.fullmatch(r"(\d\d):(\d\d) ?[-–] ?(\d\d):(\d\d)", text)
    if match is None:
        raise ValueError(f'"{text}" is not a pair of times; write "09:00-17:30", or "closed"')
    hours = [int(part) for part in match.groups()]
    if hours[2:] == [24, 0]:
        hours[2] = 0
    if max(hours[0], hours[2]) > 23 or max(hours[1], hours[3]) > 59:
        raise ValueError(f'"{text}" names a time that no clock shows')
    return time(hours[0], hours[1]), time(hours[2], hours[3])


Duration = Annotated[timedelta, BeforeValidator(_duration), Field(gt=timedelta(), le=PROMISE_MAX)]
Spans = Annotated[tuple[tuple[time, time], ...], BeforeValidator(_spans)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,59}$")]
SlackChannel = Annotated[str, StringConstraints(pattern=r"^[CG][A-Z0-9]+$")]
SlackGroup = Annotated[str, StringConstraints(pattern=r"^S[A-Z0-9]+$")]
SlackPeople = Annotated[str, StringConstraints(pattern=r"^[SUW][A-Z0-9]+$")]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HoursSettings(_Section):
    """When people work; a day that is not named is closed."""

    #: as in the list of time zones: Europe/London
    zone: str = "UTC"
    monday: Spans = ()
    tuesday: Spans = ()
    wednesday: Spans = ()
    thursday: Spans = ()
    friday: Spans = ()
    saturday: Spans = ()
    sunday: Spans = ()
    #: closed from midnight to midnight
    holidays: tuple[date, ...] = ()

    @field_validator("zone")
    @classmethod
    def _exists(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ValueError, OSError, LookupError):
            raise ValueError(f"there is no time zone {zone!r}; write one like Europe/London") from None
        return zone

    @model_validator(mode="after")
    def _is_open_sometimes(self) -> Self:
        hours = self.hours()
        if not hours.week:
            raise ValueError('it is never open: name a day, as monday = "09:00-17:30", or leave [hours] out')
        return self

    def hours(self) -> BusinessHours:
        """Return the hours; raises `ValueError` that names the day where two spans overlap."""
        week = tuple(
            Span(weekday=number, opens=opens, closes=closes)
            for number, day in enumerate(DAYS)
            for opens, closes in getattr(self, day)
        )
        return BusinessHours(zone=ZoneInfo(self.zone), week=week, holidays=frozenset(self.holidays))


class TeamSettings(_Section):
    """People who answer the same kind of tickets; each list that is not empty has to fit a ticket."""

    name: Name
    #: what people call it; none: the name
    title: str = ""
    #: id of the Slack channel of its tickets (C…); none: slack.channel
    slack_channel: SlackChannel | None = None
    #: id of the Slack user group of its people (S…); none: all who may act belong to it
    user_group: SlackGroup | None = None
    #: words of a ticket's topic: "refund"
    topics: tuple[str, ...] = ()
    #: why the bot handed over: "anger"
    reasons: tuple[Reason, ...] = ()
    #: "telegram", "webchat"
    channels: tuple[str, ...] = ()
    #: "pt", "pt-br"
    languages: tuple[str, ...] = ()
    #: the brand's words for a customer's value: "gold"
    tiers: tuple[str, ...] = ()
    #: how urgent its tickets are at first
    priority: Priority | None = None
    #: "claim": who wants a ticket takes it; "round_robin": they are given out in turn
    assign: Assignment = Assignment.CLAIM
    #: tickets that one agent has at once
    capacity: int = Field(default=5, ge=1, le=100)
    #: Slack ids of people or groups who are asked last
    on_call: tuple[SlackPeople, ...] = ()

    def team(self) -> Team:
        """Return the team."""
        return Team(
            name=TeamName(self.name),
            title=self.title or self.name.replace("_", " ").replace("-", " ").capitalize(),
            slack_channel=self.slack_channel,
            user_group=self.user_group,
            topics=frozenset(self.topics),
            reasons=frozenset(self.reasons),
            channels=frozenset(map(ChannelName, self.channels)),
            languages=frozenset(self.languages),
            tiers=frozenset(self.tiers),
            priority=self.priority,
            assign=self.assign,
            capacity=self.capacity,
            on_call=self.on_call,
        )


class PromiseSettings(_Section):
    """How soon people answer and solve; the first that fits a ticket counts, for all of its life."""

    name: Name
    #: a person's first answer, as "30m", "4h", "2d"
    first_response: Duration | None = None
    #: a person's answer to what the customer writes later
    next_response: Duration | None = None
    #: the end of the ticket, without the time in which the customer is awaited
    resolution: Duration | None = None
    #: whether only the time of [hours] counts
    in_hours: bool = True
    #: percent of the time after which people are warned
    warn_at: int = Field(default=80, ge=1, le=99)
    #: which tickets it is for; empty: any
    priorities: tuple[Priority, ...] = ()
    channels: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _promises_something(self) -> Self:
        if self.first_response is self.next_response is self.resolution is None:
            raise ValueError(f"{self.name} promises nothing: give first_response, next_response or resolution")
        if self.first_response and self.resolution and self.resolution < self.first_response:
            raise ValueError(f"{self.name} promises a resolution before the first response")
        return self

    def policy(self) -> PromisePolicy:
        """Return the policy."""
        return PromisePolicy(
            name=self.name,
            first_response=self.first_response,
            next_response=self.next_response,
            resolution=self.resolution,
            in_hours=self.in_hours,
            warn_share=self.warn_at / 100,
            priorities=frozenset(self.priorities),
            channels=frozenset(map(ChannelName, self.channels)),
            teams=frozenset(map(TeamName, self.teams)),
        )


class DeskSettings(_Section):
    """How people work together."""

    #: of customers whose channel does not tell
    language: str = "en"
    #: Slack ids of people or groups who are told when a promise is broken
    leads: tuple[SlackPeople, ...] = ()
    #: how long after its end a ticket is opened again when its customer has another question that only people answer
    reopen_within: Duration = timedelta(hours=72)
    #: whether customers are asked, once a ticket is closed, how it was
    asks_satisfaction: bool = True
    #: seconds that a reply is held back, so that its agent can undo it; nought: it leaves at once and stays
    hold_replies: int = Field(default=0, ge=0, le=int(UNDO_FOR.total_seconds()))
    #: file of canned replies; none: the sample brand's, and only those that agents make for another brand
    macros: Path | None = None
    #: working time after which a team's user group is asked to claim a ticket; none: never
    widen_after: Duration | None = None
    #: working time after that until those on call are asked; none: never
    on_call_after: Duration | None = None


class PublicSettings(_Section):
    """What is done where everybody reads it: comments, mentions."""

    #: file of the texts that may be said there; none: the sample brand's, and nothing for another brand
    texts: Path | None = None
    #: private channels that people are asked to, the first that can be; none: the same network's, else any with a link
    invite_to: tuple[str, ...] = ()
    #: how long an invitation can be used
    invitation_for: Duration = timedelta(days=14)


def check_rules(
    desk: DeskSettings, teams: tuple[TeamSettings, ...], promises: tuple[PromiseSettings, ...], channels: frozenset[str]
) -> None:
    """Raise `ValueError` that names what contradicts itself, given the channels there are."""
    _once("teams", [team.name for team in teams])
    _once("promises", [promise.name for promise in promises])
    for kind, sections in (("teams", teams), ("promises", promises)):
        for section in sections:
            unknown = set(section.channels) - channels
            if unknown:
                raise ValueError(f"{kind}.{section.name}: there is no channel {min(unknown)!r}")
    names = {team.name for team in teams}
    for index, promise in enumerate(promises):
        if set(promise.teams) - names:
            raise ValueError(f"promises.{promise.name}: there is no team {min(set(promise.teams) - names)!r}")
        before = next((known for known in promises[:index] if known.policy().covers(promise.policy())), None)
        if before is not None:
            raise ValueError(
                f"promises.{promise.name} can never be due: promises.{before.name} above it takes all its tickets; "
                "put the narrower one first"
            )
    if desk.on_call_after and not desk.leads and not any(team.on_call for team in teams):
        raise ValueError("desk.on_call_after asks nobody: name on_call of a team, or desk.leads")


def _once(what: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{what}.{name} is there twice; give each a name of its own")
