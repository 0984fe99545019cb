from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import aiohttp
import pytest

from tests.faults.running import Program, supervised


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Return settings with a database of their own; the engine finds no model, which is nobody's business here."""
    model = tmp_path / "model.tar.gz"
    model.write_bytes(b"not a model")
    database = f"sqlite:///{tmp_path / 'tandem.db'}"
    return {"TANDEM_ENGINE__MODEL": str(model), "TANDEM_SERVICE__DATABASE": database}


async def outcome(program: Program) -> tuple[int, str]:
    """Start a program that is expected to end at once; return its status and all that it printed."""
    await program.start()
    async with asyncio.timeout(30):
        status = await program.life.wait()
    return status, program.log_path.read_text().strip()


async def test_a_second_run_says_where_the_first_is(tmp_path: Path, environ: dict[str, str]) -> None:
    """Two services on one folder or one SQLite file would take each other's work for abandoned: one line refuses."""
    first = Program(command="run", state_dir=tmp_path / "first", environ=environ)
    async with supervised(first), aiohttp.ClientSession() as session:
        await first.until_ready(session, "healthz")
        expected = f"tandem: Tandem is running already: {first.url} (process {first.life.pid})"
        same_folder = {**environ, "TANDEM_SERVICE__STATE_DIR": str(first.state_dir)}
        second = Program(command="run", state_dir=tmp_path / "second", environ=same_folder)
        assert await outcome(second) == (2, expected)
        third = Program(command="run", state_dir=tmp_path / "third", environ=environ)
        assert await outcome(third) == (2, expected)
    assert first.logged("database_migrated")


@pytest.mark.parametrize("setting", ["port", "internal_port"])
async def test_a_taken_port_is_one_clear_line(tmp_path: Path, environ: dict[str, str], setting: str) -> None:
    """The line names the port and the setting to change."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        program = Program(command="run", state_dir=tmp_path / "run", environ=environ, **{setting: port})
        status, printed = await outcome(program)
    assert status == 2
    assert printed.splitlines()[-1] == (
        f"tandem: port {port} is taken by another program; stop it or set service.{setting}"
    )
