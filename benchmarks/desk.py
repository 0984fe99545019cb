"""How long an agent's reply takes from Slack's event to the call of the customer's channel: the part that is ours.

The whole service runs as a program of its own, with a Slack and a Telegram on this machine that answer at once.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from bot.trainer.training import train
from tests.fakes.slack_api import QUEUE, TEAM
from tests.flow.house import House, open_house, until

_ROOT = Path(__file__).parents[1]
#: Milliseconds.
TARGETS = {"p50": 100.0, "p99": 500.0}
#: A target that is missed by this much is a fault, whatever the machine does beside.
FAR = 3.0
#: Seconds in which a reply has to arrive at all.
_PATIENCE = 30.0
ALICE = "U0ALICE"


class Watch:
    """Notes when each text arrives at Telegram."""

    def __init__(self, house: House) -> None:
        """Listen to the calls of the Bot API."""
        self._arrivals: dict[str, asyncio.Future[float]] = {}
        self._call = house.telegram.call
        house.telegram.call = self._noted  # type: ignore[method-assign]

    def expect(self, text: str) -> asyncio.Future[float]:
        """Return what will hold the moment at which that text arrives."""
        self._arrivals[text] = asyncio.get_running_loop().create_future()
        return self._arrivals[text]

    async def _noted(self, method: str, parameters: dict[str, Any]) -> object:
        arrival = self._arrivals.pop(str(parameters.get("text")), None) if method == "sendMessage" else None
        if arrival is not None:
            arrival.set_result(time.perf_counter())
        return await self._call(method, parameters)


async def _open_tickets(house: House, count: int) -> list[str]:
    """Let customers ask for a person, and return the threads of their tickets."""
    for number in range(1, count + 1):
        house.telegram.customer(number)
        person = {"id": number, "type": "private", "is_bot": False, "first_name": f"Customer {number}"}
        message = {"message_id": number, "date": int(time.time()), "chat": person, "from": person}
        update = {"update_id": number, "message": {**message, "text": "I want to talk to a person"}}
        (await house.telegram_says(json.dumps(update).encode())).raise_for_status()
    query = "SELECT desk_reference FROM tickets WHERE desk_reference IS NOT NULL"
    async with asyncio.timeout(_PATIENCE + 3 * count):
        while len(house.rows(query)) < count:  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(0.1)
    return [str(reference).rpartition(":")[2] for (reference,) in house.rows(query)]


async def _reply(house: House, watch: Watch, thread: str, text: str) -> float:
    """Write a reply in a thread and return the milliseconds until it was at Telegram."""
    slack, ts = house.slack, house.slack.next_ts()
    message = {"type": "message", "user": ALICE, "team": TEAM, "text": f"&gt; {text}", "ts": ts, "thread_ts": thread}
    slack.messages.append({**message, "channel": QUEUE})
    raw, headers = slack.signed(slack.event({**message, "channel": QUEUE, "event_ts": ts}))
    arrival = watch.expect(text)
    began = time.perf_counter()
    (await house.post("/slack/events", raw, headers)).raise_for_status()
    async with asyncio.timeout(_PATIENCE):
        return (await arrival - began) * 1000


async def _measure(house: House, chosen: argparse.Namespace) -> list[float]:
    threads = await _open_tickets(house, chosen.at_once)
    watch, numbers, waits = Watch(house), itertools.count(1), list[float]()

    async def agent(thread: str, count: int) -> list[float]:
        return [await _reply(house, watch, thread, f"reply {next(numbers)}") for _ in range(count)]

    # The first reply claims the ticket, and makes what is made once.
    await asyncio.gather(*(agent(thread, 2) for thread in threads))
    for found in await asyncio.gather(*(agent(thread, chosen.replies // len(threads)) for thread in threads)):
        waits += found
    await until(lambda: house.rows("SELECT count(*) FROM inbox WHERE state = 'pending'") == [(0,)])
    return waits


async def _run(chosen: argparse.Namespace) -> list[float]:
    trained = await train(_ROOT, _ROOT / "var" / "bench" / "models", lambda _: None)
    with tempfile.TemporaryDirectory() as folder:
        async with open_house(Path(folder), trained.path) as house:
            return await _measure(house, chosen)


def _report(waits: list[float], at_once: int) -> bool:
    """Print the figures and return whether none is missed by far."""
    cuts = statistics.quantiles(waits, n=100)
    figures = {"p50": cuts[49], "p99": cuts[98]}
    print(f"{len(waits)} replies of agents, {at_once} at once, from Slack's event to the call of Telegram:")
    for name, figure in figures.items():
        mark = "" if figure <= TARGETS[name] else "  missed"
        print(f"| {name} | {figure:6.1f} ms | target ≤ {TARGETS[name]:.0f} ms |{mark}")
    return all(figure <= FAR * TARGETS[name] for name, figure in figures.items())


def main() -> int:
    """Measure and report; return 1 where a target is missed by far."""
    parser = argparse.ArgumentParser(description="Measure how fast agents' replies leave.")
    parser.add_argument("--replies", type=int, default=400)
    parser.add_argument("--at-once", type=int, default=4, help="agents who write at the same time")
    chosen = parser.parse_args()
    others = psutil.cpu_percent(interval=2.0)
    if others > 20:
        print(f"This machine is {others:.0f} % busy with something else: the figures will be worse than they could be.")
    return 0 if _report(asyncio.run(_run(chosen)), chosen.at_once) else 1


if __name__ == "__main__":
    sys.exit(main())
