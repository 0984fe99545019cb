"""Calls of Telegram's Bot API without the token in sight, and what each way to fail leaves certain."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import httpx
from telegram import Bot
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    EndPointNotFound,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
)
from telegram.request import BaseRequest, RequestData

from bot.domain.connectors import Ambiguous, Permanent, Retry
from bot.domain.errors import MalformedWebhookError, MediaError
from connectors.downloads import NotNowError
from connectors.fields import Fields, load
from connectors.http import Call, CallError, Line, classify
from connectors.pace import Pace

#: Stands for the token everywhere above the `Line`.
_PLACEHOLDER = "hidden-token"
_CONNECTIONS_MAX = 64
#: Seconds without a byte of an answer.
_READ_TIMEOUT = 20.0
_PAUSE = "Telegram asks for a pause"
_NOT_NOW = "Telegram does not hand the file out now"
#: Codes that python-telegram-bot turns into errors of their own; other 4xx it takes for a network failure.
_NAMED_CODES = frozenset({400, 401, 403, 404, 409})
#: The code of each error that is a plain no.
_REFUSALS: dict[type[TelegramError], str] = {
    BadRequest: "400",
    ChatMigrated: "400",
    InvalidToken: "401",
    Forbidden: "403",
    EndPointNotFound: "404",
}
#: Telegram's words, in part → ours, for an agent to read.
_PLAIN_WORDS = {
    "blocked by the user": "the customer has blocked the bot",
    "user is deactivated": "the customer's Telegram account no longer exists",
    "chat not found": "Telegram knows no chat with this customer",
    "initiate conversation": "the customer has never written to this bot",
    "message to edit not found": "the customer has deleted the message",
    "message can't be edited": "Telegram does not let this message be changed",
    "message can't be deleted": "Telegram lets messages be taken back for 48 hours only",
}


class FloodWaitError(TelegramError):
    """Telegram asks for a pause."""

    def __init__(self, after: timedelta | None) -> None:
        super().__init__("Too Many Requests")
        self.after = after


def outcome(error: TelegramError) -> Retry | Permanent | Ambiguous:
    """Return what is certain about a call that failed with `error`.

    A refusal of Telegram's is certain; a failure of the network is certain only where it came before the request left.
    """
    if isinstance(error, FloodWaitError):
        return Retry(reason=_PAUSE, after=error.after)
    if isinstance(error, RetryAfter):
        # The public attribute warns on each read and is to change its type.
        return Retry(reason=_PAUSE, after=error._retry_after)  # noqa: SLF001
    if isinstance(error, Conflict):
        return Retry(reason="another process uses this token")
    if type(error) in _REFUSALS:
        code, is_token = _REFUSALS[type(error)], isinstance(error, InvalidToken)
        return Permanent(reason=_in_plain_words(error), code=code, is_account=is_token)
    return classify(error.__cause__ if isinstance(error, NetworkError) and error.__cause__ else error)


def _in_plain_words(refusal: TelegramError) -> str:
    if isinstance(refusal, InvalidToken):
        return "Telegram refuses the bot's token"
    for theirs, ours in _PLAIN_WORDS.items():
        if theirs in refusal.message.lower():
            return ours
    return f"Telegram refuses it: {refusal.message}"


class BotApi:
    """The calls of one bot. Nothing it holds, logs or raises contains the token."""

    def __init__(self, token: str, base_url: str, proxy_url: str | None, messages_per_second: int = 0) -> None:
        self._line = Line(_CONNECTIONS_MAX, proxy_url, _PLACEHOLDER, token)
        pace = None
        if messages_per_second:
            pace = Pace(messages_per_second, 1 / messages_per_second, asyncio.sleep, time.monotonic)
        self._request = _Request(self._line, pace)
        self.bot: Bot = _SilentBot(
            _PLACEHOLDER,
            base_url=f"{base_url}/bot",
            base_file_url=f"{base_url}/file/bot",
            request=self._request,
            get_updates_request=self._request,
        )

    async def updates(self, offset: int | None, wait_for: timedelta, kinds: tuple[str, ...]) -> list[object]:
        """Return what waits, after confirming everything below `offset`; raises `TelegramError`.

        `Bot.get_updates` would give up on the whole batch for one update it cannot read.
        """
        wait = int(wait_for.total_seconds())
        query = {"timeout": wait, "allowed_updates": json.dumps(kinds)}
        confirmed = {} if offset is None else {"offset": offset}
        url = f"{self.bot.base_url}/getUpdates?{urlencode(query | confirmed)}"
        updates: object = await self._request.post(url, read_timeout=wait + 10)
        if not isinstance(updates, list):
            raise TelegramError("the answer holds no list of updates")
        return updates

    async def download(self, file_id: str, max_bytes: int) -> bytes:
        """Return a file's content, in one attempt.

        Raises `MediaError` if the file is refused or larger than `max_bytes`, `NotNowError` if it may be had later.
        """
        try:
            file = await self.bot.get_file(file_id)
            return await self._content(file.file_path or "", max_bytes)
        except TelegramError as error:
            failure = outcome(error)
            if isinstance(failure, Permanent):
                raise MediaError(failure.reason) from None
            raise NotNowError(_NOT_NOW) from None
        except CallError:
            raise NotNowError(_NOT_NOW) from None

    async def _content(self, url: str, max_bytes: int) -> bytes:
        """Return what is at an address that Telegram's own server made, and that holds the token."""
        headers = {"Accept-Encoding": "identity"}
        code, content = await self._line.call(
            Call(method="GET", url=url, headers=headers, read_timeout=30, bytes_max=max_bytes)
        )
        if code != HTTPStatus.OK:
            raise NotNowError(_NOT_NOW)
        if len(content) > max_bytes:
            raise MediaError(f"the file is larger than {max_bytes // 1_000_000} MB")
        return content

    async def close(self) -> None:
        """Close all connections."""
        await self._line.close()


