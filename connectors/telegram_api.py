"""Calls of Telegram's Bot API without the token in sight, and what each way to fail leaves certain."""

from __future__ import annotations

import json
import logging
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
from telegram.request import HTTPXRequest

from bot.domain.connectors import Ambiguous, Permanent, Retry
from bot.domain.errors import MalformedWebhookError, MediaError
from connectors.fields import Fields, load
from connectors.http import SecretPath, classify

#: Stands for the token everywhere above `SecretPath`.
_PLACEHOLDER = "hidden-token"
_CONNECTIONS_MAX = 64
_PAUSE = "Telegram asks for a pause"
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
        return Permanent(reason=_in_plain_words(error), code=_REFUSALS[type(error)])
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

    def __init__(self, token: str, base_url: str, proxy_url: str | None) -> None:
        limits = httpx.Limits(max_connections=_CONNECTIONS_MAX)
        wire = SecretPath(httpx.AsyncHTTPTransport(limits=limits, proxy=proxy_url), _PLACEHOLDER, token)
        self._request = _Request(wire)
        self._files = httpx.AsyncClient(transport=wire, timeout=httpx.Timeout(30, connect=5))
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

    async def download(self, file_id: str, max_bytes: int) -> bytes | None:
        """Return a file's content; none if it cannot be had now.

        Raises `MediaError` if the file is refused or larger than `max_bytes`.
        """
        try:
            file = await self.bot.get_file(file_id)
            return await self._content(file.file_path or "", max_bytes)
        except TelegramError as error:
            failure = outcome(error)
            if isinstance(failure, Permanent):
                raise MediaError(failure.reason) from None
            return None
        except httpx.HTTPError:
            return None

    async def _content(self, url: str, max_bytes: int) -> bytes:
        content = bytearray()
        async with self._files.stream("GET", url, headers={"accept-encoding": "identity"}) as response:
            response.raise_for_status()
            async for chunk in response.aiter_raw():
                content += chunk
                if len(content) > max_bytes:
                    raise MediaError(f"the file is larger than {max_bytes // 1_000_000} MB")
        return bytes(content)

    async def close(self) -> None:
        """Close all connections."""
        await self._request.shutdown()
        await self._files.aclose()


class _SilentBot(Bot):
    """A bot that does not log its parameters and answers: they hold customers' words and the webhook's secret."""

    _LOGGER = logging.Logger("silent", logging.CRITICAL + 1)  # noqa: LOG001 - one that nobody else can switch on


class _Request(HTTPXRequest):
    """The library's HTTP client, told to keep what it would drop: pauses to the second, and what is certain."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        super().__init__(
            read_timeout=20,
            write_timeout=10,
            connect_timeout=5,
            pool_timeout=5,
            media_write_timeout=60,
            httpx_kwargs={"transport": transport},
        )

    async def do_request(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        """Make the request; raises `TelegramError`."""
        code, payload = await super().do_request(*args, **kwargs)
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
