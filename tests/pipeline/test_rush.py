from __future__ import annotations

import asyncio

from bot.pipeline.rush import Rush


async def test_at_rest() -> None:
    """While nothing is being taken in nobody waits."""
    async with asyncio.timeout(0.5):
        await Rush().over(10)


async def test_waits_for_the_last() -> None:
    """What can wait waits until the last of what is being taken in is done, however it ends."""
    rush, order = Rush(), list[str]()

    async def take(name: str, done: asyncio.Event) -> None:
        try:
            with rush:
                await done.wait()
                order.append(name)
                raise ValueError(name)
        except ValueError:
            return

    first, second = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(take("first", first))
        tasks.create_task(take("second", second))
        await asyncio.sleep(0)
        waiting = tasks.create_task(rush.over(10))
        first.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not waiting.done()
        second.set()
        await waiting
        order.append("the rest")
    assert order == ["first", "second", "the rest"]


async def test_nobody_waits_for_ever() -> None:
    """Under a load without end what can wait goes on after its time."""
    rush = Rush()
    with rush:
        async with asyncio.timeout(5):
            await rush.over(0.01)
