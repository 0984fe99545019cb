"""What the desk in Slack is made with, and how it speaks to one person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.desk.slack import thread
from bot.desk.slack.blocks import Post
from bot.desk.slack.errors import classify
from bot.desk.slack.files import SlackFiles
from bot.desk.slack.people import People
from bot.desk.slack.whereabouts import Whereabouts
from bot.domain.connectors import ConnectorRegistry, Permanent
from bot.domain.desk import DeskActs
from bot.domain.macros import Macro, Macros
from bot.domain.rules import Rules
from bot.domain.shifts import DeskShifts
from bot.domain.tickets import Agent

_log = structlog.get_logger(__name__)


class NoMacros:
    """Canned replies where there are none."""

    async def all(self) -> tuple[Macro, ...]:
        """Return nothing."""
        return ()

    async def add(self, macro: Macro, agent: Agent) -> None:
        """Keep nothing."""


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What the surface shows besides tickets."""

    #: tell what customers will see
    connectors: ConnectorRegistry = field(default_factory=ConnectorRegistry)
    rules: Rules = field(default_factory=Rules)
    macros: Macros = field(default_factory=NoMacros)
    #: who is there; none: nobody keeps count
    shifts: DeskShifts | None = None
    brand: str = "us"
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class SlackParts:
    """What acting on Slack's events takes."""

    client: AsyncWebClient
    #: id of the general queue channel
    channel: str
    acts: DeskActs
    people: People
    files: SlackFiles
    #: shared with the poster, which puts ✅ where it says
    whereabouts: Whereabouts
    resources: Resources = field(default_factory=Resources)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a person is spoken to."""

    channel: str
    #: empty: in the channel itself
    thread: str = ""

    @classmethod
    def of(cls, desk_reference: str | None, otherwise: str) -> Place:
        """Return the thread of a ticket's card, or the channel `otherwise` while there is none."""
        channel, _, ts = (desk_reference or "").rpartition(":")
        return cls(channel=channel, thread=ts) if channel else cls(channel=otherwise)


class Voice:
    """Finds out who somebody is, and speaks to them alone."""

    def __init__(self, parts: SlackParts) -> None:
        """Speak as the bot."""
        self._parts = parts

    async def agent(self, user: str, place: Place, unsent: str = "") -> Agent | None:
        """Return the person as an agent, or none once they have been told why they are not one."""
        verdict = await self._parts.people.verdict(user)
        if verdict.agent is None:
            _log.warning("desk_refused", user=user, reason=verdict.refusal)
            await self.tell(user, place, verdict.refusal, unsent)
        return verdict.agent

    async def tell(self, user: str, place: Place, reason: str, unsent: str = "") -> None:
        """Say something to one person alone; `unsent` gives them their words back."""
        await self.show(user, place, thread.refusal(reason, unsent))

    async def show(self, user: str, place: Place, post: Post) -> None:
        """Show something to one person alone; somebody who cannot be shown it is not waited for."""
        try:
            await self._parts.client.chat_postEphemeral(
                channel=place.channel,
                user=user,
                thread_ts=place.thread or None,
                text=post.text,
                blocks=post.blocks,
                link_names=False,
                parse="none",
            )
        except Exception as error:
            failed = classify(error)
            if not isinstance(failed, Permanent):
                raise
            _log.warning("desk_not_told", user=user, error=failed.code)
