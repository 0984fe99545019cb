"""Throughput, waits, boot and memory of Tandem beside a stock Rasa on the same data, measured alternately in one run.

Both answer the same customers with the same actions over the same sample shop; both are up, and one at a time is under
load. Tandem is measured from the call of Telegram's webhook to the arrival of the answer's last Bot API call, with each
message committed to the disk on its way (SQLite, synchronous=FULL); the stock Rasa from the request to its REST channel
to the response, with its default pipeline and its default stores, which are in memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import sys
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.rig.conversations import Crowd, Lengths, Tally
from benchmarks.rig.sides import Models, Side, stock, tandem
from benchmarks.stock import environment
from bot.trainer.training import train

_ROOT = Path(__file__).parents[1]
_FOLDER = _ROOT / "var" / "bench"
#: Conversations that are held at once.
LEVELS = (1, 8, 16)
#: Ours against theirs; the sense in which a target is met, and the target.
TARGETS = {"turns per second": 4.0, "p50": 1 / 3, "boot": 1 / 3, "memory": 1 / 3}


@dataclass
class Findings:
    """What was measured of one side, one entry a round."""

    rates: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    p50_ms: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    p99_ms: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    #: milliseconds of processor time for a turn
    work_ms: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    boot_seconds: list[float] = field(default_factory=list)
    peak_mb: list[float] = field(default_factory=list)
    turn_count: int = 0
    failures: list[str] = field(default_factory=list)
    found_count: int = 0
    asked_count: int = 0

    def add(self, at_once: int, tally: Tally, work_seconds: float) -> None:
        """Take in a round."""
        self.rates[at_once].append(tally.rate)
        self.p50_ms[at_once].append(tally.wait_ms(0.5))
        self.p99_ms[at_once].append(tally.wait_ms(0.99))
        self.work_ms[at_once].append(work_seconds * 1000 / len(tally.waits))
        self.turn_count += len(tally.waits)
        self.failures += tally.failures
        self.found_count += tally.found_count
        self.asked_count += tally.asked_count


async def _round(side: Side, findings: Findings, crowd: Crowd, lengths: Lengths, load: tuple[int, float]) -> None:
    before = sum(program.processor_seconds() for program in side.programs)
    tally = await crowd.talk(side.channel, lengths, *load)
    if not tally.waits:
        raise RuntimeError(f"{side.name} answered nothing: {tally.failures[:3]}")
    work = sum(program.processor_seconds() for program in side.programs) - before
    findings.add(load[0], tally, work)


async def _measure(models: Models, chosen: argparse.Namespace, crowd: Crowd, findings: dict[str, Findings]) -> None:
    """Boot both, load them in turns at every level, and note everything in `findings`."""
    async with AsyncExitStack() as stack:
        url = f"sqlite:///{_FOLDER / 'tandem' / 'tandem.db'}"
        sides = [
            await stack.enter_async_context(tandem(models, _FOLDER / "tandem", url)),
            await stack.enter_async_context(stock(models, _FOLDER / "rasa")),
        ]
        for side in sides:
            findings[side.name].boot_seconds.append(side.boot_seconds)
        lengths = {side.name: await crowd.learn(side.channel) for side in sides}
        for side in sides:
            await crowd.talk(side.channel, lengths[side.name], max(LEVELS), chosen.warm_up)
        for at_once in LEVELS:
            for _ in range(chosen.rounds):
                for side in sides:
                    load = (at_once, chosen.seconds)
                    await _round(side, findings[side.name], crowd, lengths[side.name], load)
            print(f"  {at_once} at once: done", flush=True)
        for side in sides:
            findings[side.name].peak_mb.append(side.scale.peak / 1e6)


async def _run(chosen: argparse.Namespace) -> dict[str, Findings]:
    python = environment.make_environment(_FOLDER / "stock")
    project = chosen.project
    trained = await train(project, _FOLDER / "models", lambda _: None)
    stock_model = chosen.stock_model or environment.train(python, project, _FOLDER / "models")
    models = Models(python=python, stock=stock_model.resolve(), tandem=trained.path)
    shutil.rmtree(_FOLDER / "tandem", ignore_errors=True)
    findings: dict[str, Findings] = {"Tandem": Findings(), "stock Rasa": Findings()}
    print("Booting both once, so that the first start's making of files is not counted …", flush=True)
    async with tandem(models, _FOLDER / "tandem", f"sqlite:///{_FOLDER / 'tandem' / 'tandem.db'}"):
        pass
    async with stock(models, _FOLDER / "rasa"):
        pass
    crowd = Crowd()
    for number in range(chosen.boots):
        print(f"Measuring, run {number + 1} of {chosen.boots} …", flush=True)
        await _measure(models, chosen, crowd, findings)
    return findings


def _rows(ours: Findings, theirs: Findings) -> list[tuple[str, str, str, float, float | None]]:
    """Return (what, ours, theirs, ratio, target or none) of everything, medians of all rounds."""
    rows: list[tuple[str, str, str, float, float | None]] = []

    def row(what: str, mine: Sequence[float], yours: Sequence[float], unit: str, target: float | None) -> None:
        a, b = statistics.median(mine), statistics.median(yours)
        rows.append((what, f"{a:.3g} {unit}", f"{b:.3g} {unit}", a / b, target))

    for at_once in LEVELS:
        row(f"turns per second, {at_once} at once", ours.rates[at_once], theirs.rates[at_once], "/s",
            TARGETS["turns per second"])  # fmt: skip
    for at_once in LEVELS:
        row(f"p50, {at_once} at once", ours.p50_ms[at_once], theirs.p50_ms[at_once], "ms", TARGETS["p50"])
    for at_once in LEVELS:
        row(f"p99, {at_once} at once", ours.p99_ms[at_once], theirs.p99_ms[at_once], "ms", None)
    busiest = max(LEVELS)
    row("processor time for a turn", ours.work_ms[busiest], theirs.work_ms[busiest], "ms", None)
    row("start to first answer", ours.boot_seconds, theirs.boot_seconds, "s", TARGETS["boot"])
    row("memory at its peak", ours.peak_mb, theirs.peak_mb, "MB", TARGETS["memory"])
    return rows


def _is_met(ratio: float, target: float) -> bool:
    return ratio >= target if target > 1 else ratio <= target


def _report(findings: dict[str, Findings], chosen: argparse.Namespace) -> bool:
    """Print the table, write it down for programs, and return whether every target is met."""
    ours, theirs = findings["Tandem"], findings["stock Rasa"]
    rows = _rows(ours, theirs)
    print(f"\n| {'':30} | {'Tandem':>10} | {'stock Rasa':>10} | {'ratio':>6} | {'target':>7} |")
    print(f"|{'-' * 32}|{'-' * 11}:|{'-' * 11}:|{'-' * 7}:|{'-' * 8}:|")
    for what, mine, yours, ratio, target in rows:
        wanted = "" if target is None else f"{'≥' if target > 1 else '≤'} {target:.2f}"
        mark = "" if target is None or _is_met(ratio, target) else "  missed"
        print(f"| {what:30} | {mine:>10} | {yours:>10} | {ratio:>6.2f} | {wanted:>7} |{mark}")
    for name, found in findings.items():
        print(
            f"{name}: {found.turn_count} turns, {len(found.failures)} failed; "
            f"named the order asked about in {found.found_count} of {found.asked_count} answers"
        )
        for failure in found.failures[:3]:
            print(f"  {failure}")
    if not any((chosen.project / "data").rglob("stories/*.yml")):
        print(
            "The data has rules and no stories, so the stock Rasa's TED and UnexpecTED learn nothing and cost nothing."
        )
    print(f"Medians of {chosen.boots * chosen.rounds} rounds of {chosen.seconds:g} s on {os.cpu_count()} cores; "
          "ratios are the result, the figures beside them depend on the machine.")  # fmt: skip
    is_met = all(_is_met(ratio, target) for *_, ratio, target in rows if target is not None)
    _write_down(findings, rows, is_met=is_met)
    return is_met and not ours.failures


def _write_down(
    findings: dict[str, Findings], rows: list[tuple[str, str, str, float, float | None]], *, is_met: bool
) -> None:
    kept = {
        "is_met": is_met,
        "ratios": [{"what": what, "ratio": ratio, "target": target} for what, _, _, ratio, target in rows],
        "rounds": {name: vars(found) for name, found in findings.items()},
        "cores": os.cpu_count(),
    }
    (_FOLDER / "last.json").write_text(json.dumps(kept, indent=1))


def main() -> int:
    """Measure and report; return 1 where a target is missed."""
    parser = argparse.ArgumentParser(description="Measure Tandem beside a stock Rasa.")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each side at each level in a run")
    parser.add_argument("--seconds", type=float, default=8, help="length of a round")
    parser.add_argument("--warm-up", type=float, default=5, help="seconds of load before the first round")
    parser.add_argument("--boots", type=int, default=2, help="runs, each with a boot of its own")
    parser.add_argument("--project", type=Path, default=_ROOT, help="where config.yml, domain.yml and data/ are")
    known = "a stock model trained before; else one is trained from the project, in half an hour"
    parser.add_argument("--stock-model", type=Path, help=known)
    chosen = parser.parse_args()
    others = psutil.cpu_percent(interval=2.0)
    if others > 20:
        print(f"This machine is {others:.0f} % busy with something else: the figures will be worse than they could be.")
    findings = asyncio.run(_run(chosen))
    return 0 if _report(findings, chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
