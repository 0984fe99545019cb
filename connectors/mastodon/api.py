"""Calls of a Mastodon server's API, and what each way to fail leaves certain.

https://docs.joinmastodon.org/api/, errors in https://docs.joinmastodon.org/entities/Error/: words, no codes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from urllib.parse import urlencode

from bot.domain.connectors import Ambiguous, Permanent, Retry
from bot.domain.errors import MalformedWebhookError
from connectors.fields import Fields, load
from connectors.files import File, form
from connectors.http import Answer, Call, CallError, Line, classify
from connectors.verdicts import ACCOUNT, LATER, NEVER, Verdict

Failure = Retry | Permanent | Ambiguous

_CONNECTIONS_MAX = 8
_ANSWER_MAX = 8_000_000
_MESSAGE_MAX = 200
#: Seconds that a server may take over a film.
_UPLOAD_TIMEOUT = 60.0
#: Longer pauses than a day are no pauses.
_PAUSE_MAX = timedelta(days=1)
GONE = str(HTTPStatus.NOT_FOUND.value)

#: HTTP status → verdict and words for an agent.
STATUSES: dict[int, tuple[Verdict, str]] = {
    400: (NEVER, "the server does not understand it"),
    401: (ACCOUNT, "the server does not take the token: make a new one"),
    403: (NEVER, "the server does not allow it"),
    404: (NEVER, "the customer, or what is answered, is no longer there"),
    410: (NEVER, "the customer, or what is answered, is no longer there"),
    413: (NEVER, "the file is too large for the server"),
    422: (NEVER, "the server refuses it"),
    429: (LATER, "the server asks for a pause"),
}
#: What the server says with 403 when it is not about this one message.
_ABOUT_US = ("your login", "authorized scopes")


class MastodonApi:
    """The calls of one account on one server. Nothing it holds, logs or raises contains the token."""

    def __init__(self, url: str, token: str, proxy_url: str | None, now: Callable[[], datetime]) -> None:
        """Connect to nothing before the first call."""
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._url = url
        self._now = now
        self._line = Line(_CONNECTIONS_MAX, proxy_url, "", "")

    async def get(self, path: str, query: Iterable[tuple[str, str]] = ()) -> bytes | Failure:
        """Return what is there; `path` as /api/v1/notifications."""
        pairs = list(query)
        return _body(await self._answer("GET", f"{path}?{urlencode(pairs)}" if pairs else path), self._now())

    async def send(
        self, method: str, path: str, body: Mapping[str, object] | None = None, key: str = ""
    ) -> bytes | Failure:
        """Change something; the server makes a status once for each `key` within an hour."""
        headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
        content = json.dumps(body).encode() if body is not None else b""
        return _body(await self._answer(method, path, headers, content), self._now())

    async def upload(self, file: File, description: str) -> tuple[str, bool] | Failure:
        """Return what the server calls a file, and whether it is ready to be shown."""
        content_type, content = form({"description": description}, file)
        answer = await self._answer("POST", "/api/v2/media", {"Content-Type": content_type}, content)
        body = _body(answer, self._now())
        if not isinstance(body, bytes):
            return body
        is_ready = isinstance(answer, Answer) and answer.status != HTTPStatus.ACCEPTED
        try:
            return Fields(load(body)).text("id"), is_ready
        except MalformedWebhookError:
            return Ambiguous(reason="the server's answer to a file cannot be read")

    async def is_ready(self, media_id: str) -> bool | Failure:
        """Return whether a file can be shown."""
        answer = await self._answer("GET", f"/api/v1/media/{media_id}")
        body = _body(answer, self._now())
        if not isinstance(body, bytes):
            return body
        return isinstance(answer, Answer) and answer.status != HTTPStatus.PARTIAL_CONTENT

    async def _answer(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer | Failure:
        try:
            return await self._line.answer(
                Call(
                    method=method,
                    url=f"{self._url}{path}",
                    headers=self._headers | dict(headers or {}),
                    body=body,
                    bytes_max=_ANSWER_MAX,
                    read_timeout=_UPLOAD_TIMEOUT if path == "/api/v2/media" else 20.0,
                )
            )
        except CallError as error:
            return classify(error)

    async def close(self) -> None:
        """Close all connections."""
        await self._line.close()


def _body(answer: Answer | Failure, now: datetime) -> bytes | Failure:
    if not isinstance(answer, Answer):
        return answer
    if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return answer.body
    return failure_of(answer, now)


def failure_of(answer: Answer, now: datetime) -> Failure:
    """Return what is certain after a refusal."""
    try:
        said = Fields(load(answer.body)).text("error", "")[:_MESSAGE_MAX]
    except MalformedWebhookError:
        said = ""
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status < HTTPStatus.BAD_REQUEST:
        return Ambiguous(reason=f"the server failed, and the message may be there (HTTP {answer.status})")
    verdict, words = STATUSES.get(answer.status, (NEVER, f"the server refuses it (HTTP {answer.status})"))
    if answer.status == HTTPStatus.FORBIDDEN and any(each in said.lower() for each in _ABOUT_US):
        verdict = ACCOUNT
    if verdict is LATER:
        return Retry(reason=words, after=_asked_pause(answer.headers, now))
    reason = f"{words}: {said}" if said else words
    return Permanent(reason=reason, code=str(answer.status), is_account=verdict is ACCOUNT)


def _asked_pause(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """Return how long until the server counts anew (https://docs.joinmastodon.org/api/rate-limits/)."""
    try:
        until = datetime.fromisoformat(headers.get("x-ratelimit-reset", ""))
    except ValueError:
        after = headers.get("retry-after", "")
        return timedelta(seconds=int(after)) if after.isascii() and after.isdigit() and len(after) <= 5 else None
    until = until.replace(tzinfo=UTC) if until.tzinfo is None else until
    return min(max(until - now, timedelta(seconds=1)), _PAUSE_MAX)
