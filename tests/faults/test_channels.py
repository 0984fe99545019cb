"""Channels that refuse, break off and hang, while the service works."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from bot.domain.connectors import Ambiguous, Sent
from simulator.discord_values import Fault as DiscordFault
from simulator.graph import Fault as GraphFault
from simulator.line import Fault as LineFault
from simulator.telegram_values import Fault
from tests.connectors.discord import bench as discord
from tests.connectors.line import bench as line
from tests.connectors.meta import bench as meta
from tests.connectors.telegram import bench as telegram
from tests.faults.judging import Tell, judge
from tests.faults.running import Forked
from tests.faults.scene import Stage, playing

#: Of the calls in bad weather, those that go wrong; and for how many answers the weather lasts.
BAD, ANSWERS = 0.15, 60


def any_fault(dice: random.Random) -> Fault:
    """Return what may become of a call to Telegram."""
    method = "sendMessage"
    return dice.choice(
        (
            Fault(method=method, code=429, description="Too Many Requests", retry_after=1),
            Fault(method=method, code=dice.choice((500, 502, 503, 504))),
            Fault(method=method, cut_after=0),
            Fault(method=method, is_done=True, cut_after=dice.randrange(400)),
        )
    )


@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_a_channel_in_bad_weather(tmp_path: Path, seed: int, tell: Tell) -> None:
    """Telegram refuses, breaks off and is away for a while: what is in doubt is held, and nothing is seen twice."""
    model = tmp_path / "no-model.tar.gz"
    model.touch()
    url = f"sqlite:///{tmp_path / 'tandem.db'}"
    stage = Stage(
        folder=tmp_path, database_url=url, model=model, seed=seed, kind=Forked, web_count=2, telegram_count=12
    )
    dice = random.Random(seed)
    async with playing(stage) as scene:
        chance, is_away, doubt_count = BAD, False, 0
        ordinary = scene.telegram.fault_of

        def fault_of(method: str) -> Fault | None:
            nonlocal doubt_count
            if method != "sendMessage" or (not is_away and dice.random() >= chance):
                return ordinary(method)
            fault = Fault(method=method, cut_after=0) if is_away else any_fault(dice)
            doubt_count += fault.cut_after is not None
            return fault

        scene.telegram.fault_of = fault_of  # type: ignore[method-assign]
        await scene.answers(ANSWERS)
        is_away = True
        before = doubt_count
        await asyncio.sleep(20)
        is_away, in_outage, chance = False, doubt_count - before, 0.0
        await scene.answers(20)
        await judge(scene, seed, tell)
        tell(f"{doubt_count} calls in doubt, {in_outage} of them in an outage of 20 s")
        assert in_outage <= 12
        opened = [entry for entry in scene.programs[0].logged("breaker_open") if "telegram" in str(entry["what"])]
        assert opened


def _cut_discord(stand: discord.Bench, cut_after: int) -> None:
    stand.discord.fail(DiscordFault(call="POST messages", is_done=True, cut_after=cut_after))


def _cut_line(stand: line.Bench, cut_after: int) -> None:
    stand.line.fail(LineFault(call="push", is_done=True, cut_after=cut_after))


def _cut_meta(stand: meta.Bench, cut_after: int) -> None:
    stand.graph.fail(GraphFault(is_done=True, cut_after=cut_after))


def _cut_telegram(stand: telegram.Bench, cut_after: int) -> None:
    stand.telegram.fail(Fault(method="sendMessage", is_done=True, cut_after=cut_after))


#: Of each channel, what its tests stand on, and what cuts its next answer.
STANDS: dict[str, tuple[Callable[[], AbstractAsyncContextManager[Any]], Callable[[Any, int], None]]] = {
    "telegram": (telegram.bench, _cut_telegram),
    "messenger": (lambda: meta.bench("messenger"), _cut_meta),
    "instagram": (lambda: meta.bench("instagram"), _cut_meta),
    "whatsapp": (lambda: meta.bench("whatsapp"), _cut_meta),
    "discord": (discord.bench, _cut_discord),
    "line": (line.bench, _cut_line),
}
#: Bytes of the longest answer, head and all.
LONGEST = 500


@pytest.mark.faults
@pytest.mark.timeout(300)
@pytest.mark.parametrize("channel", STANDS)
async def test_an_answer_cut_at_every_byte(channel: str) -> None:
    """A message the customer has is never taken for one that did not leave: it is sent, or in doubt."""
    bench, cut = STANDS[channel]
    results = []
    async with bench() as stand:
        for cut_after in range(LONGEST):
            cut(stand, cut_after)
            results.append(await stand.connector.send(stand.text(f"message {cut_after}"), f"key {cut_after}"))
        assert len(stand.jane.seen) == LONGEST
    assert isinstance(results[0], Ambiguous)
    # Once the whole answer comes, every message counts as sent.
    first_sent = next((n for n, result in enumerate(results) if isinstance(result, Sent)), LONGEST)
    assert {type(result) for result in results[:first_sent]} == {Ambiguous}
    assert {type(result) for result in results[first_sent:]} <= {Sent}
