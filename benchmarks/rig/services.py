"""The programs of a service, started as an operator starts them, and what they take of the machine."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil

from benchmarks.rig.channels import SECRET, TOKEN
from benchmarks.rig.programs import Program, start
from tests.ports import free_port

_ROOT = Path(__file__).parents[2]
_READY_WITHIN = 120.0


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What the programs of a service share."""

    folder: Path
    database: str
    model: Path
    #: where Telegram's Bot API is
    telegram: str
    #: settings beside
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def environ(self) -> dict[str, str]:
        """Return the environment of each program."""
        return {
            "TANDEM_SERVICE__DATABASE": self.database,
            "TANDEM_SERVICE__SECRET": "only-for-the-benchmarks",
            "TANDEM_SERVICE__PUBLIC_URL": "https://shop.example.com",
            "TANDEM_SERVICE__DEBOUNCE": "0",
            "TANDEM_TELEGRAM__TOKEN": TOKEN,
            "TANDEM_TELEGRAM__WEBHOOK_SECRET": SECRET,
            "TANDEM_TELEGRAM__BASE_URL": self.telegram,
            "TANDEM_TELEGRAM__MESSAGES_PER_SECOND": "0",
            "TANDEM_ENGINE__MODEL": str(self.model),
            "TANDEM_LOG__FORMAT": "json",
            "TANDEM_LOG__LEVEL": "warning",
            **self.more,
        }


@asynccontextmanager
async def program(setting: Setting, command: str, name: str, port: int) -> AsyncIterator[Program]:
    """Run `python -m bot COMMAND` until the context ends; it is ready when it begins."""
    internal, folder = free_port(), setting.folder / name
    ports = {"TANDEM_SERVICE__PORT": str(port), "TANDEM_SERVICE__INTERNAL_PORT": str(internal)}
    environ = setting.environ | ports | {"TANDEM_SERVICE__STATE_DIR": str(folder)}
    made = start(name, [sys.executable, "-m", "bot", command], setting.folder / f"{name}.log", environ, _ROOT)
    try:
        await _until_ready(made, internal, setting.folder)
        yield made
    finally:
        await asyncio.to_thread(made.stop)


async def _until_ready(made: Program, port: int, folder: Path) -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(_READY_WITHIN):
        while made.process.poll() is None:
            with suppress(aiohttp.ClientError):
                async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.1)
    raise RuntimeError(f"{made.name} ended while starting; see {folder / made.name}.log")


class Meter:
    """Tells who took how much of the processors: by name, each program apart from the engine that it started."""

    def __init__(self, roots: Mapping[str, int]) -> None:
        """Watch processes and their children, by the names and ids of the first ones."""
        self._roots = dict(roots)
        self._used: defaultdict[str, dict[int, float]] = defaultdict(dict)

    def seconds(self) -> dict[str, float]:
        """Return processor seconds by name, since the processes began."""
        for name, member in self._members():
            with suppress(psutil.NoSuchProcess):
                times, used = member.cpu_times(), self._used[_role(name, member)]
                used[member.pid] = max(used.get(member.pid, 0.0), times.user + times.system)
        return {name: sum(used.values()) for name, used in self._used.items()}

    def memory(self) -> dict[str, float]:
        """Return megabytes by name: what is of each process alone, and its part of what several share."""
        found: defaultdict[str, float] = defaultdict(float)
        for name, member in self._members():
            with suppress(psutil.NoSuchProcess):
                found[_role(name, member)] += member.memory_full_info().pss / 1e6
        return dict(found)

    def _members(self) -> Iterator[tuple[str, psutil.Process]]:
        """Yield all that live; of this process, which started the others, itself alone."""
        for name, root in self._roots.items():
            with suppress(psutil.NoSuchProcess):
                first = psutil.Process(root)
                yield name, first
                if root != os.getpid():
                    yield from ((name, child) for child in first.children(recursive=True))


def _role(name: str, member: psutil.Process) -> str:
    return f"{name}'s engine" if "bot.engine" in member.cmdline() else name
