from __future__ import annotations

from bot.domain.errors import EngineUnavailableError, TurnFailedError
from bot.pipeline import phrases
from tests.pipeline.rig import Rig


async def test_an_outage_counts_for_nothing_against_a_message(rig: Rig) -> None:
    """A turn that fails once after many attempts that found no engine is tried again, as often as any other."""
    rig.engine.broken = EngineUnavailableError()
    await rig.writes("hello")
    await rig.wait_out(minutes=2)
    assert len(rig.engine.requests) > 3
    rig.engine.broken = TurnFailedError("502 action_failed")
    before = len(rig.engine.requests)
    while len(rig.engine.requests) == before:
        await rig.wait_out(minutes=0.1)
    rig.engine.broken = None
    await rig.wait_out(minutes=1)
    assert rig.seen()[-1] == "re: hello"
    assert await rig.ticket_count() == 0


async def test_failures_count_for_nothing_against_the_patience_with_an_outage(rig: Rig) -> None:
    """A message that failed twice waits out an engine's restart like any other, and has its third attempt."""
    rig.engine.by_text["hello"] = TurnFailedError("502 action_failed")
    await rig.writes("hello")
    while len(rig.engine.requests) < 2:
        await rig.wait_out(minutes=0.05)
    rig.engine.by_text["hello"] = EngineUnavailableError()
    await rig.wait_out(minutes=1)
    assert await rig.ticket_count() == 0
    rig.engine.by_text["hello"] = TurnFailedError("502 action_failed")
    await rig.wait_out(minutes=1)
    assert rig.seen()[-1] == phrases.ENGINE_FAILED
    assert await rig.ticket_count() == 1
