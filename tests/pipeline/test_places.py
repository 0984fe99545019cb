from __future__ import annotations

import pytest

from bot.domain.acts import Claim
from bot.pipeline.places import TOLD_EVERY, is_much_better
from tests.pipeline.rig import SAM, Rig, handoff

NAMES = ("ann", "bob", "cem", "dee")


@pytest.fixture
async def queued(rig: Rig) -> Rig:
    """Return the pipeline with four customers in the queue, the last of them Dee."""
    rig.engine.by_text["person please"] = handoff("I'll ask a colleague.")
    for name in NAMES:
        await rig.writes("person please", name)
    await rig.sweep()
    return rig


async def take(rig: Rig, *names: str) -> None:
    """Let Sam take these customers, and the worker look around."""
    for name in names:
        await rig.act(Claim(), SAM, customer=name)
    await rig.sweep()
    await rig.settle()


async def test_who_comes_forward_is_told(queued: Rig) -> None:
    """Half as far, or next: each is told once, and not again while nothing changes."""
    seen = len(queued.seen("dee"))
    queued.clock.pass_(minutes=10)
    await take(queued, "ann", "bob")
    assert [text.split(".")[0] for text in queued.seen("dee")[seen:]] == ["You're number 2 in line"]
    await take(queued)
    queued.clock.pass_(minutes=10)
    await take(queued, "cem")
    assert [text.split(".")[0] for text in queued.seen("dee")[seen + 1 :]] == ["You're next in line"]


async def test_nobody_is_told_too_often(queued: Rig) -> None:
    """However fast the queue moves, ten minutes lie between two messages that nobody asked for."""
    seen = len(queued.seen("dee"))
    queued.clock.pass_(seconds=TOLD_EVERY.total_seconds() - 1)
    await take(queued, "ann", "bob", "cem")
    assert len(queued.seen("dee")) == seen
    queued.clock.pass_(seconds=1)
    await take(queued)
    assert len(queued.seen("dee")) == seen + 1


async def test_who_asks_is_told_at_once(queued: Rig) -> None:
    """Whoever asks for a person again hears their place, however lately they did before."""
    seen = len(queued.seen("dee"))
    await queued.writes("person please", "dee")
    await queued.writes("person please", "dee")
    assert len(queued.seen("dee")) == seen + 2


@pytest.mark.parametrize(
    ("place", "told", "is_news"), [(1, 2, True), (2, 4, True), (3, 4, False), (4, 4, False), (5, 4, False)]
)
def test_what_is_news(place: int, told: int, is_news: bool) -> None:
    """A step forward is none, half the way is; a step back is never said."""
    assert is_much_better(place, told) is is_news
