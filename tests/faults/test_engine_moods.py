"""An engine that is slow, hangs, lies or fails, and is well again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.faults.judging import Tell, judge
from tests.faults.running import Forked
from tests.faults.scene import Scene, Stage, playing

#: Seconds for which each mood lasts, and after which a turn is given up.
LASTS, TIMEOUT = 8.0, 2.0
CUSTOMERS = 10


async def endure(scene: Scene, mood: str) -> None:
    """Let the engine be in a mood for a while."""
    path = scene.programs[0].state_dir / "run" / "mood"
    path.write_text(mood)
    await asyncio.sleep(LASTS)
    path.unlink()
    await scene.answers(5)


@pytest.mark.faults
@pytest.mark.timeout(300)
async def test_an_engine_in_every_mood(tmp_path: Path, seed: int, tell: Tell) -> None:
    """What it gives no turn for ends with people, and nothing else does; one that hangs is left alone."""
    model = tmp_path / "no-model.tar.gz"
    model.touch()
    url = f"sqlite:///{tmp_path / 'tandem.db'}"
    environ = {"TANDEM_ENGINE__TIMEOUT": str(TIMEOUT)}
    stage = Stage(folder=tmp_path, database_url=url, model=model, seed=seed, kind=Forked, environ=environ)
    async with playing(stage) as scene:
        program = scene.programs[0]
        for mood in ("slow", "lies", "fails"):
            await endure(scene, mood)
        assert not [entry for entry in program.logged("breaker_open") if "ended" not in str(entry["reason"])]
        asked_count = len(program.logged("turn_failed"))
        await endure(scene, "hangs")
        # Ten customers: without a breaker each would have had one turn after the other run into its timeout.
        failed = program.logged("turn_failed")[asked_count:]
        hung = [entry for entry in failed if str(entry["error"]).startswith("the engine did not answer")]
        tell(f"{len(hung)} turns ran into their timeout in {LASTS:.0f} s, {len(failed) - len(hung)} were spared it")
        assert len(hung) <= CUSTOMERS + 2 + LASTS / TIMEOUT < len(failed)
        assert program.logged("breaker_open")[-1]["what"] == "engine"
        await judge(scene, seed, tell)
        assert len(program.lives() if isinstance(program, Forked) else ()) == 1
