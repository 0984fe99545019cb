"""The two that are measured: Tandem with its engine, and a stock Rasa with its action server."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rig.channels import SECRET, TOKEN, rest, telegram
from benchmarks.rig.conversations import Channel
from benchmarks.rig.programs import Program, Scale, seconds_until_answer, start
from benchmarks.stock import environment
from tests.ports import free_port

_ROOT = Path(__file__).parents[2]
_BOOTS_WITHIN = 300.0


@dataclass(frozen=True, kw_only=True)
class Models:
    """What the sides answer from."""

    #: the stock environment's Python
    python: Path
    stock: Path
    tandem: Path


@dataclass(frozen=True, kw_only=True)
class Side:
    """One side, up and answering."""

    name: str
    channel: Channel
    programs: list[Program]
    scale: Scale
    #: from the start of its processes to its first answer
    boot_seconds: float


async def _boot(programs: list[Program], ask: Callable[[], Awaitable[object]]) -> float:
    return await seconds_until_answer(ask, programs, _BOOTS_WITHIN)


@asynccontextmanager
async def _up(name: str, channel: Channel, programs: list[Program]) -> AsyncIterator[Side]:
    """Wait for the first answer, weigh meanwhile, and stop everything at the end."""
    scale = Scale(programs)
    weighing = asyncio.create_task(scale.run())
    customer = time.time_ns() // 1_000_000
    try:
        boot = await _boot(programs, lambda: channel.say(customer, "hello", 1))
        yield Side(name=name, channel=channel, programs=programs, scale=scale, boot_seconds=boot)
    finally:
        weighing.cancel()
        for program in programs:
            program.stop()


@asynccontextmanager
async def tandem(models: Models, folder: Path, database: str) -> AsyncIterator[Side]:
    """Run Tandem as `python -m bot run` does, with its state in `folder`; Telegram is its channel."""
    port, internal_port, telegram_port = free_port(), free_port(), free_port()
    webhook = f"http://127.0.0.1:{port}/webhooks/telegram/{TOKEN.partition(':')[0]}"
    environ = {
        "TANDEM_SERVICE__PORT": str(port),
        "TANDEM_SERVICE__INTERNAL_PORT": str(internal_port),
        "TANDEM_SERVICE__PUBLIC_URL": "https://shop.example.com",
        "TANDEM_SERVICE__STATE_DIR": str(folder),
        "TANDEM_SERVICE__DATABASE": database,
        "TANDEM_TELEGRAM__TOKEN": TOKEN,
        "TANDEM_TELEGRAM__WEBHOOK_SECRET": SECRET,
        "TANDEM_TELEGRAM__BASE_URL": f"http://127.0.0.1:{telegram_port}",
        "TANDEM_TELEGRAM__MESSAGES_PER_SECOND": "0",
        "TANDEM_ENGINE__MODEL": str(models.tandem),
        "TANDEM_LOG__FORMAT": "json",
        # The stock Rasa waits for nobody's next words, so neither do we: what is measured is work.
        "TANDEM_SERVICE__DEBOUNCE": "0",
    }
    async with telegram(telegram_port, webhook) as channel:
        program = start("Tandem", [sys.executable, "-m", "bot", "run"], folder / "log", environ, _ROOT)
        async with _up("Tandem", channel, [program]) as side:
            yield side


@asynccontextmanager
async def stock(models: Models, folder: Path) -> AsyncIterator[Side]:
    """Run `rasa run` with the REST channel and everything else as it comes, beside an action server."""
    port, action_port = free_port(), free_port()
    _write_settings(folder, action_port)
    actions = [sys.executable, "-m", "benchmarks.stock.actions", "--port", str(action_port)]
    actions += ["--shop", str(folder / "shop.db")]
    rasa = [str(models.python), "-m", "rasa", "run", "--model", str(models.stock), "--interface", "127.0.0.1"]
    rasa += ["--port", str(port), "--endpoints", "endpoints.yml", "--credentials", "credentials.yml"]
    async with rest(f"http://127.0.0.1:{port}") as channel:
        programs = [
            start("rasa run", rasa, folder / "rasa.log", environment.ENVIRON, folder),
            start("its action server", actions, folder / "actions.log", {}, _ROOT),
        ]
        async with _up("stock Rasa", channel, programs) as side:
            yield side


def _write_settings(folder: Path, action_port: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "endpoints.yml").write_text(f"action_endpoint:\n  url: http://127.0.0.1:{action_port}/webhook\n")
    (folder / "credentials.yml").write_text("rest:\n")
