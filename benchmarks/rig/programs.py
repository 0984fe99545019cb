"""Programs under measurement: started, watched, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

_LOOK_EVERY = 0.25
_STOPS_WITHIN = 20.0


@dataclass
class Program:
    """A process with all its children."""

    #: how it is called in the report
    name: str
    process: subprocess.Popen[bytes]
    _used: dict[int, float] = field(default_factory=dict)

    @property
    def family(self) -> list[psutil.Process]:
        """The process and its descendants that live."""
        try:
            first = psutil.Process(self.process.pid)
            return [first, *first.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def memory(self) -> int:
        """Return the resident memory of the family in bytes."""
        return int(sum(_quietly(member, lambda member: float(member.memory_info().rss)) for member in self.family))

    def processor_seconds(self) -> float:
        """Return the processor time the family has used since it was started."""
        for member in self.family:
            times = _quietly(member, lambda member: float(sum(member.cpu_times()[:2])))
            self._used[member.pid] = max(times, self._used.get(member.pid, 0.0))
        return sum(self._used.values())

    def stop(self) -> None:
        """Ask it to end, and make it end; its children end with it."""
        family = self.family
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(_STOPS_WITHIN)
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        self.process.wait()


def _quietly(member: psutil.Process, ask: Callable[[psutil.Process], float]) -> float:
    try:
        return ask(member)
    except psutil.NoSuchProcess:
        return 0


def start(name: str, command: list[str], log: Path, environ: Mapping[str, str], folder: Path) -> Program:
    """Start a program that writes to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=folder, env={**os.environ, **environ}
        )
    return Program(name=name, process=process)


class Scale:
    """Weighs programs for as long as it runs, and keeps the most they weighed together."""

    def __init__(self, programs: list[Program]) -> None:
        """Weigh `programs`."""
        self._programs = programs
        #: bytes
        self.peak = 0

    async def run(self) -> None:
        """Weigh until cancelled."""
        while True:
            self.peak = max(self.peak, sum(program.memory() for program in self._programs))
            await asyncio.sleep(_LOOK_EVERY)


async def seconds_until_answer(ask: Callable[[], Awaitable[object]], programs: list[Program], at_most: float) -> float:
    """Return the seconds until `ask` succeeds; raises `RuntimeError` when a program ends or the time is over."""
    began = time.perf_counter()
    while time.perf_counter() - began < at_most:
        if ended := [program.name for program in programs if program.process.poll() is not None]:
            raise RuntimeError(f"{ended[0]} ended while starting; see its log in var/bench")
        try:
            await ask()
        except (OSError, TimeoutError, ValueError):
            await asyncio.sleep(0.05)
        else:
            return time.perf_counter() - began
    raise RuntimeError(f"no answer within {at_most:g} s; see the logs in var/bench")
