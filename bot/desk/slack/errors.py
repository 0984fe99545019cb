"""What an exception of Slack's client says about the call: certainly not done, never to be done, or nobody knows."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.domain.connectors import Ambiguous, Permanent, Retry
from bot.domain.desk import Blocked

#: Slack's errors that the operator can mend, in plain words (https://docs.slack.dev/reference/methods/chat.postMessage).
FIXES = {
    "account_inactive": "Slack's bot token belongs to a removed app: install the app again and set the new token",
    "channel_is_limited_access": "only some people may post to the channel: let the app post there",
    "channel_not_found": "Slack does not know the channel, or the bot is not in it: invite the bot",
    "ekm_access_denied": "the workspace's administrators have suspended posting",
    "invalid_auth": "Slack refuses the bot token: set the token that the app's page shows",
    "is_archived": "the channel is archived: unarchive it or set another one",
    "missing_scope": "the app lacks a permission: add the scopes of the manifest and install the app again",
    "not_allowed_token_type": "this is not a bot token: it has to start with xoxb-",
    "not_authed": "no bot token is set",
    "not_in_channel": "the bot is not in the channel: invite it there",
    "restricted_action": "the workspace's settings forbid the bot to post in the channel",
    "team_access_not_granted": "the app is not allowed in this workspace",
    "token_expired": "the bot token has expired: turn token rotation off or set the new token",
    "token_revoked": "the bot token was revoked: install the app again and set the new token",
}
#: Errors that stand for one channel: nobody can post there.
CHANNEL_ERRORS = frozenset(
    {"channel_is_limited_access", "channel_not_found", "is_archived", "not_in_channel", "restricted_action"}
)
#: Errors that stand for the app as a whole.
ACCOUNT_ERRORS = frozenset(
    {
        "account_inactive",
        "ekm_access_denied",
        "invalid_auth",
        "missing_scope",
        "not_allowed_token_type",
        "not_authed",
        "team_access_not_granted",
        "token_expired",
        "token_revoked",
    }
)
#: Errors that say that a message, or the thread below it, is not there any more.
GONE_ERRORS = frozenset({"message_not_found", "thread_not_found", "cant_update_message", "cannot_reply_to_message"})
#: Errors that say that we do not see a message, as its channel is none of ours or it is gone: people use an app's
#: shortcuts wherever they are.
UNSEEN_ERRORS = GONE_ERRORS | {"channel_not_found", "not_in_channel"}
#: Errors after which the same call may succeed, and certainly has not been carried out.
_PASSING = frozenset(
    {"ratelimited", "rate_limited", "message_limit_exceeded", "service_unavailable", "team_added_to_org"}
)
#: Errors that Slack gives when something broke half way.
_UNCERTAIN = frozenset({"internal_error", "fatal_error", "request_timeout", "accesslimited"})


def classify(error: Exception) -> Retry | Permanent | Ambiguous:
    """Return what a failed call means; exceptions that are not of the client or the network are raised again."""
    if isinstance(error, SlackApiError):
        return _classify_answer(error)
    if isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)):
        return Retry(reason=f"Slack cannot be reached: {error}")
    if isinstance(error, (aiohttp.ClientError, asyncio.TimeoutError, OSError)):
        return Ambiguous(reason=f"the connection to Slack broke: {type(error).__name__}")
    if isinstance(error, SlackClientError):
        return Permanent(reason=f"Slack's client refused the call: {error}", code=type(error).__name__)
    raise error


def classify_post(error: Exception) -> Retry | Permanent | Ambiguous | Blocked:
    """Return what a failed post means; `Blocked` where none can be made until somebody mends it."""
    failed = classify(error)
    if isinstance(failed, Permanent) and failed.code in CHANNEL_ERRORS | ACCOUNT_ERRORS:
        return Blocked(reason=failed.reason, code=failed.code)
    return failed


def code_of(error: Exception) -> str:
    """Return Slack's own code of an error answer; empty for anything else."""
    answer = error.response if isinstance(error, SlackApiError) else None
    data = getattr(answer, "data", None)
    return str(data.get("error") or "") if isinstance(data, dict) else ""


def _classify_answer(error: SlackApiError) -> Retry | Permanent | Ambiguous:
    code = code_of(error)
    status = getattr(error.response, "status_code", None) or getattr(error.response, "status", None)
    if status == 429 or code in _PASSING:
        return Retry(reason="Slack asks us to slow down", after=_retry_after(error))
    if code in _UNCERTAIN or not code or (isinstance(status, int) and status >= 500):
        return Ambiguous(reason=f"Slack answered {status} {code}".strip())
    return Permanent(reason=FIXES.get(code, f"Slack refuses it: {code}"), code=code)


def _retry_after(error: SlackApiError) -> timedelta | None:
    headers = getattr(error.response, "headers", None) or {}
    for name, value in headers.items():
        if name.lower() == "retry-after" and str(value).isdigit():
            return timedelta(seconds=int(value))
    return None
