"""What a whole one-machine service weighs after very many turns: memory that grows with what was said would show.

The engine is the real one. Customers ask as many at once as keep it busy, each their next question when they have an
answer; nothing may be lost, doubled or out of order on the way.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import time
from pathlib import Path

import uvloop

from benchmarks.rig.askers import Askers, askers
from benchmarks.rig.services import Meter, Setting, program
from bot.trainer.training import train
from tests.faults.history import judge
from tests.faults.outcomes import with_people
from tests.faults.talking import NOTICES
from tests.ports import free_port

_ROOT = Path(__file__).parents[1]
_FOLDER = _ROOT / "var" / "bench" / "endurance"
AT_ONCE = 16
#: Megabytes of all processes together, whatever was said before.
MOST = 600.0
#: It is told so often in a run.
_TOLD = 10
#: By so much of what it weighs after the first part may it grow by the end: what is learnt by then is in place.
GROWS_AT_MOST = 0.1
_QUIET = 30.0


async def _run(url: str, model: Path, turn_count: int) -> tuple[list[float], bool]:
    """Return megabytes after each part of the run, and whether nothing went wrong."""
    port, sizes = free_port(), list[float]()
    async with askers(port) as crowd:
        setting = Setting(folder=_FOLDER, database=url, model=model, telegram=crowd.url)
        async with program(setting, "run", "Tandem", port) as service:
            meter = Meter({"Tandem": service.process.pid})
            asking = asyncio.create_task(_ask(crowd, turn_count))
            while not asking.done():
                wanted = turn_count * (len(sizes) + 1) // _TOLD
                while len(crowd.answered_after) < wanted and not asking.done():  # noqa: ASYNC110 - counted elsewhere
                    await asyncio.sleep(0.2)
                sizes.append(_tell(len(crowd.answered_after), meter))
            await asking
            await crowd.until_answered(_QUIET)
        unanswered = crowd.history.unanswered()
        verdict = judge(crowd.history, with_people(url, unanswered) if unanswered else [], NOTICES)
        print(f"{len(crowd.history.asked)} questions, {verdict}")
        return sizes, verdict.is_clean


async def _ask(crowd: Askers, turn_count: int) -> None:
    while len(crowd.answered_after) < turn_count:
        await crowd.incessantly(AT_ONCE, 5)


def _tell(count: int, meter: Meter) -> float:
    found = meter.memory()
    told = ", ".join(f"{name} {size:.0f}" for name, size in found.items())
    print(f"{time.strftime('%H:%M:%S')} after {count} turns: {sum(found.values()):.0f} MB ({told})", flush=True)
    return sum(found.values())


def main() -> int:
    """Measure; return 1 where it weighs too much, grows, or anything went wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.endurance", description=__doc__)
    parser.add_argument("--turns", type=int, default=5_000, help="100000 is what was promised; it takes a while")
    parser.add_argument("--model", type=Path, help="a model that is there already")
    chosen = parser.parse_args()
    shutil.rmtree(_FOLDER, ignore_errors=True)
    _FOLDER.mkdir(parents=True)
    model = chosen.model or asyncio.run(train(_ROOT, _ROOT / "var" / "bench" / "models", lambda _: None)).path
    sizes, is_well = uvloop.run(_run(f"sqlite:///{_FOLDER / 'tandem.db'}", model, chosen.turns))
    growth = max(sizes) / sizes[0] - 1
    print(f"{max(sizes):.0f} MB at most (at most {MOST:.0f}); {growth:+.1%} since the first part")
    return int(not is_well or max(sizes) > MOST or growth > GROWS_AT_MOST)


if __name__ == "__main__":
    sys.exit(main())
