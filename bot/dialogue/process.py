"""Keeps an engine process running: starts it, watches it, starts it again, exchanges it for one with a newer model."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import structlog

from bot.dialogue.client import HttpEngine
from bot.domain.errors import EngineUnavailableError

log = structlog.get_logger()

#: Bytes that a socket's path has room for (unix(7)).
SOCKET_PATH_MAX = 107
READY_WITHIN = 60.0
STOPS_WITHIN = 5.0
#: Between two looks at a running engine, and how long it may take to say that it is well.
LOOK_EVERY = 2.0
WELL_WITHIN = 10.0
#: Seconds before an engine that ended is started again: the first time, and at most.
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 15.0


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """How engines are started."""

    #: where their sockets live
    run_dir: Path
    #: where they call actions, and what they prove themselves with
    actions_url: str
    actions_token: str
    #: the program
    module: str = "bot.engine"


@dataclass(frozen=True, kw_only=True)
class _Running:
    process: Process
    socket: str
    model: Path


class EngineProcess:
    """One engine behind one client."""

    def __init__(
        self,
        options: EngineOptions,
        client: HttpEngine,
        restarted: Callable[[], None],
    ) -> None:
        """Point `client` at whatever runs; `restarted` is called whenever an engine had to be started again."""
        self._options = options
        self._client = client
        self._restarted = restarted
        self._running: _Running | None = None
        self._serial = 0
        self._swapping = asyncio.Lock()

    async def run(self, model: Path) -> None:
        """Start an engine with `model` and keep one running until cancelled."""
        pause = FIRST_PAUSE
        try:
            while True:
                async with self._swapping:
                    try:
                        if self._running is None:
                            self._running = await self._start(model)
                            self._client.use(self._running.socket)
                            pause = FIRST_PAUSE
                    except EngineUnavailableError as error:
                        log.error("engine_not_started", error=str(error))
                        pause = min(pause * 2, LONGEST_PAUSE)
                        await asyncio.sleep(pause)
                        continue
                    running = self._running
                model = running.model
                # Another one may have taken over while this one was ended.
                if await self._watch(running) or self._running is not running:
                    continue
                self._client.use_none()
                self._forget(running)
                self._restarted()
                await asyncio.sleep(pause)
        finally:
            await self._client.close()
            if self._running is not None:
                await _stop(self._running.process)

    async def swap(self, model: Path) -> None:
        """Start an engine with another model, send it all further turns, and stop the old one when its turns end.

        Raises `EngineUnavailableError`, and changes nothing, when the new one does not come up.
        """
        async with self._swapping:
            fresh = await self._start(model)
            old, self._running = self._running, fresh
            self._client.use(fresh.socket)
        log.info("engine_swapped", model=model.name)
        if old is not None:
            await self._client.drain()
            await _stop(old.process)

    async def _start(self, model: Path) -> _Running:
        self._serial += 1
        self._options.run_dir.mkdir(parents=True, exist_ok=True)
        socket = self._options.run_dir / f"engine-{os.getpid()}-{self._serial}.sock"
        if len(os.fsencode(socket)) > SOCKET_PATH_MAX:
            raise EngineUnavailableError(f"{socket} is too long for a socket: set service.state_dir to a shorter path")
        command = [
            *(sys.executable, "-m", self._options.module),
            *("--model", str(model), "--socket", str(socket)),
            *("--actions", self._options.actions_url),
        ]
        # The token travels by the environment: arguments can be read by every user of the machine.
        environ = {name: value for name, value in os.environ.items() if not name.startswith("TANDEM_")}
        environ["ENGINE_ACTIONS_TOKEN"] = self._options.actions_token
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=asyncio.subprocess.STDOUT, env=environ
        )
        said: deque[str] = deque(maxlen=1)
        pipe = asyncio.create_task(_log_output(process, said))
        try:
            await self._wait_until_ready(process, str(socket))
        except EngineUnavailableError as error:
            await _stop(process)
            await pipe
            raise EngineUnavailableError(": ".join((str(error), *said))) from None
        except BaseException:
            pipe.cancel()
            await _stop(process)
            raise
        log.info("engine_ready", model=model.name, pid=process.pid)
        return _Running(process=process, socket=str(socket), model=model)

    async def _wait_until_ready(self, process: Process, socket: str) -> None:
        transport = httpx.AsyncHTTPTransport(uds=socket)
        async with httpx.AsyncClient(transport=transport, base_url="http://engine", timeout=5) as client:
            for _ in range(int(READY_WITHIN / 0.1)):
                if process.returncode is not None:
                    raise EngineUnavailableError(f"the engine ended at once with status {process.returncode}")
                with contextlib.suppress(httpx.HTTPError):
                    if (await client.get("/health")).status_code == httpx.codes.OK:
                        return
                await asyncio.sleep(0.1)
        raise EngineUnavailableError(f"the engine was not ready within {READY_WITHIN:g} s")

    def _forget(self, running: _Running) -> None:
        self._running = None
        # An engine that was killed could not take its socket away.
        Path(running.socket).unlink(missing_ok=True)

    async def _watch(self, running: _Running) -> bool:
        """Return true when another engine took over, false when this one ended or hangs (and was ended)."""
        transport = httpx.AsyncHTTPTransport(uds=running.socket)
        async with httpx.AsyncClient(transport=transport, base_url="http://engine", timeout=WELL_WITHIN) as client:
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(running.process.wait(), LOOK_EVERY)
                if self._running is not running:
                    return True
                if running.process.returncode is not None:
                    log.error("engine_ended", status=running.process.returncode)
                    return False
                try:
                    await client.get("/health")
                except httpx.HTTPError as error:
                    if self._running is not running:
                        return True
                    is_silent = isinstance(error, httpx.TimeoutException)
                    log.error("engine_hangs" if is_silent else "engine_breaks_off", error=type(error).__name__)
                    with contextlib.suppress(ProcessLookupError):
                        running.process.kill()
                    await running.process.wait()
                    return False


async def _stop(process: Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOPS_WITHIN)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _log_output(process: Process, said: deque[str]) -> None:
    """Pass on what the engine prints, through our own redaction, and keep the last lines in `said`."""
    if process.stdout is None:
        return
    while True:
        try:
            line = await process.stdout.readline()
        except ValueError:  # longer than the reader's buffer; were it left there, the engine would wait for ever
            continue
        if not line:
            return
        said.append(line.decode("utf-8", "replace").rstrip())
        log.debug("engine_said", line=said[-1])
