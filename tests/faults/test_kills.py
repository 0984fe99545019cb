from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.judging import Tell, judge
from tests.faults.running import Program
from tests.faults.scene import Scene, Stage, playing

#: Of the kills, those that do not wait until the one before is overcome.
_HASTE = 0.2


async def strike_often(scene: Scene, times: int, choose: Callable[[int], tuple[Program, bool]]) -> None:
    """Kill so often whom `choose` names, mostly after all went well again, sometimes in the midst of a start."""
    for number in range(times):
        program, is_engine = choose(number)
        blow = await scene.strike(program, is_engine=is_engine)
        if scene.dice.random() >= _HASTE or number == times - 1:
            await scene.recover(blow)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_few_kills_on_sqlite(tmp_path: Path, model: Path, seed: int, tell: Tell) -> None:
    """Six kills of service and engine under load lose nothing, double nothing and keep the order."""
    stage = Stage(folder=tmp_path, database_url=f"sqlite:///{tmp_path / 'tandem.db'}", model=model, seed=seed)
    async with playing(stage) as scene:
        await strike_often(scene, 6, lambda number: (scene.programs[0], number % 2 == 1))
        await judge(scene, seed, tell)


@pytest.mark.faults
@pytest.mark.timeout(900)
async def test_many_kills_on_sqlite(tmp_path: Path, model: Path, seed: int, tell: Tell) -> None:
    """Fifty kills of service and engine under load lose nothing, double nothing and keep the order."""
    stage = Stage(folder=tmp_path, database_url=f"sqlite:///{tmp_path / 'tandem.db'}", model=model, seed=seed)
    async with playing(stage) as scene:
        await strike_often(scene, 50, lambda _: (scene.programs[0], scene.dice.random() < 0.4))
        await judge(scene, seed, tell)


@pytest.mark.faults
@pytest.mark.postgres
@pytest.mark.timeout(900)
async def test_many_kills_on_postgresql(tmp_path: Path, postgres_url: str, model: Path, seed: int, tell: Tell) -> None:
    """Fifty kills of a web process, two workers and their engines lose nothing, double nothing and keep the order."""
    commands = ("web", "worker", "worker")
    stage = Stage(folder=tmp_path, database_url=postgres_url, model=model, seed=seed, commands=commands)
    async with playing(stage) as scene:

        def choose(_: int) -> tuple[Program, bool]:
            program = scene.dice.choice(scene.programs)
            return program, program.command == "worker" and scene.dice.random() < 0.4

        await strike_often(scene, 50, choose)
        await judge(scene, seed, tell)
