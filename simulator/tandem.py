"""The real Tandem under simulation: a process of its own with a state folder of its own, and what it has kept."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sqlite3
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from simulator.truth import Kept, Said

#: Seconds: to come up, and to end when asked to.
_READY_WITHIN, _ENDS_WITHIN = 120.0, 20.0
_LOOKS_EVERY = 0.1
_PROJECT = Path(__file__).parents[1]


class DiedError(Exception):
    """Tandem did not come up, or ended on its own."""


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


@dataclass(kw_only=True)
class Tandem:
    """One `python -m bot run` with no settings but these."""

    folder: Path
    model: Path
    port: int = field(default_factory=_free_port)
    internal_port: int = field(default_factory=_free_port)

    @property
    def url(self) -> str:
        """Where channels, visitors and agents reach it."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """Where everything goes that it prints."""
        return self.folder / "tandem.log"

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of the process: none of our own settings, which may name real accounts."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TANDEM_")}
        return {
            **inherited,
            "TANDEM_SERVICE__STATE_DIR": str(self.folder),
            "TANDEM_SERVICE__PORT": str(self.port),
            "TANDEM_SERVICE__INTERNAL_PORT": str(self.internal_port),
            "TANDEM_SERVICE__PUBLIC_URL": self.url,
            "TANDEM_ENGINE__MODEL": str(self.model.resolve()),
            "TANDEM_LOG__FORMAT": "json",
            **environ,
        }

    @asynccontextmanager
    async def running(self, environ: Mapping[str, str]) -> AsyncIterator[None]:
        """Run it until the context ends; raises `DiedError` if it does not come up."""
        with self.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bot", "run"),
                cwd=_PROJECT,
                env=self.environment(environ),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for the simulator, which ends its Tandem in its own time.
                start_new_session=True,
            )
        try:
            await self._until_ready(process)
            yield
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
                try:
                    await asyncio.wait_for(process.wait(), _ENDS_WITHIN)
                except TimeoutError:
                    process.kill()
                    await process.wait()

    async def _until_ready(self, process: asyncio.subprocess.Process) -> None:
        async with aiohttp.ClientSession() as session:
            for _ in range(int(_READY_WITHIN / _LOOKS_EVERY)):
                if process.returncode is not None:
                    break
                if await _is_ready(session, f"http://127.0.0.1:{self.internal_port}/readyz"):
                    return
                await asyncio.sleep(_LOOKS_EVERY)
        raise DiedError(f"Tandem does not come up; {self.log} says why")

    async def until_quiet(self, within: float) -> bool:
        """Wait until nothing waits in either box; return whether it came to that in so many seconds."""
        for _ in range(int(within / _LOOKS_EVERY)):
            if await asyncio.to_thread(self._waiting_count) == 0:
                return True
            await asyncio.sleep(_LOOKS_EVERY)
        return False

    def _waiting_count(self) -> int:
        waiting = "SELECT count(*) FROM {} WHERE state IN ('pending', 'claimed')"
        with closing(self._read()) as database:
            return sum(int(database.execute(waiting.format(box)).fetchone()[0]) for box in ("inbox", "outbox"))

    def kept(self) -> dict[str, Kept]:
        """Return every conversation as Tandem has it, by address."""
        received, said = defaultdict[str, list[str]](list), defaultdict[str, list[Said]](list)
        dead: dict[str, int] = defaultdict(int)
        with closing(self._read()) as database:
            for address, external_id, body in database.execute(_RECEIVED):
                if json.loads(body).get("edits") is None:
                    received[address].append(external_id)
            for address, *line in database.execute(_SAID):
                said[address].append(_said(*line))
            for box in ("inbox", "outbox"):
                for address, count in database.execute(_DEAD.format(box)):
                    dead[address] += count
            with_ticket = {address for (address,) in database.execute(_TICKETS)}
        return {
            address: Kept(
                received=tuple(received[address]),
                said=tuple(said[address]),
                has_ticket=address in with_ticket,
                dead_count=dead[address],
            )
            for address in {*received, *said, *dead, *with_ticket}
        }

    def _read(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{self.folder}/tandem.db?mode=ro", uri=True)


_RECEIVED = "SELECT address, external_id, body FROM inbox WHERE kind = 'message' ORDER BY id"
_SAID = """
    SELECT conversations.address, text, choices, parts, external_id, delivery
    FROM messages JOIN conversations ON conversations.id = conversation_id
    WHERE author != 'customer' ORDER BY position
"""
_DEAD = "SELECT address, count(*) FROM {} WHERE state IN ('dead', 'held') GROUP BY address"
_TICKETS = """
    SELECT DISTINCT conversations.address FROM tickets JOIN conversations ON conversations.id = conversation_id
"""


def _said(text: str, choices: str, parts: str | None, external_id: str | None, delivery: str | None) -> Said:
    titles: list[str] = json.loads(choices)
    shown = "\n".join((text, *(f"{n}. {title}" for n, title in enumerate(titles, 1))))
    ids = (*json.loads(parts or "[]"), external_id)
    return Said(text=shown.strip(), state=delivery or "pending", external_ids=tuple(str(name) for name in ids if name))


async def _is_ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
