from __future__ import annotations

import signal
from pathlib import Path

import pytest

from bot.pipeline import phrases
from tests.faults.judging import Tell, judge
from tests.faults.scene import Scene, Stage, playing

#: Questions that may be in work at three of twenty kills by chance and are taken for their cause; 0 or 1 is usual.
BLAMED_MOST = 3


def left_to_people(scene: Scene) -> int:
    """Return how many questions were, which their customers were told, or not answered at all."""
    told = [shown.text for shown in scene.history.shown].count(phrases.ENGINE_FAILED)
    return max(told, len(scene.history.unanswered()))


@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_an_engine_killed_twenty_times(tmp_path: Path, model: Path, seed: int, tell: Tell) -> None:
    """Customers wait for the next engine, and the bot answers them all, but for few that three kills met by chance."""
    stage = Stage(folder=tmp_path, database_url=f"sqlite:///{tmp_path / 'tandem.db'}", model=model, seed=seed)
    async with playing(stage) as scene:
        for _ in range(20):
            await scene.recover(await scene.strike(scene.programs[0], is_engine=True))
        await judge(scene, seed, tell)
        assert left_to_people(scene) <= BLAMED_MOST
        assert len(scene.programs[0].started) == 1


@pytest.mark.faults
@pytest.mark.timeout(180)
async def test_an_engine_that_hangs_is_replaced(tmp_path: Path, model: Path, seed: int, tell: Tell) -> None:
    """An engine that neither works nor ends is killed, and its turns are taken by another one."""
    stage = Stage(folder=tmp_path, database_url=f"sqlite:///{tmp_path / 'tandem.db'}", model=model, seed=seed)
    async with playing(stage) as scene:
        await scene.answers(10)
        (engine,) = scene.programs[0].engines()
        engine.send_signal(signal.SIGSTOP)
        await scene.answers(30)
        assert not engine.is_running()
        assert len(scene.programs[0].logged("engine_hangs")) == 1
        await judge(scene, seed, tell)
        assert left_to_people(scene) == 0
