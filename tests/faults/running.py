"""Starts the real programs, kills them in every way, and starts them again as a supervisor does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil

from tests.ports import free_port

ROOT = Path(__file__).parents[2]
#: Seconds that a program may take until it does its work, on a busy machine.
READY_WITHIN = 90.0
_LOOK_EVERY = 0.05
#: Seconds that an engine may take to end after its service: it notices when it has started.
_SURVIVES_FOR = 20.0


@dataclass(kw_only=True)
class Program:
    """One `python -m bot COMMAND` and what it was told."""

    #: "run", "web" or "worker"
    command: str
    state_dir: Path
    environ: Mapping[str, str]
    port: int = field(default_factory=free_port)
    internal_port: int = field(default_factory=free_port)
    #: what the program is started through
    wrapper: tuple[str, ...] = ()
    #: what Python runs
    program: tuple[str, ...] = ("-m", "bot")
    #: when each life began, and ended, in seconds of the monotonic clock
    started: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Where customers reach it."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log_path(self) -> Path:
        """Where everything goes that it prints."""
        return self.state_dir / "printed.log"

    @property
    def life(self) -> asyncio.subprocess.Process:
        """The process as it runs, or ran last."""
        assert self.process is not None, "it was never started"
        return self.process

    def environment(self) -> dict[str, str]:
        """Return the environment of the process: ours without settings, and its own."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TANDEM_")}
        return {
            **inherited,
            "TANDEM_SERVICE__STATE_DIR": str(self.state_dir),
            "TANDEM_SERVICE__PORT": str(self.port),
            "TANDEM_SERVICE__INTERNAL_PORT": str(self.internal_port),
            "TANDEM_LOG__FORMAT": "json",
            **self.environ,
        }

    async def start(self) -> None:
        """Start it once; all that it prints is appended to its log."""
        self.state_dir.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(*self.wrapper, sys.executable, *self.program, self.command),
                cwd=ROOT,
                env=self.environment(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.started.append(time.monotonic())

    async def supervise(self) -> None:
        """Start it, and again at once whenever it ended, until cancelled."""
        while True:
            await self.start()
            await self.life.wait()
            self.ended.append(time.monotonic())

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send the process a signal; one that has just ended has had its due."""
        with contextlib.suppress(ProcessLookupError):
            self.life.send_signal(number)

    def engines(self) -> list[psutil.Process]:
        """Return the engine processes of this life."""
        try:
            children = psutil.Process(self.life.pid).children(recursive=True)
            return [child for child in children if "bot.engine" in child.cmdline()]
        except psutil.Error:
            return []

    async def is_ready(self, session: aiohttp.ClientSession, path: str = "readyz") -> bool:
        """Return whether it says that it can do its work; `healthz` asks only whether it listens."""
        try:
            async with session.get(f"http://127.0.0.1:{self.internal_port}/{path}") as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def until_ready(self, session: aiohttp.ClientSession, path: str = "readyz") -> float:
        """Wait until it can do its work; return when that was, on the monotonic clock."""
        async with asyncio.timeout(READY_WITHIN):
            while not await self.is_ready(session, path):  # noqa: ASYNC110 - other processes tell nothing
                await asyncio.sleep(_LOOK_EVERY)
        return time.monotonic()

    async def end(self) -> None:
        """End it the hard way; what it started has to end by itself."""
        if self.process is not None:
            self.kill()
            await self.process.wait()

    def last_words(self) -> str:
        """Return the last line that it printed besides its log and its greeting."""
        lines = self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()
        return next((line for line in reversed(lines) if line.strip() and line[0] not in "{ T"), "nothing")

    def logged(self, event: str) -> list[dict[str, object]]:
        """Return what it logged under that name, in all its lives."""
        found = []
        for line in self.log_path.read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                if isinstance(entry, dict) and entry.get("event") == event:
                    found.append(entry)
        return found


@dataclass(kw_only=True)
class Forked(Program):
    """A program whose lives begin at once, with an engine that does too (`tests.faults.zygote`)."""

    program: tuple[str, ...] = ("-m", "tests.faults.zygote")

    def lives(self) -> list[int]:
        """Return the process ids of all its lives so far."""
        path = self.state_dir / "lives"
        return [int(line) for line in path.read_text().splitlines()] if path.exists() else []

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send the present life a signal."""
        if lives := self.lives():
            with contextlib.suppress(ProcessLookupError):
                os.kill(lives[-1], number)

    async def end(self) -> None:
        """End what forks, then its last life."""
        if self.process is not None:
            Program.kill(self)
            await self.process.wait()
        self.kill()

    def engines(self) -> list[psutil.Process]:
        """Return the engine processes of the present life."""
        try:
            children = psutil.Process(self.lives()[-1]).children()
            return [child for child in children if "tests.faults.quick_engine" in child.cmdline()]
        except (psutil.Error, IndexError):
            return []


@asynccontextmanager
async def supervised(*programs: Program) -> AsyncIterator[None]:
    """Keep programs running for as long as the context lasts, and end them with it."""
    tasks = [asyncio.create_task(program.supervise()) for program in programs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for program in programs:
            await program.end()
        await _expect_no_survivors(programs)


async def _expect_no_survivors(programs: tuple[Program, ...]) -> None:
    """Wait for the engines to notice that their services are gone; raises `AssertionError` for those that do not."""
    survivors: list[psutil.Process] = []
    for _ in range(int(_SURVIVES_FOR / _LOOK_EVERY)):
        survivors = [process for process in psutil.process_iter(["cmdline"]) if _is_of(process, programs)]
        if not survivors:
            return
        await asyncio.sleep(_LOOK_EVERY)
    for process in survivors:
        with contextlib.suppress(psutil.Error):
            process.kill()
    raise AssertionError(f"{len(survivors)} engines outlived their services")


def _is_of(process: psutil.Process, programs: tuple[Program, ...]) -> bool:
    """Whether it is an engine that one of the programs started, in whichever life."""
    given = " ".join(process.info["cmdline"] or ())
    is_engine = "bot.engine" in given or "tests.faults.quick_engine" in given
    return is_engine and any(f"{program.state_dir}/run/" in given for program in programs)
