"""What a turn costs late in a conversation beside the first, in the engine's own CPU time, measured alternately.

The engine is given what the service would give it: the last turns whole, and the state that the earlier ones left.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import statistics
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot.dialogue.memory import recall
from bot.store.turns import TURNS_KEPT
from bot.trainer.training import train

_ROOT = Path(__file__).parents[1]
#: The late turn may cost so many times what the first one does.
MOST = 1.2
#: Turns before the late one, times that both are measured, and what they ask.
TURNS, TIMES, QUESTION = 300, 60, "what payment methods do you take"
#: Said before, over and over: facts, nonsense, a form that is begun, filled and left.
SCRIPT = ("hello", "where is my order", "CL-104233", "never mind", "what is the delivery charge", "flurble", "thanks")


class NoActions:
    """An action server that does nothing, in this process: what actions cost is not the engine's."""

    url = "here"
    #: where Rasa looks for the option to send less of the domain
    kwargs: Mapping[str, object] = {}

    async def request(self, **_: object) -> dict[str, list[object]]:
        """Do nothing."""
        return {"events": [], "responses": []}


async def measure(model: Path) -> tuple[float, float]:
    """Return the CPU milliseconds of the first turn of a conversation and of a late one, medians."""
    from bot.engine.processor import StepProcessor

    processor = StepProcessor(model, NoActions())  # type: ignore[arg-type]
    turns: list[dict[str, Any]] = []
    for number in range(TURNS - 1):
        _, outcome = await _turn(processor, SCRIPT[number % len(SCRIPT)], turns)
        turns.append(outcome)
    costs = [[(await _turn(processor, QUESTION, before))[0] for before in ([], turns)] for _ in range(TIMES)]
    first, late = zip(*costs, strict=True)
    return statistics.median(first) * 1_000, statistics.median(late) * 1_000


async def _turn(processor: Any, text: str, turns: list[dict[str, Any]]) -> tuple[float, dict[str, Any]]:
    from bot.engine.step import StepRequest, step

    left_out = turns[-TURNS_KEPT - 1] if len(turns) > TURNS_KEPT else None
    state = {"slots": left_out["slots"], "active_loop": left_out["active_loop"]} if left_out else None
    body: dict[str, Any] = {
        "conversation": "c0ffee", "message_id": str(len(turns)), "channel": "web", "text": text, "intent": None,
        "events": recall(state, [turn["events"] for turn in turns[-TURNS_KEPT:]]), "metadata": {},
    }  # fmt: skip
    begun = time.process_time()
    outcome = await step(processor, StepRequest.from_json(body))
    return time.process_time() - begun, outcome


def main() -> int:
    """Measure and print; 1 where the late turn costs too much."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.length", description=__doc__)
    parser.add_argument("--model", type=Path, help="a trained model; else the project's own, trained if need be")
    given: Path | None = parser.parse_args().model
    models = _ROOT / "var" / "models"
    model = given or asyncio.run(train(_ROOT, models, lambda _: None)).path
    from bot.engine import without_tensorflow

    without_tensorflow.install()
    from bot.engine import logs

    logs.configure(logging.ERROR)
    first, late = asyncio.run(measure(model))
    print(f"turn 1: {first:.2f} ms CPU, turn {TURNS}: {late:.2f} ms, {late / first:.2f} times (at most {MOST})")
    return int(late > MOST * first)


if __name__ == "__main__":
    sys.exit(main())
