"""The two ways in: Telegram's webhook and Bot API for Tandem, the REST channel for Rasa."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from benchmarks.rig.serving import serving

TOKEN = "42:benchmark"  # noqa: S105 - of a Telegram that exists on this machine only
SECRET = "benchmark"  # noqa: S105
#: Seconds without a further message after which an answer counts as whole, while answers are being learnt.
_QUIET = 1.0
_PATIENCE = 30.0


class TelegramChannel:
    """Plays Telegram: calls the webhook, and takes the Bot API calls that answer."""

    def __init__(self, session: aiohttp.ClientSession, webhook: str) -> None:
        """Call `webhook`."""
        self._session = session
        self._webhook = webhook
        self._said: dict[int, asyncio.Queue[str]] = defaultdict(asyncio.Queue)
        self._numbers = itertools.count(1)

    async def say(self, customer: int, text: str, answer_count: int | None) -> list[str]:
        """See `Channel`: the answer is whole when the last of its `sendMessage` calls has arrived here."""
        said = self._said[customer]
        if not said.empty():
            raise ConnectionError("the answer before was longer than it was when learnt")
        number = next(self._numbers)
        chat = {"id": customer, "type": "private", "first_name": "Customer"}
        message = {"message_id": number, "date": int(time.time()), "chat": chat, "from": chat, "text": text}
        update = {"update_id": number, "message": message}
        headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
        try:
            async with self._session.post(self._webhook, json=update, headers=headers) as response:
                if response.status != 200:
                    raise ConnectionError(f"the webhook answered {response.status}: {await response.text()}")
        except aiohttp.ClientError as error:
            raise ConnectionError(f"the webhook does not answer: {error!r}") from error
        if answer_count is not None:
            async with asyncio.timeout(_PATIENCE):
                return [await said.get() for _ in range(answer_count)]
        async with asyncio.timeout(_PATIENCE):
            texts = [await said.get()]
        try:
            while True:
                async with asyncio.timeout(_QUIET):
                    texts.append(await said.get())
        except TimeoutError:
            return texts

    async def answer_call(self, request: web.Request) -> web.Response:
        """Answer a call of the Bot API."""
        if request.match_info["method"] != "sendMessage":
            return web.json_response({"ok": True, "result": True})
        given = await request.post()
        customer, text = int(str(given["chat_id"])), str(given["text"])
        self._said[customer].put_nowait(text)
        message = {"message_id": next(self._numbers), "date": int(time.time()), "text": text}
        return web.json_response({"ok": True, "result": {**message, "chat": {"id": customer, "type": "private"}}})


@asynccontextmanager
async def telegram(port: int, webhook: str) -> AsyncIterator[TelegramChannel]:
    """Serve a Telegram on a port of this machine for as long as the context lasts."""
    async with aiohttp.ClientSession() as session:
        channel = TelegramChannel(session, webhook)
        app = web.Application()
        app.router.add_post("/bot{token}/{method}", channel.answer_call)
        async with serving(app, port):
            yield channel


class RestChannel:
    """Rasa's own REST channel, which answers a message in the response to it."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        """Post to the Rasa at `url`."""
        self._session = session
        self._url = f"{url}/webhooks/rest/webhook"

    async def say(self, customer: int, text: str, answer_count: int | None) -> list[str]:  # noqa: ARG002 - comes whole
        """See `Channel`."""
        body = {"sender": f"{customer}", "message": text}
        try:
            async with asyncio.timeout(_PATIENCE), self._session.post(self._url, json=body) as response:
                answers = await response.json()
        except aiohttp.ClientError as error:
            raise ConnectionError(f"Rasa does not answer: {error!r}") from error
        if response.status != 200 or not answers:
            raise ConnectionError(f"Rasa answered {response.status} with {answers}")
        return [answer["text"] for answer in answers if "text" in answer]


@asynccontextmanager
async def rest(url: str) -> AsyncIterator[RestChannel]:
    """Open the REST channel of the Rasa at `url`."""
    async with aiohttp.ClientSession() as session:
        yield RestChannel(session, url)
