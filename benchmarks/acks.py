"""How soon a webhook hears "ok", which it does once the message is on the disk, and whether any of them is lost.

The whole service runs, engine and all, and works on what came while more comes: on SQLite as one process, on
PostgreSQL as `web` and `worker`. The load comes from a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil
import psycopg

from benchmarks.rig.channels import SECRET, TOKEN, telegram
from benchmarks.rig.postgres import postgres
from benchmarks.rig.programs import Program, start
from bot.trainer.training import train
from tests.ports import free_port

_ROOT = Path(__file__).parents[1]
_FOLDER = _ROOT / "var" / "bench" / "acks"
#: Milliseconds at `PACE` messages a second.
TARGETS = {0.5: 10.0, 0.99: 100.0}
PACE, STORM = 100, 500
_READY_WITHIN = 120.0
_COUNT = "SELECT count(*) FROM inbox"


@dataclass(frozen=True, kw_only=True)
class Store:
    """A database to run on."""

    name: str
    url: str
    #: the commands that make up the service
    commands: tuple[str, ...]
    #: returns how many messages are kept
    count: Callable[[], int]


@dataclass(frozen=True, kw_only=True)
class Round:
    """What came of one load."""

    store: str
    rate: int
    sent_count: int
    waits: list[float]
    #: acknowledged and not kept
    lost_count: int

    @property
    def refused_count(self) -> int:
        """Return how many were not acknowledged: the channel would send them again."""
        return self.sent_count - len(self.waits)

    def wait_ms(self, share: float) -> float:
        """Return the milliseconds that this share of the acknowledgements did not exceed."""
        ordered = sorted(self.waits)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000 if ordered else float("inf")

    @property
    def is_met(self) -> bool:
        """Whether nothing was lost or refused, and at the usual pace whether it was quick enough."""
        is_whole = not (self.lost_count or self.refused_count)
        is_quick = self.rate != PACE or all(self.wait_ms(share) <= target for share, target in TARGETS.items())
        return is_whole and is_quick


@contextmanager
def _sqlite() -> Iterator[Store]:
    path = _FOLDER / "tandem.db"

    def count() -> int:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            return int(database.execute(_COUNT).fetchone()[0])

    yield Store(name="SQLite", url=f"sqlite:///{path}", commands=("run",), count=count)


@contextmanager
def _postgres() -> Iterator[Store]:
    with postgres() as server:

        def count() -> int:
            with psycopg.connect(host=str(server.socket), user="postgres", dbname="postgres") as database:
                row = database.execute(_COUNT).fetchone()
                return int(row[0]) if row else 0

        yield Store(name="PostgreSQL", url=server.url, commands=("web", "worker"), count=count)


@asynccontextmanager
async def _service(store: Store, model: Path) -> AsyncIterator[str]:
    """Run the service on the database, with a Telegram that takes its answers; yields where its webhook is."""
    shutil.rmtree(_FOLDER, ignore_errors=True)
    _FOLDER.mkdir(parents=True)
    port, telegram_port = free_port(), free_port()
    webhook = f"http://127.0.0.1:{port}/webhooks/telegram/{TOKEN.partition(':')[0]}"
    common = {
        "TANDEM_SERVICE__STATE_DIR": str(_FOLDER),
        "TANDEM_SERVICE__DATABASE": store.url,
        "TANDEM_SERVICE__PUBLIC_URL": "https://shop.example.com",
        "TANDEM_TELEGRAM__TOKEN": TOKEN,
        "TANDEM_TELEGRAM__WEBHOOK_SECRET": SECRET,
        "TANDEM_TELEGRAM__BASE_URL": f"http://127.0.0.1:{telegram_port}",
        "TANDEM_TELEGRAM__MESSAGES_PER_SECOND": "0",
        "TANDEM_ENGINE__MODEL": str(model),
        "TANDEM_LOG__FORMAT": "json",
        "TANDEM_LOG__LEVEL": "warning",
    }
    programs: list[Program] = []
    async with telegram(telegram_port, webhook):
        try:
            for n, command in enumerate(store.commands):
                internal = free_port()
                ports = {"TANDEM_SERVICE__PORT": str(port if n == 0 else free_port())}
                environ = common | ports | {"TANDEM_SERVICE__INTERNAL_PORT": str(internal)}
                started = start(command, [sys.executable, "-m", "bot", command], _FOLDER / "log", environ, _ROOT)
                programs.append(started)
                await _until_ready(started, internal)
            yield webhook
        finally:
            for program in programs:
                program.stop()


async def _until_ready(program: Program, port: int) -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(_READY_WITHIN):
        while program.process.poll() is None:
            try:
                async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
    raise RuntimeError(f"{program.name} ended while starting; see {_FOLDER / 'log'}")


async def _round(store: Store, webhook: str, rate: int, seconds: float) -> Round:
    before = await asyncio.to_thread(store.count)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.rig.load", webhook, str(rate), str(seconds)),
        cwd=_ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await process.communicate()
    found = json.loads(printed)
    waits: list[float] = found["waits"]
    kept = await asyncio.to_thread(store.count) - before
    return Round(
        store=store.name,
        rate=rate,
        sent_count=int(rate * seconds),
        waits=waits,
        lost_count=max(0, len(waits) - kept),
    )


async def _measure(store: Store, model: Path, chosen: argparse.Namespace) -> list[Round]:
    async with _service(store, model) as webhook:
        await _round(store, webhook, PACE, chosen.warm_up)
        rounds = [await _round(store, webhook, PACE, chosen.seconds)]
        return [*rounds, await _round(store, webhook, STORM, chosen.seconds)]


def _report(rounds: list[Round]) -> None:
    targets = ", ".join(f"p{share * 100:g} ≤ {target:.0f} ms" for share, target in TARGETS.items())
    print(f"\nAcknowledged after the commit; at {PACE} a second {targets}; nothing lost:")
    print("| database   | messages/s |   sent | refused | lost |      p50 |      p99 |      max |")
    print("|------------|-----------:|-------:|--------:|-----:|---------:|---------:|---------:|")
    for each in rounds:
        waits = " | ".join(f"{each.wait_ms(share):5.1f} ms" for share in (0.5, 0.99, 1.0))
        print(
            f"| {each.store:10} | {each.rate:10} | {each.sent_count:6} | {each.refused_count:7} | {each.lost_count:4} "
            f"| {waits} |{'' if each.is_met else '  missed'}"
        )


def main() -> int:
    """Measure and report; return 1 where anything is lost, refused or too slow."""
    parser = argparse.ArgumentParser(description="Measure how soon webhooks are acknowledged.")
    parser.add_argument("--seconds", type=float, default=60, help="length of each load")
    parser.add_argument("--warm-up", type=float, default=5)
    parser.add_argument("--only", choices=("sqlite", "postgres"), help="one database alone")
    parser.add_argument("--model", type=Path, help="a model that is there already")
    chosen = parser.parse_args()
    others = psutil.cpu_percent(interval=2.0)
    if others > 20:
        print(f"This machine is {others:.0f} % busy with something else: the figures will be worse than they could be.")
    model = chosen.model or asyncio.run(train(_ROOT, _ROOT / "var" / "bench" / "models", lambda _: None)).path
    rounds: list[Round] = []
    for name, opened in (("sqlite", _sqlite), ("postgres", _postgres)):
        if chosen.only in {None, name}:
            with opened() as store:
                rounds += asyncio.run(_measure(store, model, chosen))
    _report(rounds)
    return 0 if all(each.is_met for each in rounds) else 1


if __name__ == "__main__":
    sys.exit(main())
