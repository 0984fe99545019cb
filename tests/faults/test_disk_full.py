from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from pathlib import Path

import pytest

from tests.faults.judging import Tell, judge
from tests.faults.scene import Scene, Stage, playing

_DISK_SIZE = "8m"
_SERVICE_UNAVAILABLE = 503


def _can_mount() -> bool:
    return os.geteuid() == 0 and subprocess.run(["unshare", "-m", "true"], check=False).returncode == 0


@pytest.mark.faults
@pytest.mark.timeout(300)
@pytest.mark.skipif(not _can_mount(), reason="only root may mount a small disk")
async def test_a_full_disk(tmp_path: Path, model: Path, seed: int, tell: Tell) -> None:
    """While the disk is full customers are refused, not deceived; once there is room again all goes on by itself."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounting = f'mount -t tmpfs -o size={_DISK_SIZE} tandem {disk} && exec "$@"'
    stage = Stage(
        folder=tmp_path,
        database_url=f"sqlite:///{disk / 'tandem.db'}",
        model=model,
        seed=seed,
        wrapper=("unshare", "-m", "sh", "-c", mounting, "sh"),
    )
    async with playing(stage) as scene:
        # The disk is there for the program alone; through its process it can be seen from here.
        inside = Path(f"/proc/{scene.programs[0].life.pid}/root{disk}")
        await scene.answers(20)
        for _ in range(3):
            await fill(scene, inside / "filler")
            (inside / "filler").unlink()
            await scene.answers(20)
        await judge(scene, seed, tell)
        assert len(scene.programs[0].started) == 1


async def fill(scene: Scene, filler: Path) -> None:
    """Fill the disk and keep it full until customers have been refused for a while."""
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096) == 4096:
            pass
    refused_count = scene.street.statuses[_SERVICE_UNAVAILABLE]
    async with asyncio.timeout(30):
        while scene.street.statuses[_SERVICE_UNAVAILABLE] < refused_count + 10:  # noqa: ASYNC110 - counted elsewhere
            await asyncio.sleep(0.05)
