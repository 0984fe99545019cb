"""The machine's clock is set forward and back while everybody works."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.judging import Tell, judge
from tests.faults.running import Forked
from tests.faults.scene import Stage, playing

#: By how much the clock is wrong, one after the other: days, and what a bad answer of a time server makes.
JUMPS = ("+2d", "-2d", "+6m", "-6m", "+0")


def _library() -> Path | None:
    """Return where the library is that lies to programs about the time."""
    found = importlib.util.find_spec("libfaketime")
    if found is None or found.origin is None:
        return None
    return next(Path(found.origin).parent.glob("vendor/libfaketime/src/libfaketime.so*"), None)


@pytest.mark.faults
@pytest.mark.timeout(600)
@pytest.mark.skipif(_library() is None, reason="libfaketime sets a program's clock")
async def test_the_clock_jumps(tmp_path: Path, seed: int, tell: Tell) -> None:
    """On SQLite, where the clock is the machine's, nothing waits for days that have passed, and nothing comes early."""
    model, time = tmp_path / "no-model.tar.gz", tmp_path / "time"
    model.touch()
    time.write_text("+0")
    environ = {
        "LD_PRELOAD": str(_library()),
        "FAKETIME_TIMESTAMP_FILE": str(time),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    url = f"sqlite:///{tmp_path / 'tandem.db'}"
    stage = Stage(folder=tmp_path, database_url=url, model=model, seed=seed, kind=Forked)
    async with playing(replace(stage, environ=environ)) as scene:
        for jump in JUMPS:
            time.write_text(jump)
            await scene.answers(15)
        # A life that begins while the clock is wrong leaves nothing that waits for it to be so again.
        for jump in ("+2d", "+0"):
            time.write_text(jump)
            await scene.recover(await scene.strike(scene.programs[0]))
        await judge(scene, seed, tell)
