"""Calls of Discord's HTTP API, the pauses it asks for, and what each way to fail leaves certain.

https://docs.discord.com/developers/topics/rate-limits
https://docs.discord.com/developers/topics/opcodes-and-status-codes
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from http import HTTPStatus

from bot.domain.connectors import Ambiguous, Permanent, Retry
from bot.domain.errors import MalformedWebhookError
from connectors.fields import Fields, load
from connectors.files import File, form
from connectors.http import Answer, Call, CallError, Line, classify
from connectors.verdicts import ACCOUNT, LATER, NEVER, Verdict

_CONNECTIONS_MAX = 64
_ANSWER_MAX = 8_000_000
_MESSAGE_MAX = 200
#: Longer pauses that Discord asks for are taken for nonsense.
_PAUSE_MAX = 86_400.0
#: Routes with a pause are forgotten beyond these, ended ones first.
_PAUSES_MAX = 1_000
_BUSY = "Discord asks for a pause"
_TOKEN = "Discord refuses the bot's token: reset it in the Developer Portal and set the new one"  # noqa: S105
_UNREACHED = "the customer takes no direct messages from us: they blocked the bot, or share no server with it any more"
_RIGHTS = "the bot lacks the right to do this there: check its role, and the channel's permissions"
_BROKEN = "Discord does not understand the message"
_TOO_LARGE = "the file is larger than Discord allows"

#: JSON error code → verdict and words for an agent; one that is not here is a plain no.
CODES: dict[int, tuple[Verdict, str]] = {
    10003: (NEVER, "Discord knows no such channel any more"),
    10004: (NEVER, "the bot is no longer on that server"),
    10008: (NEVER, "the message is no longer there"),
    10013: (NEVER, "Discord knows no such customer any more"),
    10062: (NEVER, "Discord no longer waits for an answer to the tap"),
    20009: (NEVER, "Discord took the message for something that this customer must not get"),
    20016: (LATER, "the channel is in slow mode"),
    20022: (LATER, _BUSY),
    20028: (LATER, _BUSY),
    20029: (LATER, _BUSY),
    30046: (LATER, "Discord lets old messages be changed only so often"),
    40001: (ACCOUNT, _TOKEN),
    40002: (ACCOUNT, "the bot's owner has to verify their Discord account"),
    40003: (LATER, "Discord asks for a pause before more direct messages are opened"),
    40004: (LATER, "Discord has switched off sending for a while"),
    40005: (NEVER, _TOO_LARGE),
    40006: (LATER, "Discord has switched this off for a while"),
    40007: (NEVER, "the customer is banned from the server"),
    40062: (LATER, _BUSY),
    40333: (ACCOUNT, "Discord's shield refuses our calls: see whether this network sends too many wrong ones"),
    50001: (NEVER, _RIGHTS),
    50005: (NEVER, "the message is not the bot's own"),
    50006: (NEVER, "Discord takes no empty messages"),
    50007: (NEVER, _UNREACHED),
    50008: (NEVER, "nobody can write in that channel"),
    50013: (NEVER, _RIGHTS),
    50014: (ACCOUNT, _TOKEN),
    50024: (NEVER, "Discord does not allow that in such a channel"),
    50035: (NEVER, _BROKEN),
    50045: (NEVER, _TOO_LARGE),
    50046: (NEVER, "Discord does not take the file"),
    50083: (NEVER, "the thread is archived: somebody has to open it again"),
    50109: (NEVER, _BROKEN),
    50278: (NEVER, _UNREACHED),
    130000: (LATER, "Discord is overloaded for a moment"),
    160002: (NEVER, _RIGHTS),
    160005: (NEVER, "the thread is locked"),
    200000: (NEVER, "the server's moderation did not let the message through"),
    240000: (NEVER, "Discord took a link in the message for harmful"),
}
#: HTTP status → verdict and words, where there is no code.
STATUSES: dict[int, tuple[Verdict, str]] = {
    401: (ACCOUNT, _TOKEN),
    403: (NEVER, _RIGHTS),
    404: (NEVER, "Discord no longer has it"),
    413: (NEVER, _TOO_LARGE),
    429: (LATER, _BUSY),
}
#: What Discord counts calls by, beside the method: the path, whichever message of a channel it is about.
_MESSAGE = re.compile(r"(?<=/messages/)[0-9]+")

Failure = Retry | Permanent | Ambiguous


class DiscordApi:
    """The calls of one bot. Nothing it holds, logs or raises contains the token; `clock` is in seconds, of no date."""

    def __init__(
        self, token: str, base_url: str, proxy_url: str | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Connect to nothing before the first call."""
        self._headers = {
            "Authorization": f"Bot {token}",
            # https://docs.discord.com/developers/reference#user-agent
            "User-Agent": "DiscordBot (https://localhost, 1)",
        }
        self._base_url = base_url.rstrip("/")
        self._line = Line(_CONNECTIONS_MAX, proxy_url, "", "")
        self._clock = clock
        self._paused_until: dict[str, float] = {}
        self._all_paused_until = 0.0

    async def ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Fields | Failure:
        """Return the answer to a call; a list comes as `items`."""
        content = json.dumps(body).encode() if body is not None else b""
        return await self._ask(method, path, {"Content-Type": "application/json"} if content else {}, content)

    async def post_file(self, path: str, body: Mapping[str, object], file: File) -> Fields | Failure:
        """Return the answer to a message with a file."""
        content_type, content = form({"payload_json": json.dumps(body)}, file)
        return await self._ask("POST", path, {"Content-Type": content_type}, content)

    async def _ask(self, method: str, path: str, headers: dict[str, str], content: bytes) -> Fields | Failure:
        route = f"{method} {_MESSAGE.sub('0', path.partition('?')[0])}"
        if (pause := self._pause_of(route)) > 0:
            return Retry(reason=_BUSY, after=timedelta(seconds=pause))
        call = Call(
            method=method,
            url=f"{self._base_url}{path}",
            headers=self._headers | headers,
            body=content,
            bytes_max=_ANSWER_MAX,
        )
        try:
            answer = await self._line.answer(call)
        except CallError as error:
            return classify(error)
        self._note_pauses(route, answer)
        return read_answer(answer)

    def _pause_of(self, route: str) -> float:
        return max(self._paused_until.get(route, 0.0), self._all_paused_until) - self._clock()

    def _note_pauses(self, route: str, answer: Answer) -> None:
        """Keep what Discord says about the next call of this route, or of all."""
        pause = asked_pause(answer)
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS and pause is not None:
            if answer.headers.get("x-ratelimit-global", "") == "true" or _is_global(answer):
                self._all_paused_until = self._clock() + pause
                return
        elif answer.headers.get("x-ratelimit-remaining") == "0":
            pause = _seconds(answer.headers.get("x-ratelimit-reset-after", ""))
        else:
            return
        self._paused_until[route] = self._clock() + (pause or 0.0)
        if len(self._paused_until) > _PAUSES_MAX:
            now = self._clock()
            lasting = {name: until for name, until in self._paused_until.items() if until > now}
            self._paused_until = dict(list(lasting.items())[-_PAUSES_MAX:])

    async def close(self) -> None:
        """Close all connections."""
        await self._line.close()


