"""Calls the engine."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Protocol

import aiohttp

from bot import tracing
from bot.dialogue.wire import Turn, TurnRequest, read_turn
from bot.domain.breakers import Breaker, Temper
from bot.domain.errors import EngineDiedError, EngineError, EngineUnavailableError, TurnFailedError

_CONNECTIONS_MAX = 32
#: Turns that an overloaded engine did not end in time are still in its work: it is left alone until a probe ends.
TEMPER = Temper(trips_after=3, first=0.5, longest=15.0, probes_for=120.0)


class Engine(Protocol):
    """Turns a message and the dialogue so far into a turn; keeps nothing, so that a repeat is harmless."""

    async def step(self, request: TurnRequest) -> Turn:
        """Return the turn.

        Raises `EngineUnavailableError` when no engine answers now, `EngineDiedError` when it breaks off in the middle,
        `TurnFailedError` when it says that the turn failed.
        """
        ...


@dataclass(eq=False)
class _Line:
    """The connections to one engine."""

    session: aiohttp.ClientSession
    #: turns in work
    turn_count: int = 0


class HttpEngine:
    """An engine process behind a Unix socket; the socket can be exchanged while turns are in work."""

    def __init__(self, timeout: float) -> None:
        """Wait at most `timeout` seconds for a turn; there is no engine until `use`."""
        self._timeout = timeout
        #: open while no engine can be asked, or none answers
        self.breaker = Breaker(TEMPER)
        self.breaker.trip("no engine has started yet")
        self._line: _Line | None = None
        self._left: list[_Line] = []
        self._has_engine = asyncio.Event()
        #: whether every turn of engines that are used no more has ended
        self._is_drained = asyncio.Event()
        self._is_drained.set()

    def use(self, socket: str) -> None:
        """Send all further turns to the engine that listens at `socket`; turns in work end where they are."""
        self._leave()
        connector = aiohttp.UnixConnector(socket, limit=_CONNECTIONS_MAX)
        timeout = aiohttp.ClientTimeout(total=self._timeout)
        self._line = _Line(aiohttp.ClientSession(connector=connector, timeout=timeout))
        self._has_engine.set()
        self.breaker.succeeded()

    def use_none(self) -> None:
        """Answer `EngineUnavailableError` from now on."""
        self._leave()
        self.breaker.trip("the engine has ended")

    def _leave(self) -> None:
        if self._line is not None:
            self._left.append(self._line)
            self._is_drained.clear()
        self._line = None
        self._has_engine.clear()

    async def wait_until_ready(self) -> None:
        """Return once there is an engine to ask."""
        await self._has_engine.wait()

    async def drain(self) -> None:
        """Return once all turns have ended that engines used no more have in work; a turn's timeout at the latest."""
        await self._close_left()
        await self._is_drained.wait()

    @property
    def is_ready(self) -> bool:
        """Whether there is an engine to ask, and asking it makes sense."""
        return self._line is not None and not self.breaker.pauses_for

    async def step(self, request: TurnRequest) -> Turn:
        """Return the turn; raises `EngineUnavailableError`, `EngineDiedError` or `TurnFailedError`."""
        line = self._line
        if line is None or not self.breaker.admit():
            raise self._away(f"no engine is asked: {self.breaker.reason}")
        line.turn_count += 1
        try:
            with tracing.span("engine", request.message_id):
                status, answer = await _post(line.session, json.dumps(request.to_json()).encode())
        except TimeoutError as error:
            failure: EngineError = TurnFailedError(f"the engine did not answer within {self._timeout:g} s")
            raise self._noted(line, request, failure) from error
        except aiohttp.ClientConnectorError as error:
            raise self._noted(line, request, self._away("the engine does not listen")) from error
        except (aiohttp.ClientError, OSError) as error:
            failure = self._away(f"the engine does not answer: {type(error).__name__}", EngineDiedError)
            raise self._noted(line, request, failure) from error
        finally:
            line.turn_count -= 1
            await self._close_left()
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            raise self._noted(line, request, self._away("the engine has no model loaded"))
        if line is self._line:
            self.breaker.succeeded()
        if status != HTTPStatus.OK:
            raise TurnFailedError(f"the engine answered {status}: {answer[:300].decode('utf-8', 'replace')}")
        try:
            body = json.loads(answer)
        except ValueError as error:
            raise TurnFailedError("the engine's answer is not JSON") from error
        return read_turn(body)

    def _away(self, reason: str, kind: type[EngineUnavailableError] = EngineUnavailableError) -> EngineUnavailableError:
        return kind(reason, away_for=timedelta(seconds=self.breaker.away_for))

    def _noted(self, line: _Line, request: TurnRequest, failure: EngineError) -> EngineError:
        """Return the failure, which counts against the engine in use and not against one that was left."""
        if line is self._line:
            self.breaker.failed(request.message_id, str(failure))
        return failure

    async def close(self) -> None:
        """Close all connections; turns in work fail."""
        self._leave()
        while self._left:
            await self._left.pop().session.close()
        self._is_drained.set()

    async def _close_left(self) -> None:
        """Close the connections to engines that are used no more and whose turns have ended."""
        idle = [line for line in self._left if not line.turn_count]
        self._left = [line for line in self._left if line.turn_count]
        for line in idle:
            await line.session.close()
        if not self._left:
            self._is_drained.set()


async def _post(session: aiohttp.ClientSession, body: bytes) -> tuple[int, bytes]:
    headers = {"Content-Type": "application/json"}
    async with session.post("http://engine/step", data=body, headers=headers) as response:
        return response.status, await response.read()
