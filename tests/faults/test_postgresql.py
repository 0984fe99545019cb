"""PostgreSQL crashes under load, and connections break between a commit and its answer."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.judging import Tell, judge
from tests.faults.outcomes import counts
from tests.faults.postgres import breakable, cutting
from tests.faults.running import Forked
from tests.faults.scene import Stage, playing

COMMANDS = ("web", "worker", "worker")
#: That nobody hears of a commit.
CHANCE = 0.1


def stage_of(folder: Path, url: str, seed: int) -> Stage:
    """Return a stage whose programs start at once."""
    model = folder / "no-model.tar.gz"
    model.touch()
    return Stage(folder=folder, database_url=url, model=model, seed=seed, commands=COMMANDS, kind=Forked)


@pytest.mark.postgres
@pytest.mark.parametrize(
    "crash_count",
    [pytest.param(1, marks=pytest.mark.slow), pytest.param(20, marks=pytest.mark.faults)],
)
@pytest.mark.timeout(900)
async def test_the_server_crashes(tmp_path: Path, seed: int, tell: Tell, crash_count: int) -> None:
    """Every 5 to 15 seconds the server crashes; programs live through it, and nothing is lost, doubled or late."""
    dice = random.Random(seed)
    with breakable(dice) as (server, url):
        async with playing(stage_of(tmp_path, url, seed)) as scene:
            took = []
            for _ in range(crash_count):
                await asyncio.sleep(dice.uniform(5, 15) if crash_count > 2 else 1)
                await server.crash()
                back_at = time.monotonic()
                await scene.answers(1)
                took.append(time.monotonic() - back_at)
            await judge(scene, seed, tell)
            tell(f"{crash_count} crashes; the next answer came {max(took):.1f} s after one at the latest")
            assert [len(program.lives()) for program in scene.programs if isinstance(program, Forked)] == [1] * 3


@pytest.mark.postgres
@pytest.mark.parametrize(
    "cut_count",
    [pytest.param(12, marks=pytest.mark.slow), pytest.param(1_000, marks=pytest.mark.faults)],
)
@pytest.mark.timeout(900)
async def test_answers_to_commits_are_lost(
    tmp_path: Path, postgres_url: str, seed: int, tell: Tell, cut_count: int
) -> None:
    """Of many commits nobody hears whether they were made; what was made is found and not done again."""
    async with cutting(postgres_url, random.Random(seed), CHANCE) as (cutter, url):
        # Who judges is not cut off.
        stage = replace(stage_of(tmp_path, postgres_url, seed), environ={"TANDEM_SERVICE__DATABASE": url})
        async with playing(stage) as scene:
            while cutter.cut_count < cut_count:
                await scene.answers(5)
            await judge(scene, seed, tell)
            boxes = await asyncio.to_thread(counts, postgres_url)
            tell(f"{cutter.cut_count} of {cutter.commit_count} commits unheard of; {dict(boxes['outbox'])}")
