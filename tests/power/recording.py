"""Runs the whole service under strace while customers write, and keeps what they and the channel saw."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil

from simulator.telegram import FakeTelegram
from simulator.telegram_server import running
from simulator.telegram_values import Json
from tests.faults.running import Program
from tests.power.tracing import STRACE, Op, read_trace

_PATIENCE = 90.0


@dataclass
class Truth:
    """What the world was told, with when, in seconds of `time.time`."""

    #: words that a channel was told we have
    acknowledged: list[tuple[float, str]] = field(default_factory=list)
    #: words that we called a channel with
    shown: list[tuple[float, str]] = field(default_factory=list)
    #: files that a customer was told we have, by their SHA-256
    files: list[tuple[float, str]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One run of the service."""

    ops: list[Op]
    truth: Truth
    state_dir: Path
    #: when it could do its work
    ready_at: float


class HonestTelegram(FakeTelegram):
    """A fake Telegram that notes when an update was confirmed, and what it was asked to send."""

    def __init__(self, truth: Truth) -> None:
        """Note it in `truth`."""
        super().__init__()
        self._truth = truth

    async def call(self, method: str, parameters: Json) -> object:
        """Return the result of a call; raises `RefusedError`."""
        now = time.time()
        if method == "getUpdates" and int(parameters.get("offset", 0)) > 0:
            done = [each for each in self.updates if each.id < int(parameters["offset"])]
            for update in done:
                self._truth.acknowledged.append((now, str(update.body["message"]["text"])))
        if method == "sendMessage":
            self._truth.shown.append((now, str(parameters["text"])))
        return await super().call(method, parameters)


async def record(folder: Path, message_count: int, careless: str = "") -> Recording:
    """Start a new service, let customers write so many messages each, stop it, and return what happened."""
    truth, trace = Truth(), folder / "trace"
    telegram = HonestTelegram(truth)
    async with running(telegram), aiohttp.ClientSession() as session:
        program = Program(
            command="run",
            state_dir=folder / "state",
            environ=environment(folder / "state", telegram, careless),
            wrapper=(*STRACE, "-o", str(trace)),
            program=("-m", "tests.power.recorded"),
        )
        await program.start()
        try:
            await program.until_ready(session)
            ready_at = time.time()
            async with asyncio.TaskGroup() as customers:
                for number in range(1, 4):
                    customers.create_task(_on_telegram(telegram, number, message_count))
                    customers.create_task(_on_web_chat(session, program.url, truth, number, message_count))
            await _until_answered(telegram, truth, 3 * message_count)
        finally:
            await _stop(program)
    return Recording(
        ops=read_trace(trace, folder / "state"), truth=truth, state_dir=folder / "state", ready_at=ready_at
    )


def environment(state_dir: Path, telegram: FakeTelegram, careless: str = "") -> dict[str, str]:
    """Return the settings of the service whose state is kept there."""
    model = state_dir.with_name("no-model.tar.gz")
    model.parent.mkdir(parents=True, exist_ok=True)
    model.touch()
    return {
        "TANDEM_SERVICE__DATABASE": f"sqlite:///{state_dir / 'tandem.db'}",
        "TANDEM_SERVICE__SECRET": "only-for-the-power-tests",
        "TANDEM_SERVICE__DEBOUNCE": "0",
        "TANDEM_TELEGRAM__TOKEN": telegram.token,
        "TANDEM_TELEGRAM__BASE_URL": telegram.url,
        "TANDEM_TELEGRAM__MESSAGES_PER_SECOND": "0",
        "TANDEM_ENGINE__MODEL": str(model),
        # Python's own files are of no interest.
        "PYTHONDONTWRITEBYTECODE": "1",
        **({"POWER_CARELESS": careless} if careless else {}),
    }


async def _on_telegram(telegram: FakeTelegram, number: int, message_count: int) -> None:
    customer, dice = telegram.customer(10_000 * number), random.Random(number)
    for serial in range(message_count):
        customer.writes(f"power-t{number}-{serial:04d}")
        await asyncio.sleep(dice.uniform(0, 0.1))


async def _on_web_chat(session: aiohttp.ClientSession, url: str, truth: Truth, number: int, message_count: int) -> None:
    async with session.post(f"{url}/chat/session") as answer:
        headers = {"authorization": f"Bearer {(await answer.json())['token']}"}
    for serial in range(message_count):
        text = f"power-w{number}-{serial:04d}"
        async with session.post(
            f"{url}/chat/messages", json={"id": text + "-once", "text": text}, headers=headers
        ) as answer:
            if answer.status == 202:
                truth.acknowledged.append((time.time(), text))
        if serial % 5 == 0:
            named = {**headers, "x-file-name": "a.txt", "content-type": "text/plain"}
            content = f"{text} ".encode() * 400
            async with session.post(f"{url}/chat/files", data=content, headers=named) as answer:
                if answer.status == 201:
                    truth.files.append((time.time(), hashlib.sha256(content).hexdigest()))


async def _until_answered(telegram: FakeTelegram, truth: Truth, count: int) -> None:
    """Wait until all that was written on Telegram is answered, in however few messages."""
    async with asyncio.timeout(_PATIENCE):
        while sum(text.count("power-t") for _, text in truth.shown) < count or telegram.updates:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def _stop(program: Program) -> None:
    """Ask what strace runs to end, as an operator does, and wait for both."""
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(program.life.pid).children():
            child.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(30):
            await program.life.wait()
    except TimeoutError:
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(program.life.pid).children(recursive=True):
                child.kill()
        await program.end()
