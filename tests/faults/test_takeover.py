"""One of several workers dies or stands still, with messages in work: how soon the others have them."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.faults.judging import Tell, judge
from tests.faults.running import Program
from tests.faults.scene import Scene, playing
from tests.faults.test_kills import stage_of

#: Seconds within which others have taken what was in work: the goal, and what a machine full of other tests may take.
GOAL, WITHIN_AT_WORST = 2.0, 4.0
_IN_WORK = "SELECT id, lease FROM inbox WHERE state = 'claimed'"
#: Seconds for which a worker stands still.
_STANDS_STILL = 4.0


@contextmanager
def looking(url: str) -> Iterator[psycopg.Connection[tuple[int, str]]]:
    """Look at the database of that URL."""
    folder = url.partition("?host=")[2].replace("%2F", "/")
    name = url.partition("?")[0].rpartition("/")[2]
    with psycopg.connect(host=folder, user="postgres", dbname=name, autocommit=True) as connection:
        yield connection


async def take_over(scene: Scene, victim: Program, how: signal.Signals) -> float | None:
    """Strike a worker; return the seconds until others have what it had in work, none if that was nothing."""
    others = [program for program in scene.programs if program is not victim]
    released_count = sum(len(program.logged("row_released")) for program in others)
    with looking(scene.database_url) as database:
        while len(signatures(database)) < len(scene.programs[1:]):  # noqa: ASYNC110 - other processes tell nothing
            await asyncio.sleep(0.02)
        victim.kill(how)
        began, theirs = time.monotonic(), set(database.execute(_IN_WORK).fetchall())
        while theirs & set(database.execute(_IN_WORK).fetchall()):
            assert time.monotonic() - began < _STANDS_STILL * 3, "nobody takes over"
            await asyncio.sleep(0.02)
        took = time.monotonic() - began
    if how is signal.SIGSTOP:
        await asyncio.sleep(max(0.0, _STANDS_STILL - took))
        victim.kill(signal.SIGCONT)
    is_taken_over = sum(len(program.logged("row_released")) for program in others) > released_count
    return took if is_taken_over else None


def signatures(database: psycopg.Connection[tuple[int, str]]) -> set[str]:
    """Return who has messages in work."""
    return {lease[:16] for _, lease in database.execute(_IN_WORK)}


@pytest.mark.faults
@pytest.mark.postgres
@pytest.mark.timeout(300)
async def test_others_take_over(tmp_path: Path, postgres_url: str, seed: int, tell: Tell) -> None:
    """What a killed or stopped worker had in work is with another one within two seconds, on one host."""
    async with playing(stage_of(tmp_path, postgres_url, seed)) as scene:
        # Turns take a second, so that there is always something in work.
        for program in scene.programs[1:]:
            (program.state_dir / "run" / "mood").write_text("slow")
        took: dict[str, list[float]] = {"SIGSTOP": [], "SIGKILL": []}
        while min(map(len, took.values())) < 2:
            how = signal.SIGKILL if len(took["SIGKILL"]) < len(took["SIGSTOP"]) else signal.SIGSTOP
            await scene.until_ready()
            await scene.answers(3)
            found = await take_over(scene, scene.dice.choice(scene.programs[1:]), how)
            took[how.name] += [found] if found is not None else []
            scene.stop_count += 1
        for program in scene.programs[1:]:
            (program.state_dir / "run" / "mood").unlink()
        told = "; ".join(
            f"after {how} {', '.join(f'{each:.1f}' for each in each_took)} s" for how, each_took in took.items()
        )
        tell(f"taken over {told}; the goal is {GOAL} s")
        await judge(scene, seed, tell)
        assert max(each for each_took in took.values() for each in each_took) < WITHIN_AT_WORST
