"""A disk that fails now and then, and a database that somebody else holds."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pysqlite3.dbapi2
import pytest

from tests.faults.judging import Tell, judge
from tests.faults.running import Forked
from tests.faults.scene import Stage, playing

#: Of the system calls that bring something to the disk, of each thread, every so many fail.
EVERY = 41
FAILURES = {
    "a sync that fails": ("fsync,fdatasync", "EIO"),
    "a write that fails": ("pwrite64", "EIO"),
    "a write for which there is no room": ("pwrite64", "ENOSPC"),
}


def stage_of(folder: Path, seed: int) -> Stage:
    """Return a stage on SQLite."""
    model = folder / "no-model.tar.gz"
    model.touch()
    url = f"sqlite:///{folder / 'tandem.db'}"
    return Stage(folder=folder, database_url=url, model=model, seed=seed, kind=Forked)


@pytest.mark.faults
@pytest.mark.timeout(300)
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace makes system calls fail")
@pytest.mark.parametrize("what", FAILURES)
async def test_a_disk_that_fails_now_and_then(tmp_path: Path, seed: int, tell: Tell, what: str) -> None:
    """What could not be written was not acknowledged, and what was acknowledged is there."""
    calls, error = FAILURES[what]
    rule = f"{calls}:error={error}:when={EVERY}+{EVERY}"
    trace = ("strace", "-f", "-qqq", "-o", str(tmp_path / "calls"), "-e", f"trace={calls}", "-e", f"inject={rule}")
    async with playing(stage_of(tmp_path, seed)) as scene:
        program = scene.programs[0]
        assert isinstance(program, Forked)
        tracing = await asyncio.create_subprocess_exec(*trace, "-p", str(program.lives()[-1]))
        await scene.answers(150)
        tracing.terminate()
        await tracing.wait()
        await judge(scene, seed, tell)
        failed_count = (tmp_path / "calls").read_text().count("(INJECTED)")
        tell(f"{failed_count} calls failed; customers' calls were answered {dict(scene.street.statuses)}")
        assert failed_count > 5
        assert len(program.lives()) == 1


@pytest.mark.faults
@pytest.mark.timeout(300)
async def test_a_database_that_somebody_else_holds(tmp_path: Path, seed: int, tell: Tell) -> None:
    """For half a minute nothing can be written: customers are refused, not deceived, and all goes on afterwards."""
    async with playing(stage_of(tmp_path, seed)) as scene:
        await scene.answers(10)
        holder = pysqlite3.dbapi2.connect(tmp_path / "tandem.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        await asyncio.sleep(30)
        refused_count = scene.street.statuses[503]
        holder.execute("COMMIT")
        holder.close()
        await scene.answers(20)
        await judge(scene, seed, tell)
        tell(f"{refused_count} calls were refused while it was held")
        assert refused_count
        assert scene.programs[0].logged("breaker_open")[-1]["what"] == "database"
