"""Whether the Slack app is set up right, and what to do if not."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.desk.slack.channels import Channels
from bot.desk.slack.errors import classify, code_of
from bot.desk.slack.signature import MAX_AGE
from bot.domain.connectors import Permanent
from bot.domain.errors import SettingsError

#: What the bot token must be allowed; `deploy/slack-app-manifest.yaml` asks for the same.
SCOPES = frozenset(
    {
        "channels:history",
        "channels:read",
        "chat:write",
        "commands",
        "files:read",
        "files:write",
        "groups:history",
        "groups:read",
        "metadata.message:read",
        "reactions:read",
        "reactions:write",
        "users:read",
    }
)
#: How far our clock may be from Slack's before somebody is told; well below what signatures allow.
SKEW_MAX = timedelta(seconds=120)


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What is looked at."""

    channels: Channels
    #: ids of the groups whose members may act, and of those that are asked for help
    user_groups: tuple[str, ...] = ()
    #: ids of people and groups who are called when something is late
    called: tuple[str, ...] = ()
    #: for Socket Mode
    app_token: str | None = None


async def check(client: AsyncWebClient, what: Checked) -> str:
    """Return one line that says where we are; raise `SettingsError` with everything there is to fix."""
    identity = await _ask(client.auth_test())
    _check_clock(identity)
    groups = (*what.user_groups, *(each for each in what.called if each.startswith("S")))
    _check_scopes(identity, {"usergroups:read"} if groups else set())
    names, problems = [], []
    for channel in what.channels:
        try:
            names.append(await _check_channel(client, channel, str(identity.get("user"))))
        except SettingsError as error:
            problems.append(str(error))
    called = (_check_person(client, each) for each in what.called if not each.startswith("S"))
    for looked_at in (*(_check_group(client, group) for group in dict.fromkeys(groups)), *called):
        try:
            await looked_at
        except SettingsError as error:
            problems.append(str(error))
    if problems:
        raise SettingsError("; ".join(problems))
    if what.app_token:
        await _ask(client.apps_connections_open(app_token=what.app_token))
    way = "Socket Mode" if what.app_token else "HTTP"
    return f"Slack: @{identity.get('user')} in {identity.get('team')}, {', '.join(names)}, over {way}"


async def _check_channel(client: AsyncWebClient, channel: str, bot: str) -> str:
    if channel[:1] not in {"C", "G"} or not channel.isalnum():
        raise SettingsError(
            f"a Slack channel is set to {channel!r}: set its id, which starts with C and stands at the end of the "
            "channel's details in Slack"
        )
    try:
        found = (await _ask(client.conversations_info(channel=channel))).get("channel") or {}
    except SettingsError as error:
        raise SettingsError(f"the Slack channel {channel}: {error}") from error
    name = found.get("name") or channel
    if found.get("is_archived"):
        raise SettingsError(f"the Slack channel #{name} is archived: unarchive it or set another one")
    if not found.get("is_member"):
        raise SettingsError(f"the bot is not in #{name}: write /invite @{bot} there")
    return f"#{name}"


async def _check_group(client: AsyncWebClient, group: str) -> None:
    try:
        await client.usergroups_users_list(usergroup=group)
    except Exception as error:  # `classify` raises again what is not Slack's
        if code_of(error) in {"no_such_subteam", "subteam_not_found", "invalid_arguments"}:
            raise SettingsError(
                f"Slack knows no user group {group!r}: set its id, which starts with S and stands behind Copy group ID"
            ) from error
        raise SettingsError(f"the user group {group}: {classify(error).reason}") from error


async def check_clock(client: AsyncWebClient) -> None:
    """Ask Slack what time it is; raise `SettingsError` when our clock is too wrong, or Slack does not say."""
    _check_clock(await _ask(client.auth_test()))


async def _check_person(client: AsyncWebClient, user: str) -> None:
    """Refuse somebody whom nobody reaches by a mention."""
    try:
        person = (await client.users_info(user=user)).get("user") or {}
    except Exception as error:  # `classify` raises again what is not Slack's
        if code_of(error) in {"user_not_found", "user_not_visible", "invalid_arguments"}:
            raise SettingsError(
                f"Slack knows nobody {user!r}, who leads or is on call: set the id behind Copy member ID (U…)"
            ) from error
        raise SettingsError(f"{user}, who leads or is on call: {classify(error).reason}") from error
    if person.get("deleted") or person.get("is_bot"):
        what = "deactivated" if person.get("deleted") else "a bot"
        raise SettingsError(f"{user} ({person.get('name')}), who leads or is on call, is {what}: name somebody else")


def _check_clock(identity: AsyncSlackResponse) -> None:
    """Refuse a clock so wrong that Slack's signatures will soon be taken for old ones."""
    behind = skew(identity.headers, datetime.now(UTC))
    if behind is not None and abs(behind) > SKEW_MAX:
        way = "behind" if behind > timedelta() else "ahead of"
        raise SettingsError(
            f"this machine's clock is {abs(behind).total_seconds():.0f} seconds {way} Slack's: set it right "
            f"(NTP); from {MAX_AGE} seconds on, what Slack sends over HTTP is refused"
        )


def skew(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """Return how far our clock is behind the one of an answer; none when the answer does not tell."""
    for name, value in headers.items():
        if name.lower() == "date":
            try:
                return parsedate_to_datetime(value) - now
            except ValueError:
                return None
    return None


def _check_scopes(identity: AsyncSlackResponse, more: set[str]) -> None:
    granted = {name.lower(): value for name, value in identity.headers.items()}.get("x-oauth-scopes")
    if granted is None:
        return
    missing = (SCOPES | more) - {scope.strip() for scope in granted.split(",")}
    if missing:
        raise SettingsError(
            f"the Slack app lacks the scopes {', '.join(sorted(missing))}: add them on the app's page under OAuth & "
            "Permissions and install the app again"
        )


async def _ask(call: Awaitable[AsyncSlackResponse]) -> AsyncSlackResponse:
    try:
        return await call
    except Exception as error:  # `classify` raises again what is not Slack's
        failed = classify(error)
        hint = "" if isinstance(failed, Permanent) else ". Try again, or see https://slack-status.com"
        raise SettingsError(f"{failed.reason}{hint}") from error
