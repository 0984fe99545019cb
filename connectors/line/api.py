"""Calls of LINE's Messaging API, and what each way to fail leaves certain.

https://developers.line.biz/en/reference/messaging-api/#status-codes
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

from bot.domain.connectors import Ambiguous, Permanent, Retry
from bot.domain.errors import MalformedWebhookError, MediaError
from connectors.downloads import NotNowError
from connectors.fields import Fields, load
from connectors.http import Answer, Call, CallError, Line, asked_pause, classify
from connectors.verdicts import ACCOUNT, LATER, NEVER, Verdict

_CONNECTIONS_MAX = 64
_ANSWER_MAX = 1_000_000
#: What a customer sends is fetched up to here.
FETCH_MAX_BYTES = 25_000_000
_MESSAGE_MAX = 200
#: LINE's words on a reply token that was used or is too old, and the code of that refusal.
TOKEN_IS_VOID = "invalid reply token"  # noqa: S105 - LINE's words

#: LINE has no codes: its words, in part and lower case → verdict and words for an agent. These go before the status.
WORDS: dict[str, tuple[Verdict, str]] = {
    "monthly limit": (
        ACCOUNT,
        "this month's LINE messages are used up: take a larger plan, or wait for the next month",
    ),
    TOKEN_IS_VOID: (NEVER, "LINE's token for an answer was used already, or is too old"),
    "failed to send messages": (NEVER, "LINE cannot send to this customer: the LINE account no longer exists"),
    "not available for your account": (ACCOUNT, "the LINE account's plan does not include this"),
    "authentication failed": (ACCOUNT, "LINE refuses the channel access token: issue a new one and set it"),
}
#: HTTP status → verdict and words for an agent.
STATUSES: dict[int, tuple[Verdict, str]] = {
    400: (NEVER, "LINE does not understand the message"),
    401: (ACCOUNT, "LINE refuses the channel access token: issue a new one and set it"),
    403: (ACCOUNT, "the LINE channel lacks a permission for this: check its plan and settings"),
    404: (NEVER, "LINE knows no such customer, or they are no friend of the account any more"),
    409: (NEVER, "LINE has this already"),
    410: (NEVER, "LINE no longer has it"),
    413: (NEVER, "the message is too large for LINE"),
    415: (NEVER, "LINE does not take files of this kind"),
    429: (LATER, "LINE asks for a pause"),
}

Failure = Retry | Permanent | Ambiguous


class LineApi:
    """The calls of one channel. Nothing it holds, logs or raises contains the token."""

    def __init__(self, token: str, base_url: str, data_url: str, proxy_url: str | None) -> None:
        """Connect to nothing before the first call."""
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._base_url, self._data_url = base_url.rstrip("/"), data_url.rstrip("/")
        self._line = Line(_CONNECTIONS_MAX, proxy_url, "", "")

    async def ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Fields | Failure:
        """Return the answer to a call."""
        answer = await self.call(method, path, body)
        return read_answer(answer) if isinstance(answer, Answer) else answer

    async def call(
        self, method: str, path: str, body: Mapping[str, object] | None = None, more: Mapping[str, str] | None = None
    ) -> Answer | Retry | Ambiguous:
        """Return whatever LINE answers to a call with a JSON body and `more` headers."""
        headers = self._headers | ({"Content-Type": "application/json"} if body is not None else {}) | dict(more or {})
        content = json.dumps(body).encode() if body is not None else b""
        url = f"{self._base_url}{path}"
        try:
            return await self._line.answer(
                Call(method=method, url=url, headers=headers, body=content, bytes_max=_ANSWER_MAX)
            )
        except CallError as error:
            return classify(error)

    async def content(self, message_id: str) -> bytes:
        """Return what a customer sent; raises `NotNowError` while LINE prepares it, and `MediaError`."""
        url = f"{self._data_url}/v2/bot/message/{message_id}/content"
        call = Call(method="GET", url=url, headers=self._headers, read_timeout=30, bytes_max=FETCH_MAX_BYTES)
        try:
            answer = await self._line.answer(call)
        except CallError:
            raise NotNowError("LINE does not hand the file out now") from None
        if answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.BAD_REQUEST}:
            raise MediaError("LINE no longer has the file")
        if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            raise MediaError(STATUSES[answer.status][1])
        if answer.status != HTTPStatus.OK:
            raise NotNowError("LINE does not hand the file out now")
        if len(answer.body) > FETCH_MAX_BYTES:
            raise MediaError(f"the file is larger than {FETCH_MAX_BYTES // 1_000_000} MB")
        return answer.body

    async def close(self) -> None:
        """Close all connections."""
        await self._line.close()


def read_answer(answer: Answer) -> Fields | Failure:
    """Return what LINE answered, or what is certain after it refused."""
    try:
        body = Fields(load(answer.body or b"{}"))
    except MalformedWebhookError:
        body = None
    if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return body if body is not None else Ambiguous(reason="LINE's answer cannot be read")
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status < HTTPStatus.BAD_REQUEST:
        return Ambiguous(reason=f"LINE failed, and the message may have arrived (HTTP {answer.status})")
    said = message_in(body)
    verdict, words = _meaning(answer.status, said)
    if verdict is LATER:
        return Retry(reason=words, after=asked_pause(answer.headers))
    if TOKEN_IS_VOID in said.lower():
        return Permanent(reason=words, code=TOKEN_IS_VOID)
    reason = f"{words}: {said}" if said and verdict is NEVER else words
    return Permanent(reason=reason, code=str(answer.status), is_account=verdict is ACCOUNT)


def message_in(body: Fields | None) -> str:
    """Return LINE's own words about a refusal, with the first detail; empty where it gives none."""
    try:
        if body is None:
            return ""
        details = [
            f"{each.text('property', '')} {each.text('message', '')}".strip() for each in body.objects("details")
        ]
        said = body.text("message", "")
        return (f"{said} ({details[0]})" if details else said)[:_MESSAGE_MAX]
    except MalformedWebhookError:
        return ""


def _meaning(status: int, said: str) -> tuple[Verdict, str]:
    for theirs, meaning in WORDS.items():
        if theirs in said.lower():
            return meaning
    return STATUSES.get(status, (NEVER, f"LINE refuses it (HTTP {status})"))
