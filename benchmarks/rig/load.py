"""Calls a webhook at a steady pace, in a process of its own, and says how long each acknowledgement took.

Messages leave by the clock, whether or not the ones before were acknowledged, and are timed from the moment at which
they were due: a service that falls behind cannot hide it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import Counter

import aiohttp
import uvloop

from benchmarks.rig.channels import SECRET

#: Customers who write in turn.
_CUSTOMERS = 500
_CONNECTIONS = 64
_GIVES_UP_AFTER = 60.0
#: Distinguishes the updates of one round from those of the others.
_FIRST = time.time_ns() // 1_000_000 % 1_000_000_000 * 1_000


def _update(number: int) -> bytes:
    customer = 1 + number % _CUSTOMERS
    chat = {"id": customer, "type": "private", "first_name": "Customer"}
    message = {
        "message_id": number,
        "date": int(time.time()),
        "chat": chat,
        "from": chat,
        "text": "are you open on sunday?",
    }
    return json.dumps({"update_id": number, "message": message}).encode()


async def _send(session: aiohttp.ClientSession, url: str, number: int, due: float) -> tuple[float, str]:
    headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET, "Content-Type": "application/json"}
    try:
        async with session.post(url, data=_update(number), headers=headers) as answer:
            await answer.read()
            return time.perf_counter() - due, str(answer.status)
    except (aiohttp.ClientError, TimeoutError) as error:
        return time.perf_counter() - due, type(error).__name__


async def load(url: str, rate: int, seconds: float) -> dict[str, object]:
    """Send `rate` messages a second for so many seconds; return seconds per acknowledgement, and what was answered."""
    timeout = aiohttp.ClientTimeout(total=_GIVES_UP_AFTER)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=_CONNECTIONS), timeout=timeout) as session:
        began, sending = time.perf_counter() + 0.1, list[asyncio.Task[tuple[float, str]]]()
        for number in range(int(rate * seconds)):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            sending.append(asyncio.create_task(_send(session, url, _FIRST + number, due)))
        done = await asyncio.gather(*sending)
    statuses = Counter(status for _, status in done)
    return {"waits": [wait for wait, status in done if status == "200"], "statuses": statuses}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("rate", type=int)
    parser.add_argument("seconds", type=float)
    chosen = parser.parse_args()
    json.dump(uvloop.run(load(chosen.url, chosen.rate, chosen.seconds)), sys.stdout)
