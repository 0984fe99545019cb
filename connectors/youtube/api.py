"""Calls of the YouTube Data API: tokens, units, and what each way to fail leaves certain.

https://developers.google.com/youtube/v3/docs/errors and https://developers.google.com/youtube/v3/determine_quota_cost
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from http import HTTPStatus
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from bot.domain.connectors import Ambiguous, Permanent, Retry
from bot.domain.errors import MalformedWebhookError
from connectors.fields import Fields, load
from connectors.http import Answer, Call, CallError, Line, asked_pause, classify
from connectors.verdicts import ACCOUNT, LATER, NEVER, Verdict

Failure = Retry | Permanent | Ambiguous

#: Where a day of units begins and ends.
QUOTA_ZONE = ZoneInfo("America/Los_Angeles")
#: Units of each call.
READ_UNITS, WRITE_UNITS = 1, 50
_CONNECTIONS_MAX = 16
_ANSWER_MAX = 4_000_000
_MESSAGE_MAX = 200
#: A token is exchanged for a new one while it still lives for so long.
_TOKEN_SPARE = timedelta(minutes=2)

#: Reason that YouTube gives → verdict and words for an agent.
REASONS: dict[str, tuple[Verdict, str]] = {
    "rateLimitExceeded": (LATER, "YouTube asks for a pause"),
    "userRateLimitExceeded": (LATER, "YouTube asks for a pause"),
    "commentsDisabled": (NEVER, "comments are switched off for this video"),
    "commentThreadNotFound": (NEVER, "the comment is no longer there"),
    "commentNotFound": (NEVER, "the comment is no longer there"),
    "parentCommentNotFound": (NEVER, "the comment is no longer there"),
    "videoNotFound": (NEVER, "the video is no longer there"),
    "channelNotFound": (NEVER, "the channel is no longer there"),
    "commentTextTooLong": (NEVER, "the text is too long for YouTube"),
    "commentTextRequired": (NEVER, "a comment needs words"),
    "operationNotSupported": (NEVER, "YouTube does not let this comment be answered"),
    "parentCommentIsPrivate": (NEVER, "the comment was hidden: nobody could read an answer"),
    "processingFailure": (NEVER, "YouTube refuses the comment, and gives no reason"),
    "ineligibleAccount": (ACCOUNT, "the Google account has no YouTube channel: connect one that has"),
    "insufficientPermissions": (ACCOUNT, "the Google account did not allow comments: connect it anew"),
    "authError": (ACCOUNT, "Google refuses the account's token: connect it anew"),
    "accessNotConfigured": (ACCOUNT, "the YouTube Data API is switched off for the Google project: switch it on"),
    "forbidden": (NEVER, "YouTube does not let this account write there"),
}
#: Reasons that mean the day's units are used up.
_USED_UP = frozenset({"quotaExceeded", "dailyLimitExceeded"})


@dataclass(frozen=True, kw_only=True)
class Access:
    """What an access token is got with."""

    client_id: str
    client_secret: str
    refresh_token: str
    token_url: str


class Units:
    """Counts what of the day's units is used; the day is YouTube's own."""

    def __init__(self, a_day: int, now: Callable[[], datetime]) -> None:
        """Count up to `a_day`."""
        self._a_day = a_day
        self._now = now
        self._day = self._today()
        self._used = 0

    def use(self, units: int) -> None:
        """Count a call."""
        self._turn()
        self._used += units

    def use_up(self) -> None:
        """Count the whole day, as YouTube does."""
        self._turn()
        self._used = max(self._used, self._a_day)

    @property
    def used(self) -> int:
        """How many are used today."""
        self._turn()
        return self._used

    @property
    def left(self) -> int:
        """How many are left today."""
        return max(0, self._a_day - self.used)

    def until_new(self) -> timedelta:
        """Return how long it is until there are new ones."""
        now = self._now().astimezone(QUOTA_ZONE)
        tomorrow = datetime.combine(now.date() + timedelta(days=1), time(), QUOTA_ZONE)
        # In UTC, as a day may have 23 or 25 hours.
        return tomorrow.astimezone(UTC) - now.astimezone(UTC)

    def keep(self) -> str:
        """Return the count as text."""
        return f"{self._day}:{self.used}"

    def recall(self, kept: str) -> None:
        """Go on from a count that was kept, if it is of today."""
        day, _, used = kept.partition(":")
        if day == self._today() and used.isascii() and used.isdigit():
            self._used = max(self._used, int(used))

    def _today(self) -> str:
        return self._now().astimezone(QUOTA_ZONE).date().isoformat()

    def _turn(self) -> None:
        if self._day != self._today():
            self._day, self._used = self._today(), 0


class YouTubeApi:
    """The calls of one account. Nothing it holds, logs or raises contains a token or secret."""

    def __init__(
        self, access: Access, base_url: str, units: Units, now: Callable[[], datetime], proxy_url: str | None
    ) -> None:
        """Connect to nothing before the first call."""
        self._access = access
        self._base_url = base_url.rstrip("/")
        self._units = units
        self._now = now
        self._line = Line(_CONNECTIONS_MAX, proxy_url, "", "")
        self._token = ""
        self._lives_until: datetime | None = None

    async def get(self, path: str, query: Mapping[str, str]) -> bytes | Failure:
        """Return the body of the answer to a read."""
        return await self._call(Call(method="GET", url=self._url(path, query), headers={}), READ_UNITS)

    async def write(
        self, method: str, path: str, query: Mapping[str, str], body: Mapping[str, object] | None = None
    ) -> bytes | Failure:
        """Return the body of the answer to a write."""
        content = json.dumps(body).encode() if body is not None else b""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        return await self._call(
            Call(method=method, url=self._url(path, query), headers=headers, body=content), WRITE_UNITS
        )

    def _url(self, path: str, query: Mapping[str, str]) -> str:
        return f"{self._base_url}/{path}?{urlencode(query)}"

    async def _call(self, call: Call, units: int) -> bytes | Failure:
        if self._units.left < units:
            return self._used_up()
        answer = await self._answer(call)
        if isinstance(answer, Answer) and answer.status == HTTPStatus.UNAUTHORIZED:
            # Google takes tokens back before their time; nothing was done.
            self._lives_until = None
            answer = await self._answer(call)
        if not isinstance(answer, Answer):
            return answer
        self._units.use(units)
        return answer.body if answer.status < HTTPStatus.MULTIPLE_CHOICES else self._failure(answer)

    async def _answer(self, call: Call) -> Answer | Failure:
        token = await self._access_token()
        if not isinstance(token, str):
            return token
        headers = {**call.headers, "Authorization": f"Bearer {token}", "Accept": "application/json"}
        try:
            return await self._line.answer(
                Call(method=call.method, url=call.url, headers=headers, body=call.body, bytes_max=_ANSWER_MAX)
            )
        except CallError as error:
            return classify(error)

    async def _access_token(self) -> str | Failure:
        """Return a token that lives; failures to get one are certain not to have sent anything."""
        if self._lives_until is not None and self._now() < self._lives_until:
            return self._token
        access = self._access
        asked = {
            "grant_type": "refresh_token",
            "client_id": access.client_id,
            "client_secret": access.client_secret,
            "refresh_token": access.refresh_token,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        call = Call(method="POST", url=access.token_url, headers=headers, body=urlencode(asked).encode())
        try:
            answer = await self._line.answer(call)
        except CallError as error:
            return Retry(reason=f"no connection to Google ({error.kind})")
        if answer.status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED}:
            return Permanent(
                reason="Google does not let us in any more: connect the account anew",
                code="invalid_grant",
                is_account=True,
            )
        try:
            granted = Fields(load(answer.body))
            self._token = granted.text("access_token")
            self._lives_until = self._now() + timedelta(seconds=granted.integer("expires_in")) - _TOKEN_SPARE
        except (MalformedWebhookError, OverflowError):
            return Retry(reason=f"Google gives no token now (HTTP {answer.status})")
        return self._token

    def _failure(self, answer: Answer) -> Failure:
        reason, said = _explained(answer.body)
        if reason in _USED_UP:
            self._units.use_up()
            return self._used_up()
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status < HTTPStatus.BAD_REQUEST:
            return Ambiguous(reason=f"YouTube failed, and the comment may be there (HTTP {answer.status})")
        if answer.status == HTTPStatus.UNAUTHORIZED:
            reason = "authError"
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            reason = "rateLimitExceeded"
        verdict, words = REASONS.get(reason, (NEVER, f"YouTube refuses it: {said or f'HTTP {answer.status}'}"))
        if verdict is LATER:
            return Retry(reason=words, after=asked_pause(answer.headers))
        return Permanent(reason=words, code=reason or str(answer.status), is_account=verdict is ACCOUNT)

    def _used_up(self) -> Retry:
        return Retry(
            reason="today's units of the YouTube API are used up; there are new ones at midnight in California",
            after=self._units.until_new(),
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._line.close()


def _explained(body: bytes) -> tuple[str, str]:
    """Return YouTube's reason for a refusal, and its words."""
    try:
        error = Fields(load(body)).object("error")
        details = error.objects("errors")
        return (details[0].text("reason", "") if details else ""), error.text("message", "")[:_MESSAGE_MAX]
    except MalformedWebhookError:
        return "", ""