class _SilentBot(Bot):
    """A bot that does not log its parameters and answers: they hold customers' words and the webhook's secret."""

    _LOGGER = logging.Logger("silent", logging.CRITICAL + 1)  # noqa: LOG001 - one that nobody else can switch on


class _Request(BaseRequest):
    """The library's way to HTTP. It keeps what the library's own would drop: pauses to the second, what is certain."""

    def __init__(self, line: Line, pace: Pace | None) -> None:
        self._line = line
        self._pace = pace

    @property
    def read_timeout(self) -> float:
        """Seconds without a byte of an answer."""
        return _READ_TIMEOUT

    async def initialize(self) -> None:
        """Do nothing: the first call connects."""

    async def shutdown(self) -> None:
        """Do nothing: whoever has the line closes it."""

    async def do_request(self, *_: Any, **given: Any) -> tuple[int, bytes]:
        """Make the request; raises `TelegramError`."""
        asked = given.get("read_timeout")
        headers, body = _encoded(given["url"], given.get("request_data"))
        name = given["url"].rpartition("/")[2]
        if self._pace is not None and name.startswith("send") and name != "sendChatAction":
            await self._pace.wait()
        call = Call(
            method=given["method"],
            url=given["url"],
            headers=headers,
            body=body,
            read_timeout=asked if isinstance(asked, int | float) else _READ_TIMEOUT,
        )
        try:
            code, payload = await self._line.call(call)
        except CallError as error:
            raise NetworkError(error.kind) from error
        if code == HTTPStatus.TOO_MANY_REQUESTS:
            raise FloodWaitError(_asked_pause(payload))
        if code in range(400, 500) and code not in _NAMED_CODES:
            raise BadRequest(f"HTTP {code}")
        return code, payload

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """Return the answer, and unlike the library's own log nothing of an unreadable one.

        Of a sent message only its number is kept: the library gives a whole message up for one odd member of it, and
        nobody would know any more that it was sent.
        """
        try:
            value = load(payload)
        except MalformedWebhookError:
            value = None
        if not isinstance(value, dict):
            raise TelegramError("the answer is not a JSON object")
        if isinstance(result := value.get("result"), dict) and "message_id" in result:
            value["result"] = {name: result[name] for name in ("message_id", "date", "chat") if name in result}
        return value


def _asked_pause(payload: bytes) -> timedelta | None:
    try:
        return timedelta(seconds=Fields(load(payload)).object("parameters").number("retry_after"))
    except (MalformedWebhookError, OverflowError):
        return None


def _encoded(url: str, data: RequestData | None) -> tuple[dict[str, str], bytes]:
    """Return headers and body that carry the parameters of a call."""
    headers = {"User-Agent": BaseRequest.USER_AGENT}
    if data is None:
        return headers, b""
    if data.contains_files:
        form = httpx.Request("POST", url, data=data.json_parameters, files=data.multipart_data)
        return headers | {"Content-Type": form.headers["content-type"]}, form.read()
    return headers | {"Content-Type": "application/x-www-form-urlencoded"}, urlencode(data.json_parameters).encode()
