"""Whether the Slack app is set up right, and what to do if not."""

from __future__ import annotations

from collections.abc import Awaitable

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.desk.slack.errors import classify
from bot.domain.connectors import Permanent
from bot.domain.errors import SettingsError

#: What the bot token must be allowed; `deploy/slack-app-manifest.yaml` asks for the same.
SCOPES = frozenset(
    {
        "channels:history",
        "channels:read",
        "chat:write",
        "files:read",
        "files:write",
        "groups:history",
        "groups:read",
        "metadata.message:read",
        "reactions:write",
        "users:read",
    }
)


async def check(client: AsyncWebClient, channel: str, app_token: str | None, user_group: str | None) -> str:
    """Return one line that says where we are; raise `SettingsError` with the first thing to fix."""
    identity = await _ask(client.auth_test())
    _check_scopes(identity, {"usergroups:read"} if user_group else set())
    if channel[:1] not in {"C", "G"} or not channel.isalnum():
        raise SettingsError(
            f"the Slack queue channel is set to {channel!r}: set its id, which starts with C and stands at the end of "
            "the channel's details in Slack"
        )
    found = (await _ask(client.conversations_info(channel=channel))).get("channel") or {}
    name = found.get("name") or channel
    if found.get("is_archived"):
        raise SettingsError(f"the Slack channel #{name} is archived: unarchive it or set another one")
    if not found.get("is_member"):
        raise SettingsError(f"the bot is not in #{name}: write /invite @{identity.get('user')} there")
    if user_group:
        await _ask(client.usergroups_users_list(usergroup=user_group))
    if app_token:
        await _ask(client.apps_connections_open(app_token=app_token))
    way = "Socket Mode" if app_token else "HTTP"
    return f"Slack: @{identity.get('user')} in {identity.get('team')}, queue channel #{name}, over {way}"


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
