"""Discord's gateway: one connection that brings what happens, and takes up again where it broke off.

https://docs.discord.com/developers/events/gateway

Written here and not taken from a library: only what is durable may be told to Discord as received, and a library counts
an event as received when it has parsed it. Sequence numbers are kept after `take` has returned, so whatever was not
committed is sent again with the next resume.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import NoReturn

import aiohttp
import httpx

from bot.domain.errors import MalformedWebhookError
from connectors.fields import Fields, load

_DISPATCH, _HEARTBEAT, _IDENTIFY, _RESUME, _RECONNECT, _INVALID, _HELLO, _ACK = 0, 1, 2, 6, 7, 9, 10, 11
#: Any code but 1000 and 1001 keeps the session for the next connection.
_GOES_ON = 4000
_FRAME_MAX = 16_000_000
#: Seconds until a connection stands, and until the greeting comes.
_STANDS_WITHIN = 20.0

#: Close code → what to tell the operator, who has to mend it before anything comes in again.
REFUSALS: dict[int, str] = {
    4004: "Discord refuses the bot's token: reset it in the Developer Portal and set the new one",
    4010: "Discord refuses the connection (4010): this release is too old for it",
    4011: "the bot is on too many servers for one connection: Tandem serves a bot of its own",
    4012: "Discord refuses the connection (4012): this release is too old for it",
    4013: "Discord refuses the connection (4013): this release is too old for it",
    4014: "switch on 'Message Content Intent' in the Developer Portal, under Bot: discord.channels needs it",
}
#: Close codes after which a session is over.
_SESSION_IS_OVER = frozenset({1000, 1001, 4003, 4007, 4009})

#: Makes one dispatch durable: called with its session and the dispatch, returns after the commit.
Take = Callable[[str, Fields], Awaitable[None]]


class GatewayClosedError(Exception):
    """The connection is over; the text says why, and holds no address."""

    def __init__(self, reason: str, *, needs_operator: bool = False, wait_for: float = 0.0) -> None:
        super().__init__(reason)
        #: whether nothing will be better until somebody changes the settings
        self.needs_operator = needs_operator
        #: seconds that Discord asks us to wait
        self.wait_for = wait_for


@dataclass(kw_only=True)
class Session:
    """What a connection needs to go on where another broke off."""

    id: str = ""
    #: where Discord wants it resumed
    url: str = ""
    #: number of the last dispatch that is durable
    sequence: int | None = None

    def forget(self) -> None:
        """Begin anew with the next connection."""
        self.id, self.url, self.sequence = "", "", None


class Gateway:
    """Connects with a token and the `intents` that say what to hear of; the session outlives connections."""

    def __init__(self, token: str, intents: int, proxy_url: str | None) -> None:
        """Connect to nothing before `run`."""
        self._token = token
        self._intents = intents
        self._proxy_url = proxy_url
        self.session = Session()
        #: of the last heartbeat, whether Discord has answered it
        self._is_alive = True

    async def run(self, url: str, take: Take) -> NoReturn:
        """Connect, and give `take` one dispatch after the other until the connection ends.

        `url` is where a new session begins. Raises `GatewayClosedError`, and whatever `take` raises.
        """
        where = self.session.url if self.session.id else url
        async with AsyncExitStack() as stack:
            timeout = aiohttp.ClientTimeout(sock_connect=_STANDS_WITHIN)
            client = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
            connecting = client.ws_connect(
                f"{where.rstrip('/')}/?v=10&encoding=json",
                proxy=self._proxy_url,
                ssl=httpx.create_ssl_context(),
                max_msg_size=_FRAME_MAX,
            )
            try:
                socket = await stack.enter_async_context(connecting)
            except (aiohttp.ClientError, OSError, ValueError) as error:
                raise GatewayClosedError(f"no connection ({type(error).__name__})") from None
            await self._speak(socket, take)

    async def _speak(self, socket: aiohttp.ClientWebSocketResponse, take: Take) -> NoReturn:
        hello = await self._next(socket, _STANDS_WITHIN)
        if hello.integer("op") != _HELLO:
            raise GatewayClosedError("Discord does not greet")
        interval = max(0.01, hello.object("d").number("heartbeat_interval") / 1000)
        self._is_alive = True
        beating = asyncio.create_task(self._beat(socket, interval))
        try:
            await self._introduce(socket)
            while True:
                await self._hear(socket, await self._next(socket), take)
        except MalformedWebhookError as error:
            raise GatewayClosedError(f"Discord says something unexpected: {error}") from None
        finally:
            beating.cancel()
            with suppress(asyncio.CancelledError, GatewayClosedError):
                await beating
            await socket.close(code=_GOES_ON)

    async def _introduce(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        if self.session.id:
            known = {"session_id": self.session.id, "seq": self.session.sequence}
            await self._say(socket, _RESUME, {"token": self._token, **known})
            return
        properties = {"os": "linux", "browser": "tandem", "device": "tandem"}
        await self._say(socket, _IDENTIFY, {"token": self._token, "intents": self._intents, "properties": properties})

    async def _hear(self, socket: aiohttp.ClientWebSocketResponse, said: Fields, take: Take) -> None:
        op = said.integer("op")
        if op == _DISPATCH:
            await self._dispatch(said, take)
        elif op == _HEARTBEAT:
            await self._say(socket, _HEARTBEAT, self.session.sequence)
        elif op == _ACK:
            self._is_alive = True
        elif op == _RECONNECT:
            raise GatewayClosedError("Discord asks us to connect anew")
        elif op == _INVALID:
            if not said.flag("d"):
                self.session.forget()
            raise GatewayClosedError("Discord has ended the session")

    async def _dispatch(self, said: Fields, take: Take) -> None:
        """Make a dispatch durable, then count it as received."""
        session_id, url = self.session.id, self.session.url
        if said.text("t") == "READY":
            ready = said.object("d")
            session_id, url = ready.text("session_id"), ready.text("resume_gateway_url")
        sequence = said.integer("s")
        await take(session_id, said)
        self.session.id, self.session.url, self.session.sequence = session_id, url, sequence

    async def _beat(self, socket: aiohttp.ClientWebSocketResponse, interval: float) -> None:
        """Show every now and then that we are there; a connection that does not answer is ended."""
        await asyncio.sleep(interval * random.random())  # noqa: S311 - spreads connections, keeps no secret
        while True:
            if not self._is_alive:
                await socket.close(code=_GOES_ON)
                return
            self._is_alive = False
            await self._say(socket, _HEARTBEAT, self.session.sequence)
            await asyncio.sleep(interval)

    async def _say(self, socket: aiohttp.ClientWebSocketResponse, op: int, data: object) -> None:
        try:
            await socket.send_str(json.dumps({"op": op, "d": data}))
        except (aiohttp.ClientError, OSError) as error:
            raise GatewayClosedError(f"the connection broke ({type(error).__name__})") from None

    async def _next(self, socket: aiohttp.ClientWebSocketResponse, within: float | None = None) -> Fields:
        """Return the next thing that Discord says; raises `GatewayClosedError` when that is goodbye, or nothing."""
        try:
            message = await socket.receive(timeout=within)
        except TimeoutError:
            raise GatewayClosedError("Discord does not greet") from None
        if message.type is aiohttp.WSMsgType.TEXT:
            return Fields(load(message.data.encode("utf-8", "surrogatepass")))
        code = socket.close_code or 0
        if code in REFUSALS:
            raise GatewayClosedError(REFUSALS[code], needs_operator=True)
        if code in _SESSION_IS_OVER:
            self.session.forget()
        raise GatewayClosedError(f"Discord has closed the connection ({code})")
