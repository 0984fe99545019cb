"""Calls of Meta's Graph API without the token in sight, and what each way to fail leaves certain."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import quote, urlencode

from bot.domain.connectors import Ambiguous, Permanent, Retry
from bot.domain.errors import MalformedWebhookError
from connectors.fields import Fields, load, storable
from connectors.files import File, form
from connectors.http import Answer, Call, CallError, Line, asked_pause, classify
from connectors.meta.account import API_VERSION, MetaAccount
from connectors.meta.errors import GraphError

#: Stands for the token in addresses above the `Line`.
HIDDEN = "hidden-token"
_CONNECTIONS_MAX = 64
_MESSAGE_MAX = 200
_ANSWER_MAX = 1_000_000
#: Seconds without a byte of an answer.
_READ_TIMEOUT = 20.0
#: Longer pauses that a header asks for are taken for nonsense.
_PAUSE_MAX = timedelta(days=1)

Failure = Retry | Permanent | Ambiguous


class GraphApi:
    """The calls of one account. Nothing it holds, logs or raises contains a secret."""

    def __init__(self, account: MetaAccount) -> None:
        """Connect to nothing before the first call."""
        self._account = account
        self._base_url = f"{account.base_url.rstrip('/')}/{API_VERSION}"
        self._line = Line(_CONNECTIONS_MAX, account.proxy_url, HIDDEN, account.token)

    async def get(self, path: str, query: Mapping[str, str], *, as_app: bool = False) -> Fields | Failure:
        """Return the answer to a question."""
        url = f"{self._base_url}/{path}?{urlencode(query)}"
        return await self._ask(Call(method="GET", url=url, headers=self.proof(as_app=as_app)))

    async def post(self, path: str, body: Mapping[str, object], *, as_app: bool = False) -> Fields | Failure:
        """Return the answer to a call with a JSON body."""
        headers = self.proof(as_app=as_app) | {"Content-Type": "application/json"}
        content = json.dumps(body).encode()
        return await self._ask(self._post(path, headers, content))

    async def delete(self, path: str) -> Fields | Failure:
        """Return the answer to a deletion, which may be repeated."""
        return await self._ask(Call(method="DELETE", url=f"{self._base_url}/{quote(path)}", headers=self.proof()))

    async def upload(self, path: str, members: Mapping[str, str], file: File) -> Fields | Failure:
        """Return the answer to a form with a file."""
        content_type, body = form(members, file)
        return await self._ask(self._post(path, self.proof() | {"Content-Type": content_type}, body))

    def _post(self, path: str, headers: dict[str, str], body: bytes) -> Call:
        return Call(method="POST", url=f"{self._base_url}/{path}", headers=headers, body=body)

    def proof(self, *, as_app: bool = False) -> dict[str, str]:
        """Return the headers that say who we are, which only Meta's own servers may see."""
        token = f"{self._account.app_id}|{self._account.app_secret}" if as_app else self._account.token
        return {"Authorization": f"Bearer {token}", "Accept": "application/json"}

    async def _ask(self, call: Call) -> Fields | Failure:
        try:
            answer = await self._line.answer(replace(call, read_timeout=_READ_TIMEOUT, bytes_max=_ANSWER_MAX))
        except CallError as error:
            return classify(error)
        return read_answer(answer)

    async def close(self) -> None:
        """Close all connections."""
        await self._line.close()


def read_answer(answer: Answer) -> Fields | Failure:
    """Return what Meta answered, or what is certain after it refused."""
    try:
        body = Fields(load(answer.body))
    except MalformedWebhookError:
        body = None
    if body is not None and "error" not in body and answer.status == HTTPStatus.OK:
        return body
    asked = _asked_pause(answer.headers)
    error = _error_in(body) if body is not None else None
    if error is not None:
        return error.outcome(answer.status, asked)
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return Retry(reason="Meta asks for a pause", after=asked)
    if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return Permanent(reason="Meta refuses the access token", code=str(answer.status), is_account=True)
    if HTTPStatus.BAD_REQUEST <= answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return Permanent(reason=f"Meta refuses it (HTTP {answer.status})", code=str(answer.status))
    return Ambiguous(reason=f"Meta's answer cannot be read (HTTP {answer.status})")


def _error_in(body: Fields) -> GraphError | None:
    try:
        error = body.object("error")
        return GraphError(
            code=error.integer("code"),
            subcode=error.integer("error_subcode") if "error_subcode" in error else 0,
            message=storable(_message(error))[:_MESSAGE_MAX],
            is_transient=error.flag("is_transient"),
        )
    except MalformedWebhookError:
        return None


def _message(error: Fields) -> str:
    """Return Meta's words: the detail where there is one."""
    data = error.object("error_data") if "error_data" in error else None
    return (data.text("details", "") if data is not None else "") or error.text("message", "")


def _asked_pause(headers: Mapping[str, str]) -> timedelta | None:
    """Return how long Meta asks us to wait: in seconds, or in the minutes of its own usage header."""
    asked = asked_pause(headers)
    pauses = [asked] if asked is not None else []
    try:
        usage = Fields(load(headers.get("x-business-use-case-usage", "{}").encode()))
        for name in usage:
            minutes = [item.size("estimated_time_to_regain_access") or 0 for item in usage.objects(name)]
            pauses += [timedelta(minutes=each) for each in minutes if each]
    except (MalformedWebhookError, OverflowError):
        pass
    fitting = [pause for pause in pauses if pause <= _PAUSE_MAX]
    return max(fitting) if fitting else None
