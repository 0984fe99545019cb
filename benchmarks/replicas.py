"""What a second worker with its engine gains on one PostgreSQL, and whether anything is lost, doubled or out of order.

`web` and one or two `worker`s run as programs of their own, in turns with one and with two; customers ask steadily,
whether or not they have their answers, and then as many at once as keep everything busy. Who takes how much of the
processors says what the limit is.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
import uvloop

from benchmarks.rig.askers import Askers, askers, quantile
from benchmarks.rig.postgres import Server, postgres
from benchmarks.rig.services import Meter, Setting, program
from bot.trainer.training import train
from tests.faults.history import judge
from tests.faults.outcomes import with_people
from tests.faults.talking import NOTICES
from tests.ports import free_port

_ROOT = Path(__file__).parents[1]
_FOLDER = _ROOT / "var" / "bench" / "replicas"
#: Customers of the load that keeps everything busy; with fewer, the second worker would wait for work.
AT_ONCE = 48
#: Seconds without an answer after which no more is waited for.
_QUIET = 30.0


@dataclass(frozen=True, kw_only=True)
class Round:
    """What came of the loads with so many workers."""

    worker_count: int
    #: answers a second when all was busy
    rate: float
    #: milliseconds until the answer, p50 and p99, under the steady load
    waits: tuple[float, float]
    #: part of all processors while all was busy, by who took it; what nobody took is "idle", or waits for the disk
    shares: dict[str, float]


def _shares(before: Mapping[str, float], after: Mapping[str, float], seconds: float) -> dict[str, float]:
    """Return what part of all processors each took; both workers under one name, and their engines under another."""
    found: dict[str, float] = {}
    for name, used in after.items():
        role = name.replace("worker 1", "workers").replace("worker 2", "workers").replace("workers's engine", "engines")
        found[role] = found.get(role, 0.0) + (used - before.get(name, 0.0)) / seconds / (os.cpu_count() or 1)
    return found


def _unused() -> dict[str, float]:
    """Return the seconds in which processors had nothing to do, and in which they had but waited for a disk."""
    times = psutil.cpu_times()
    return {"idle": times.idle, "disk": times.iowait}


async def _loads(crowd: Askers, meter: Meter, worker_count: int, chosen: argparse.Namespace) -> Round:
    answered_before = len(crowd.answered_after)
    await crowd.steadily(chosen.rate, chosen.seconds)
    await crowd.until_answered(_QUIET)
    steady = crowd.answered_after[answered_before:]
    before, began = meter.seconds() | _unused(), time.monotonic()
    rate = await crowd.incessantly(AT_ONCE, chosen.seconds)
    shares = _shares(before, meter.seconds() | _unused(), time.monotonic() - began)
    await crowd.until_answered(_QUIET)
    waits = (quantile(steady, 0.5), quantile(steady, 0.99))
    return Round(worker_count=worker_count, rate=rate, waits=waits, shares=shares)


async def _run(server: Server, model: Path, chosen: argparse.Namespace) -> tuple[list[Round], str]:
    """Measure in turns with one and with two workers; return that, and what is wrong with what customers saw."""
    port, rounds = free_port(), list[Round]()
    async with askers(port) as crowd:
        setting = Setting(folder=_FOLDER, database=server.url, model=model, telegram=crowd.url)
        async with program(setting, "web", "web", port) as web, program(setting, "worker", "worker 1", port) as first:
            roots = {"web": web.process.pid, "PostgreSQL": server.pid, "this benchmark": os.getpid()}
            await crowd.incessantly(AT_ONCE, chosen.warm_up)
            for _ in range(chosen.rounds):
                one = Meter(roots | {"worker 1": first.process.pid})
                rounds.append(await _loads(crowd, one, 1, chosen))
                async with program(setting, "worker", "worker 2", port) as second:
                    both = {"worker 1": first.process.pid, "worker 2": second.process.pid}
                    await crowd.incessantly(AT_ONCE, chosen.warm_up)
                    rounds.append(await _loads(crowd, Meter(roots | both), 2, chosen))
        unanswered = crowd.history.unanswered()
        handed = await asyncio.to_thread(with_people, server.url, unanswered) if unanswered else []
        verdict = judge(crowd.history, handed, NOTICES)
        said = f"{len(crowd.history.asked)} questions: {verdict}; {len(handed)} left to people"
        return rounds, said if verdict.is_clean else f"{said}  WRONG"


def _report(rounds: list[Round], said: str) -> None:
    print(f"\n{said}.")
    print("| workers | turns/s | answered, steady load: p50 | p99 | the processors' time, all busy |")
    print("|--------:|--------:|---------------------------:|----:|:-------------------------------|")
    for count in (1, 2):
        mine = [each for each in rounds if each.worker_count == count]
        shares = {name: statistics.median(each.shares.get(name, 0.0) for each in mine) for name in mine[0].shares}
        told = ", ".join(f"{name} {share:.0%}" for name, share in sorted(shares.items(), key=lambda item: -item[1]))
        p50, p99 = (statistics.median(each.waits[n] for each in mine) for n in (0, 1))
        rate = statistics.median(each.rate for each in mine)
        told += f", others {max(0.0, 1 - sum(shares.values())):.0%}"
        print(f"| {count} | {rate:.1f} | {p50:.0f} ms | {p99:.0f} ms | {told} |")
    one, two = (statistics.median(each.rate for each in rounds if each.worker_count == count) for count in (1, 2))
    print(f"A second worker answers {two / one:.2f} × as many on {os.cpu_count()} processors.")


def main() -> int:
    """Measure and report; return 1 where anything is lost, doubled or out of order."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replicas", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="length of each load")
    parser.add_argument("--rate", type=float, default=10, help="questions a second of the steady load")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--warm-up", type=float, default=5)
    parser.add_argument("--model", type=Path, help="a model that is there already")
    chosen = parser.parse_args()
    shutil.rmtree(_FOLDER, ignore_errors=True)
    model = chosen.model or asyncio.run(train(_ROOT, _ROOT / "var" / "bench" / "models", lambda _: None)).path
    with postgres() as server:
        rounds, said = uvloop.run(_run(server, model, chosen))
    _report(rounds, said)
    return int("WRONG" in said)


if __name__ == "__main__":
    sys.exit(main())
