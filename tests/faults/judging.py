"""The end of every fault test."""

from __future__ import annotations

from collections.abc import Callable

from tests.faults.scene import Scene

#: Puts a line below the test run.
Tell = Callable[[str], None]


async def judge(scene: Scene, seed: int, tell: Tell) -> None:
    """Let everything end, tell the figures, and find nothing wrong."""
    drained = await scene.drain()
    line = f"seed {seed}: {scene.figures()}; drained in {drained:.1f} s"
    tell(line)
    assert scene.verdict().is_clean, line
    assert not scene.doubled_echoes(), line
    assert not scene.telegram.waiting(), line
    for program in scene.programs:
        blow_count = sum(blow.victim == program.command for blow in scene.blows)
        assert len(program.started) <= blow_count + 1 + scene.stop_count, f"{scene.last_words()}; {line}"
