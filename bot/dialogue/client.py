"""Calls the engine."""

from __future__ import annotations

import asyncio
from typing import Protocol

import httpx

from bot.dialogue.wire import Turn, TurnRequest, read_turn
from bot.domain.errors import EngineUnavailableError, TurnFailedError

_UNAVAILABLE = 503


class Engine(Protocol):
    """Turns a message and the dialogue so far into a turn; keeps nothing, so that a repeat is harmless."""

    async def step(self, request: TurnRequest) -> Turn:
        """Return the turn.

        Raises `EngineUnavailableError` when no engine answers now, `TurnFailedError` when it says that the turn failed.
        """
        ...


class HttpEngine:
    """An engine process behind a Unix socket; the socket can be exchanged while turns are in work."""

    def __init__(self, timeout: float) -> None:
        """Wait at most `timeout` seconds for a turn; there is no engine until `use`."""
        self._timeout = timeout
        self._client: httpx.AsyncClient | None = None
        self._has_engine = asyncio.Event()

    def use(self, socket: str) -> None:
        """Send all further turns to the engine that listens at `socket`; turns in work end where they are."""
        transport = httpx.AsyncHTTPTransport(uds=socket, limits=httpx.Limits(max_connections=32))
        self._client = httpx.AsyncClient(transport=transport, base_url="http://engine", timeout=self._timeout)
        self._has_engine.set()

    def use_none(self) -> None:
        """Answer `EngineUnavailableError` from now on."""
        self._client = None
        self._has_engine.clear()

    async def wait_until_ready(self) -> None:
        """Return once there is an engine to ask."""
        await self._has_engine.wait()

    @property
    def is_ready(self) -> bool:
        """Whether there is an engine to ask."""
        return self._client is not None

    async def step(self, request: TurnRequest) -> Turn:
        """Return the turn; raises `EngineUnavailableError` or `TurnFailedError`."""
        client = self._client
        if client is None:
            raise EngineUnavailableError
        try:
            response = await client.post("/step", json=request.to_json())
        except httpx.TimeoutException as error:
            raise TurnFailedError(f"the engine did not answer within {self._timeout:g} s") from error
        except httpx.HTTPError as error:
            raise EngineUnavailableError(f"the engine does not answer: {type(error).__name__}") from error
        if response.status_code == _UNAVAILABLE:
            raise EngineUnavailableError("the engine has no model loaded")
        if response.status_code != httpx.codes.OK:
            raise TurnFailedError(f"the engine answered {response.status_code}: {response.text[:300]}")
        try:
            body = response.json()
        except ValueError as error:
            raise TurnFailedError("the engine's answer is not JSON") from error
        return read_turn(body)
