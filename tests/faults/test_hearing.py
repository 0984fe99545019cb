from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import text

from tests.databases import run_in
from tests.faults.customers import Moments, Street, WebVisitor
from tests.faults.history import History
from tests.faults.judging import Tell
from tests.faults.running import Program, supervised

#: Seconds between two looks of these programs at what they were not woken for: a test that waits for one is over.
RARELY = 3600.0
#: Starts a program that looks as rarely as that.
_START = f"""
import sys
import bot.pipeline.worker, bot.web.streams
from bot.__main__ import main

bot.pipeline.worker.LOOK_EVERY = bot.web.streams.POLL_FIRST = bot.web.streams.POLL_LONGEST = {RARELY}
sys.exit(main())
"""


@dataclass(kw_only=True)
class Chat:
    """A visitor of the web chat and what they were shown."""

    street: Street
    visitor: WebVisitor

    async def ask(self, serial: int) -> float:
        """Write the message of that number and return how many seconds the answer took."""
        asked = await self.visitor.ask(serial)
        # The page comes back by itself, and looks, after a minute of silence.
        async with asyncio.timeout(50):
            while self.street.history.unanswered():  # noqa: ASYNC110 - other processes tell nothing
                await asyncio.sleep(0.01)
        return time.monotonic() - asked.written_at


@asynccontextmanager
async def chatting(web: Program, session: aiohttp.ClientSession) -> AsyncIterator[Chat]:
    """Keep a page of the web chat open."""
    street = Street(history=History(), moments=Moments(), dice=random.Random(1))
    visitor = WebVisitor(street, session, web.url)
    await visitor.open()
    reading = asyncio.create_task(visitor.read())
    try:
        yield Chat(street=street, visitor=visitor)
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


def cut_all(url: str) -> int:
    """Cut every connection to the database but the one that does it; return how many that were."""
    cut = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND datname = current_database()"
    )
    return run_in(url, lambda connection: len(connection.execute(cut).all()))


@pytest.mark.slow
@pytest.mark.postgres
async def test_a_page_hears_at_once_what_another_process_answers(
    tmp_path: Path, postgres_url: str, model: Path, tell: Tell
) -> None:
    """The web process wakes the worker, and the worker the page, also after every connection was cut."""
    environ = {
        "TANDEM_SERVICE__DATABASE": postgres_url,
        "TANDEM_SERVICE__SECRET": "only-for-the-fault-tests",
        "TANDEM_ENGINE__MODEL": str(model),
    }
    web, worker = (
        Program(command=command, state_dir=tmp_path / command, environ=environ, program=("-c", _START))
        for command in ("web", "worker")
    )
    async with supervised(web, worker), aiohttp.ClientSession() as session:
        for program in (web, worker):
            await program.until_ready(session)
        async with chatting(web, session) as chat:
            took = [await chat.ask(serial) for serial in range(1, 6)]
            assert cut_all(postgres_url) >= 2
            took += [await chat.ask(serial) for serial in range(6, 11)]
    tell(f"another process's answers came after {min(took):.2f} to {max(took):.2f} s")
    assert [len(program.started) for program in (web, worker)] == [1, 1]
