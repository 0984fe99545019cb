"""Calls of X's API, signed for the account or made as the app, and what each way to fail leaves certain.

https://docs.x.com/x-api/introduction
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from urllib.parse import quote, urlencode

from bot.domain.connectors import Ambiguous, Permanent, Retry
from bot.domain.errors import MalformedWebhookError
from connectors.fields import Fields, load
from connectors.http import Answer, Call, CallError, Line, classify
from connectors.x.errors import outcome
from connectors.x.limits import Allowances
from connectors.x.oauth import Credentials, authorization

_CONNECTIONS_MAX = 32
_ANSWER_MAX = 2_000_000
_DETAIL_MAX = 200
_PAUSE_MAX = timedelta(days=2)

Failure = Retry | Permanent | Ambiguous


class XApi:
    """The calls of one account. Nothing it holds, logs or raises contains a secret in the clear."""

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        proxy_url: str | None,
        allowances: Allowances,
        now: Callable[[], datetime],
    ) -> None:
        """Connect to nothing before the first call."""
        self._base_url = base_url.rstrip("/")
        self._credentials = credentials
        self._allowances = allowances
        self._now = now
        self._line = Line(_CONNECTIONS_MAX, proxy_url, "\0", "")
        self._app_token: str | None = None

    @property
    def allowances(self) -> Allowances:
        """What is left of X's limits."""
        return self._allowances

    def proof(self, method: str, url: str) -> dict[str, str]:
        """Return the header that proves one call for the account, just now."""
        seconds = int(self._now().timestamp())
        return {"Authorization": authorization(method, url, self._credentials, secrets.token_hex(16), seconds)}

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Fields | Failure:
        """Return the answer to a question of the account's."""
        return await self._signed(Call(method="GET", url=self._url(path, query), headers={}))

    async def post(
        self, path: str, body: Mapping[str, object], what: str = "", user_token: str = ""
    ) -> Fields | Failure:
        """Return the answer to a call of the account's; `what` names the limit that it counts towards.

        A `user_token` of OAuth 2.0 proves the call in place of the signature.
        """
        pause = self._allowances.pause(what, self._now()) if what else None
        if pause is not None:
            return Retry(reason=f"X takes no more {what}s for now", after=pause)
        headers, content = {"Content-Type": "application/json"}, json.dumps(body).encode()
        call = Call(method="POST", url=self._url(path), headers=headers, body=content)
        return await self._signed(call, what, user_token)

    async def delete(self, path: str) -> Fields | Failure:
        """Return the answer to a call of the account's that takes something back."""
        return await self._signed(Call(method="DELETE", url=self._url(path), headers={}))

    async def upload(self, path: str, number: int, content: bytes) -> Fields | Failure:
        """Return the answer to a form with one part of a file."""
        boundary = secrets.token_hex(16)
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="segment_index"\r\n\r\n{number}\r\n'
            f'--{boundary}\r\nContent-Disposition: form-data; name="media"; filename="file"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        form = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return await self._signed(Call(method="POST", url=self._url(path), headers=headers, body=form))

    async def _signed(self, call: Call, what: str = "", user_token: str = "") -> Fields | Failure:
        proof = {"Authorization": f"Bearer {user_token}"} if user_token else self.proof(call.method, call.url)
        return await self._ask(replace(call, headers={**call.headers, **proof}), what)

    def _url(self, path: str, query: Mapping[str, str] | None = None) -> str:
        return f"{self._base_url}/{path}" + (f"?{urlencode(query)}" if query else "")

    async def as_app(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Fields | Failure:
        """Return the answer to a call of the app's, whose token is asked for first."""
        token = self._app_token or await self._ask_app_token()
        if not isinstance(token, str):
            return token
        self._app_token = token
        headers = {"Authorization": f"Bearer {token}"} | ({"Content-Type": "application/json"} if body else {})
        content = json.dumps(body).encode() if body else b""
        answer = await self._ask(Call(method=method, url=self._url(path), headers=headers, body=content))
        if isinstance(answer, Permanent) and answer.is_account:
            self._app_token = None
        return answer

    async def _ask_app_token(self) -> str | Failure:
        """Return a token of the app (https://docs.x.com/fundamentals/authentication/oauth-2-0/application-only)."""
        known = self._credentials
        pair = f"{quote(known.consumer_key, safe='')}:{quote(known.consumer_secret, safe='')}"
        headers = {
            "Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}",
            "Content-Type": "application/x-www-form-urlencoded;charset=UTF-8",
        }
        body = b"grant_type=client_credentials"
        answer = await self._ask(Call(method="POST", url=self._url("oauth2/token"), headers=headers, body=body))
        if not isinstance(answer, Fields):
            refused = isinstance(answer, Permanent)
            return replace(answer, reason="X refuses consumer_key and consumer_secret") if refused else answer
        return answer.text("access_token", "")

    async def _ask(self, call: Call, what: str = "") -> Fields | Failure:
        try:
            answer = await self._line.answer(replace(call, bytes_max=_ANSWER_MAX))
        except CallError as error:
            return classify(error)
        if what:
            await self._allowances.note(what, answer.headers)
        return read_answer(answer, self._now())

    async def close(self) -> None:
        """Close all connections."""
        await self._line.close()


def read_answer(answer: Answer, now: datetime) -> Fields | Failure:
    """Return what X answered, or what is certain after it refused."""
    is_ok = HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES
    if is_ok and not answer.body:
        return Fields({})
    try:
        body = Fields(load(answer.body))
        if is_ok and ("errors" not in body or "data" in body):
            return body
        code, said, detail = _error(body)
    except MalformedWebhookError:
        code, said, detail = None, "", ""
        if is_ok:
            return Ambiguous(reason="X's answer cannot be read")
    status = HTTPStatus.BAD_REQUEST if is_ok else answer.status
    return outcome(status, code, said, detail, _asked_pause(answer.headers, now))


def _error(body: Fields) -> tuple[int | None, str, str]:
    """Return code, all words and the best words of an error, in whichever form it is written."""
    errors = body.objects("errors") if "errors" in body else []
    places = [body, *errors]
    names = ("type", "title", "detail", "message", "reason", "error_description")
    words = [text for place in places for name in names if (text := _text(place, name))]
    codes = [place.integer("code") for place in errors if "code" in place]
    details = [text for place in places for name in ("detail", "message") if (text := _text(place, name))]
    return (codes[0] if codes else None), " ".join(words), (details[0] if details else "")[:_DETAIL_MAX]


def _text(place: Fields, name: str) -> str:
    try:
        return place.text(name, "")
    except MalformedWebhookError:
        return ""


def _asked_pause(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """Return how long X asks us to wait: until the limit that is used up ends."""
    ends = []
    for prefix in ("x-rate-limit", "x-user-limit-24hour", "x-app-limit-24hour"):
        reset, remaining = headers.get(f"{prefix}-reset", ""), headers.get(f"{prefix}-remaining", "0")
        if reset.isascii() and reset.isdigit() and len(reset) <= 12 and remaining == "0":
            ends.append(datetime.fromtimestamp(int(reset), UTC) - now + timedelta(seconds=1))
    fitting = [end for end in ends if timedelta() < end <= _PAUSE_MAX]
    return max(fitting) if fitting else None
