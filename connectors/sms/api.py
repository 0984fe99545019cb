"""Calls of Twilio's API, with the account's token in a header that nobody logs.

https://www.twilio.com/docs/usage/api
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlencode

from bot.domain.connectors import Ambiguous, Permanent, Retry
from bot.domain.errors import MalformedWebhookError
from connectors.fields import Fields, load
from connectors.http import Answer, Call, CallError, Line, asked_pause, classify
from connectors.sms.errors import outcome

_CONNECTIONS_MAX = 32
_ANSWER_MAX = 1_000_000
_MESSAGE_MAX = 200

Failure = Retry | Permanent | Ambiguous


class TwilioApi:
    """The calls of one account. Nothing it holds, logs or raises contains the token in the clear."""

    def __init__(self, account_sid: str, auth_token: str, proxy_url: str | None) -> None:
        """Connect to nothing before the first call."""
        self._proof = base64.b64encode(f"{account_sid}:{auth_token}".encode()).decode()
        self._line = Line(_CONNECTIONS_MAX, proxy_url, "\0", "")

    @property
    def headers(self) -> dict[str, str]:
        """What proves who we are."""
        return {"Authorization": f"Basic {self._proof}", "Accept": "application/json"}

    async def get(self, url: str, query: Mapping[str, str] | None = None) -> Fields | Failure:
        """Return the answer to a question."""
        address = f"{url}?{urlencode(query)}" if query else url
        return await self._ask(Call(method="GET", url=address, headers=self.headers, bytes_max=_ANSWER_MAX))

    async def post(self, url: str, form: Mapping[str, str]) -> Fields | Failure:
        """Return the answer to a form."""
        headers = self.headers | {"Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode(form).encode()
        return await self._ask(Call(method="POST", url=url, headers=headers, body=body, bytes_max=_ANSWER_MAX))

    async def _ask(self, call: Call) -> Fields | Failure:
        try:
            return read_answer(await self._line.answer(call))
        except CallError as error:
            return classify(error)

    async def close(self) -> None:
        """Close all connections."""
        await self._line.close()


def read_answer(answer: Answer) -> Fields | Failure:
    """Return what Twilio answered, or what is certain after it refused."""
    is_ok = answer.status in {HTTPStatus.OK, HTTPStatus.CREATED}
    try:
        body = Fields(load(answer.body))
        if is_ok:
            return body
        code = body.integer("code") if "code" in body else None
        message = body.text("message", "")[:_MESSAGE_MAX]
    except MalformedWebhookError:
        if is_ok:
            return Ambiguous(reason="Twilio's answer cannot be read")
        code, message = None, ""
    return outcome(answer.status, code, message, asked_pause(answer.headers))
