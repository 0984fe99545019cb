from __future__ import annotations

import asyncio
import shutil
import signal
import time
from pathlib import Path

import pytest

from bot.commands import models
from bot.settings import ServiceSettings, Settings
from bot.trainer import training
from tests.faults.judging import Tell, judge
from tests.faults.running import ROOT, Program
from tests.faults.scene import Scene, Stage, playing

#: Seconds that a deployment may wait for a process to end.
ENDS_WITHIN = 10.0


@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_ten_deployments(tmp_path: Path, model: Path, seed: int, tell: Tell) -> None:
    """A process that is asked to stop ends what it has begun, and leaves nothing claimed behind."""
    stage = Stage(folder=tmp_path, database_url=f"sqlite:///{tmp_path / 'tandem.db'}", model=model, seed=seed)
    async with playing(stage) as scene:
        program = scene.programs[0]
        slowest = 0.0
        for _ in range(10):
            await scene.answers(scene.dice.randint(5, 20))
            life, asked_at = program.life, time.monotonic()
            program.kill(signal.SIGTERM)
            scene.stop_count += 1
            assert await life.wait() == 0
            slowest = max(slowest, time.monotonic() - asked_at)
        await judge(scene, seed, tell)
        tell(f"10 deployments; a process ended within {slowest:.1f} s")
        assert slowest < ENDS_WITHIN
        assert not program.logged("row_released")
        assert not scene.history.unanswered()


@pytest.mark.faults
@pytest.mark.timeout(300)
async def test_models_are_exchanged_under_load(tmp_path: Path, model: Path, seed: int, tell: Tell) -> None:
    """Four promotions, one of a broken file, fail no turn; the broken one is refused and the old one goes on."""
    stage = Stage(folder=tmp_path, database_url=f"sqlite:///{tmp_path / 'tandem.db'}", model=None, seed=seed)
    folder = tmp_path / "run-0" / "models"
    folder.mkdir(parents=True)
    shutil.copy(model, training._path(folder, training._fingerprint(ROOT)))
    async with playing(stage) as scene:
        for number in range(3):
            shutil.copy(model, folder / f"next-{number}.tar.gz")
            await promote(scene, folder / f"next-{number}.tar.gz", "engine_swapped", number + 1)
        (folder / "broken.tar.gz").write_bytes(b"not a model")
        await promote(scene, folder / "broken.tar.gz", "model_refused", 1)
        await scene.answers(10)
        await judge(scene, seed, tell)
        program = scene.programs[0]
        assert not program.logged("turn_failed")
        assert not scene.history.unanswered()
        assert [engine.cmdline()[4].endswith("next-2.tar.gz") for engine in program.engines()] == [True]


async def promote(scene: Scene, path: Path, event: str, count: int) -> None:
    """Make a model the one in use as `python -m bot train` does, and wait until the service says what came of it."""
    program: Program = scene.programs[0]
    models._promote(Settings(service=ServiceSettings(state_dir=program.state_dir)), path)
    async with asyncio.timeout(60):
        while len(program.logged(event)) < count:  # noqa: ASYNC110 - other processes tell nothing
            await asyncio.sleep(0.2)
    await scene.answers(5)
