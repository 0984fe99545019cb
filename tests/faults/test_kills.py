from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.judging import Tell, judge
from tests.faults.running import Forked, Program
from tests.faults.scene import Scene, Stage, playing

#: Of the kills of a process that runs engines, those that strike the engine.
ENGINES = 0.3
#: Seconds between two kills at most: of one program, which needs as long to start, and of one among several. After so
#: many kills all has to go well before the next.
ALONE_WITHIN, AMONG_OTHERS_WITHIN, RECOVERS_EVERY = 0.8, 0.4, 10
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
@pytest.mark.postgres
@pytest.mark.timeout(600)
async def test_twenty_kills_on_postgresql(
    tmp_path: Path, postgres_url: str, model: Path, seed: int, tell: Tell
) -> None:
    """Twenty kills of a web process, two workers and their engines lose nothing, double nothing and keep the order."""
    stage = Stage(
        folder=tmp_path, database_url=postgres_url, model=model, seed=seed, commands=("web", "worker", "worker")
    )
    async with playing(stage) as scene:
        await strike_often(scene, 20, lambda _: anybody(scene))
        await judge(scene, seed, tell)


def anybody(scene: Scene) -> tuple[Program, bool]:
    """Return a program, and whether its engine is meant."""
    program = scene.dice.choice(scene.programs)
    return program, program.command != "web" and scene.dice.random() < ENGINES


async def strike_fast(scene: Scene, times: int) -> None:
    """Kill so often, mostly without a look whether the kill before is overcome: many fall into a start."""
    within = ALONE_WITHIN if len(scene.programs) == 1 else AMONG_OTHERS_WITHIN
    for number in range(1, times + 1):
        program, is_engine = anybody(scene)
        blow = await scene.strike(program, is_engine=is_engine, within=within)
        if number % RECOVERS_EVERY == 0:
            await scene.recover(blow)


def stage_of(folder: Path, url: str, seed: int) -> Stage:
    """Return a stage whose programs start at once: all in one on SQLite, else a web process and three workers."""
    model = folder / "no-model.tar.gz"
    model.touch()
    commands = ("run",) if url.startswith("sqlite") else ("web", "worker", "worker", "worker")
    return Stage(folder=folder, database_url=url, model=model, seed=seed, commands=commands, kind=Forked)


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.timeout(300)
async def test_twelve_quick_kills_on_postgresql(tmp_path: Path, postgres_url: str, seed: int, tell: Tell) -> None:
    """Twelve kills in quick succession do no more harm than slow ones."""
    async with playing(stage_of(tmp_path, postgres_url, seed)) as scene:
        await strike_fast(scene, 12)
        await judge(scene, seed, tell)


@pytest.mark.faults
@pytest.mark.timeout(1800)
async def test_a_thousand_kills(tmp_path: Path, database_url: str, seed: int, tell: Tell) -> None:
    """A thousand kills of all processes under load, on either database, lose nothing, double nothing, keep the order.

    The programs are the real ones; they are forked instead of started, and their engine only repeats the question.
    """
    async with playing(stage_of(tmp_path, database_url, seed)) as scene:
        await strike_fast(scene, 1_000)
        await judge(scene, seed, tell)