def read_answer(answer: Answer) -> Fields | Failure:
    """Return what Discord answered, or what is certain after it refused."""
    try:
        value = load(answer.body or b"{}")
        body = Fields(value if isinstance(value, dict) else {"items": value})
    except MalformedWebhookError:
        body = None
    if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return body if body is not None else Ambiguous(reason="Discord's answer cannot be read")
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status < HTTPStatus.BAD_REQUEST:
        return Ambiguous(reason=f"Discord failed, and the message may have arrived (HTTP {answer.status})")
    code, said = _error_in(body)
    verdict, words = CODES.get(code) or STATUSES.get(answer.status, (NEVER, "Discord refuses it"))
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS or verdict is LATER:
        pause = asked_pause(answer)
        return Retry(reason=words, after=timedelta(seconds=pause) if pause is not None else None)
    is_plain = code in CODES and code not in {50035, 50109}
    reason = f"{words} ({code or answer.status})" + ("" if is_plain or not said else f": {said}")
    return Permanent(reason=reason, code=str(code or answer.status), is_account=verdict is ACCOUNT)


def _error_in(body: Fields | None) -> tuple[int, str]:
    """Return Discord's code and words, 0 and nothing where it gives none."""
    try:
        if body is None:
            return 0, ""
        return body.integer("code") if "code" in body else 0, body.text("message", "")[:_MESSAGE_MAX]
    except MalformedWebhookError:
        return 0, ""


def asked_pause(answer: Answer) -> float | None:
    """Return for how many seconds Discord asks us to wait, to the millisecond where it says so."""
    try:
        seconds = Fields(load(answer.body)).number("retry_after")
    except MalformedWebhookError:
        return _seconds(answer.headers.get("retry-after", ""))
    return seconds if 0 <= seconds <= _PAUSE_MAX else None


def _is_global(answer: Answer) -> bool:
    try:
        return Fields(load(answer.body)).flag("global")
    except MalformedWebhookError:
        # Without words it is Discord's shield, which refuses everything.
        return True


def _seconds(text: str) -> float | None:
    found = re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,9})?", text)
    return float(text) if found else None
