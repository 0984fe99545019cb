from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from random import Random

from bot.web.holding import Holding
from tests.web.test_serving import connected, echoing, is_answered

UNFINISHED = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + b"a" * 60_000


def test_all_together_hold_no_more_than_the_limit() -> None:
    """However bytes come and go, what is held stays within the limit, and only the largest has to make room."""
    dice, holding, held = Random(7), Holding[int](1_000), dict[int, int]()
    for _ in range(5_000):
        who, count = dice.randrange(20), dice.randrange(200)
        if dice.random() < 0.2:
            holding.release(who)
            held.pop(who, None)
            continue
        held[who] = held.get(who, 0) + count
        largest = holding.take(who, count)
        assert (largest is None) == (sum(held.values()) <= 1_000)
        if largest is not None:
            assert held[largest] == max(held.values())
            del held[largest]
        assert sum(held.values()) <= 1_000


async def test_unfinished_requests_cannot_fill_the_memory() -> None:
    """Who sends large requests and never ends them is cut off, and small requests are answered all the while."""
    async with echoing() as (app, port), AsyncExitStack() as stack, asyncio.timeout(10):
        app.ctx.holding = Holding(200_000)
        hoarders = [await stack.enter_async_context(connected(port)) for _ in range(8)]
        for _, writer in hoarders:
            writer.write(UNFINISHED)
            await writer.drain()
            async with connected(port) as (asking, asked):
                assert await is_answered(asking, asked)
        ended = [asyncio.create_task(reader.read()) for reader, _ in hoarders]
        done, _ = await asyncio.wait(ended, timeout=0.2)
        assert len(done) >= 5
