from __future__ import annotations

from connectors.pace import Pace


async def test_calls_are_spread() -> None:
    """So many go at once, then one each so often; after a pause as many may go at once again."""
    now, made = [100.0], list[float]()

    async def sleep(seconds: float) -> None:
        now[0] += seconds

    pace = Pace(3, 0.5, sleep, lambda: now[0])
    for _ in range(6):
        await pace.wait()
        made.append(now[0])
    now[0] += 60
    for _ in range(4):
        await pace.wait()
        made.append(now[0] - 160)

    assert made == [100, 100, 100, 100.5, 101, 101.5, 1.5, 1.5, 1.5, 2.0]
