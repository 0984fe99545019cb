"""Who may act on the desk: members of the workspace, asked of Slack when they act."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.desk.slack.errors import code_of
from bot.domain.rules import Team
from bot.domain.tickets import Agent, AgentId, TeamName

#: How long an answer of Slack's is believed: a person who left is refused after that at the latest.
BELIEVED_FOR_SECONDS = 60.0
#: Answers kept; more people than that only cost look-ups.
_KEPT_MAX = 1_000


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a person may act."""

    #: none: they may not
    agent: Agent | None
    #: why not, for them to read
    refusal: str = ""


class People:
    """Asks Slack who somebody is, and believes the answer for a minute."""

    def __init__(
        self,
        client: AsyncWebClient,
        user_groups: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
        leads: Sequence[str] = (),
    ) -> None:
        """Take the bot's client; `user_groups` (ids, `S…`) narrow agents down to their members.

        `leads` (ids of people and groups) see what everybody has to do.
        """
        self._leads = tuple(leads)
        self._workspace = ""
        self._client = client
        self._user_groups = tuple(user_groups)
        self._clock = clock
        self._verdicts: dict[str, tuple[float, Verdict]] = {}
        self._members: dict[str, tuple[float, frozenset[str]]] = {}
        self._team: str | None = None

    async def verdict(self, user: str) -> Verdict:
        """Return whether `user` may act now; raises what Slack's client raises when Slack cannot be asked."""
        known = self._verdicts.get(user)
        if known is not None and self._clock() - known[0] < BELIEVED_FOR_SECONDS:
            return known[1]
        verdict = await self._ask(user)
        if len(self._verdicts) >= _KEPT_MAX:
            self._verdicts.clear()
        self._verdicts[user] = (self._clock(), verdict)
        return verdict

    async def name(self, user: str) -> str:
        """Return how to call somebody in a text for customers; "a colleague" for those we do not vouch for."""
        agent = (await self.verdict(user)).agent
        return agent.name if agent else "a colleague"

    async def is_lead(self, user: str) -> bool:
        """Return whether `user` sees what everybody has to do."""
        if user in self._leads:
            return True
        for group in self._leads:
            if group.startswith("S") and user in await self._group(group):
                return True
        return False

    async def teams_of(self, user: str, teams: Sequence[Team]) -> tuple[TeamName, ...] | None:
        """Return the teams whose user group `user` is in, with those that have none; none: no team has one."""
        if not any(team.user_group for team in teams):
            return None
        return tuple([team.name for team in teams if not team.user_group or user in await self._group(team.user_group)])

    async def workspace(self) -> str:
        """Return the workspace's address: https://copperleaf.slack.com/."""
        await self._own_team()
        return self._workspace

    async def _ask(self, user: str) -> Verdict:
        try:
            answer = await self._client.users_info(user=user)
        except SlackApiError as error:
            if code_of(error) in {"user_not_found", "user_not_visible"}:
                return _refused("Slack does not know you in this workspace.")
            raise
        person = answer.get("user") or {}
        refusal = _refusal(person, await self._own_team())
        if not refusal and self._user_groups and not await self._is_in_a_group(user):
            refusal = "Only members of the agents' user group can answer customers. Ask to be added to it."
        if refusal:
            return _refused(refusal)
        return Verdict(agent=Agent(id=AgentId(f"slack:{user}"), name=_name(person)))

    async def _own_team(self) -> str:
        if self._team is None:
            answer = await self._client.auth_test()
            self._team, self._workspace = str(answer.get("team_id")), str(answer.get("url") or "")
        return self._team

    async def _is_in_a_group(self, user: str) -> bool:
        for group in self._user_groups:
            if user in await self._group(group):
                return True
        return False

    async def _group(self, group: str) -> frozenset[str]:
        known = self._members.get(group)
        if known is not None and self._clock() - known[0] < BELIEVED_FOR_SECONDS:
            return known[1]
        answer = await self._client.usergroups_users_list(usergroup=group)
        members = frozenset(answer.get("users") or ())
        self._members[group] = (self._clock(), members)
        return members


def _refusal(person: dict[str, object], own_team: str) -> str:
    """Return why a person may not act; empty when they may. Flags: https://docs.slack.dev/reference/objects/user-object."""
    if person.get("deleted"):
        return "Your account is deactivated."
    if person.get("is_bot") or person.get("is_app_user") or person.get("id") == "USLACKBOT":
        return "Bots cannot answer customers."
    if person.get("is_stranger") or person.get("team_id") != own_team:
        return "Only members of this workspace can answer customers."
    if person.get("is_restricted") or person.get("is_ultra_restricted"):
        return "Guests cannot answer customers."
    return ""


def _refused(reason: str) -> Verdict:
    return Verdict(agent=None, refusal=reason)


def _name(person: dict[str, object]) -> str:
    profile = person.get("profile")
    shown = profile if isinstance(profile, dict) else {}
    for name in (shown.get("display_name"), shown.get("real_name"), person.get("real_name"), person.get("name")):
        if isinstance(name, str) and name.strip():
            return name.strip()
    return "Agent"
