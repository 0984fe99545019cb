from __future__ import annotations

import asyncio
import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import Connection

from simulator.telegram_server import running
from tests.databases import run_in
from tests.faults.outcomes import is_idle
from tests.faults.running import Program, supervised
from tests.power.checking import Cut, lay_out, unanswered
from tests.power.cutting import cut_often, cuts
from tests.power.disk import Disk, Fate
from tests.power.recording import HonestTelegram, Recording, Truth, environment, record
from tests.power.tracing import Op, read_trace

needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None and not os.environ.get("CI"),
    reason="strace is not installed; .ci/peers gets it from Debian",
)
_SEED = 20261122


@pytest.fixture
def image(tmp_path: Path) -> Iterator[Path]:
    """Return a folder in memory, where there is one: images are written by the thousand."""
    memory = Path("/dev/shm")  # noqa: S108 - shared by nobody
    folder = (memory if os.access(memory, os.W_OK) else tmp_path) / f"tandem-power-{os.getpid()}"
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def op(kind: str, at: float, data: bytes = b"", offset: int | None = None, path: str = "/a/f") -> Op:
    """Return an operation that begins at a moment and takes half a second."""
    return Op(kind=kind, path=Path(path), began=at, ended=at + 0.5, data=data, offset=offset)


def test_a_disk_keeps_what_was_made_safe_and_perhaps_the_rest() -> None:
    """A write that ended before a sync began is kept, one after it may be lost or torn, and a name needs its folder."""
    disk, dice, name = Disk(), random.Random(1), Path("/a/f")
    for each in (op("create", 0), op("write", 1, b"safe", 0), op("sync", 2)):
        disk.take(each)
    assert disk.image(Fate.LOST, dice) == {}
    disk.take(op("sync", 3, path="/a"))
    disk.take(op("write", 4, b"x" * 1024, 4))
    assert disk.image(Fate.LOST, dice) == {name: b"safe"}
    assert disk.image(Fate.KEPT, dice) == {name: b"safe" + b"x" * 1024}
    assert {len(disk.image(Fate.TORN, dice)[name]) for _ in range(50)} == {4, 516, 1028}
    late = Op(kind="sync", path=name, began=4.2, ended=4.9)
    disk.take(late)
    assert disk.image(Fate.LOST, dice) == {name: b"safe"}


def test_what_strace_wrote_is_read(tmp_path: Path) -> None:
    """Calls that others came between are put together, failed ones and other folders' left out."""
    inside = "".join(f"\\x{byte:02x}" for byte in b"/a/f")
    trace = tmp_path / "trace"
    trace.write_text(
        f'7 1.0 pwrite64(3<{inside}>, "\\x41\\x42", 2, 4096 <unfinished ...>\n'
        f"8 1.5 fsync(3<{inside}>) = -1 EIO (Input/output error) <0.100000>\n"
        "7 2.0 <... pwrite64 resumed>) = 2 <1.000000>\n"
        f"8 2.5 fdatasync(3<{inside}>) = 0 <0.250000>\n"
        '8 2.6 write(1<\\x2f\\x62>, "\\x41", 1) = 1 <0.000100>\n'
    )
    assert read_trace(trace, Path("/a")) == [
        Op(kind="write", path=Path("/a/f"), began=1.0, ended=2.0, data=b"AB", offset=4096),
        Op(kind="sync", path=Path("/a/f"), began=2.5, ended=2.75),
    ]


@needs_strace
@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_power_cut_loses_nothing_that_was_acknowledged(tmp_path: Path, image: Path) -> None:
    """Wherever it is cut, all that the world was told is found again; where nothing was synced, it is not."""
    recording = await record(tmp_path, 6)
    outcome = cut_often(recording, 150, image, _SEED)
    assert not outcome.wrong, f"{outcome.bad_count} of {outcome.image_count}: {outcome.wrong[:5]}"
    careless = replace(recording, ops=[each for each in recording.ops if each.kind != "sync"])
    assert cut_often(careless, 20, image, _SEED).bad_count > 5


@needs_strace
@pytest.mark.faults
@pytest.mark.timeout(1_500)
async def test_five_thousand_power_cuts(tmp_path: Path, image: Path, tell: Callable[[str], None]) -> None:
    """The same with five thousand images of one run."""
    recording = await record(tmp_path, 25)
    outcome = cut_often(recording, 5_000, image, _SEED)
    tell(f"{outcome.image_count} images of {len(recording.ops)} operations, {outcome.bad_count} wrong")
    assert not outcome.wrong, f"{outcome.bad_count} of {outcome.image_count}: {outcome.wrong[:5]}"


@needs_strace
@pytest.mark.faults
@pytest.mark.timeout(600)
@pytest.mark.parametrize("how", ["OFF", "NORMAL"])
async def test_a_database_that_is_written_carelessly_is_found_out(
    tmp_path: Path, image: Path, how: str, tell: Callable[[str], None]
) -> None:
    """A service whose SQLite does not wait for the disk loses what it acknowledged, and that is seen."""
    outcome = cut_often(await record(tmp_path, 10, careless=how), 200, image, _SEED)
    tell(f"synchronous={how}: {outcome.bad_count} of {outcome.image_count} images wrong")
    assert outcome.bad_count > 20


@needs_strace
@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_it_goes_on(tmp_path: Path) -> None:
    """Started again on such an image, the real service sees all to an end that it had acknowledged."""
    # Names are short here: the engine's socket is in this folder, and sockets have short paths.
    recording, dice = await record(tmp_path / "before", 10), random.Random(_SEED)
    for number, (cut, fate) in enumerate(each for each in cuts(recording, 12, dice) if each[0].is_ready):
        if number % 2:
            continue
        left = await goes_on(tmp_path / f"after-{number}", cut, recording)
        assert not left, f"{fate}, at {cut.at:.6f}: nobody answers {left[:5]}"


async def goes_on(folder: Path, cut: Cut, recording: Recording) -> list[str]:
    """Start the service on an image until nothing waits; return what was acknowledged and came to no end."""
    state_dir = folder / "state"
    lay_out(cut, state_dir)
    telegram = HonestTelegram(Truth())
    async with running(telegram), aiohttp.ClientSession() as session:
        program = Program(
            command="run",
            state_dir=state_dir,
            environ=environment(state_dir, telegram),
            program=("-m", "tests.power.recorded"),
        )
        url = program.environ["TANDEM_SERVICE__DATABASE"]
        async with supervised(program):
            await program.until_ready(session)
            async with asyncio.timeout(60):
                while not await asyncio.to_thread(is_idle, url):  # noqa: ASYNC110 - another process tells nothing
                    await asyncio.sleep(0.1)

    def body(connection: Connection) -> list[str]:
        return unanswered(connection, cut, recording.truth)

    return run_in(url, body)
