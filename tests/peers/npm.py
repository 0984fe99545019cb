"""Servers that nobody here wrote, from npm: installed into `var/` once, started for a test, stopped after it."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.ports import free_port

_PEERS = Path(__file__).parent
_INSTALLED = _PEERS.parent.parent / "var" / "peers"
_READY_WITHIN = 20
_INSTALLED_WITHIN = 120


def modules_of(peer: str) -> Path:
    """Return the `node_modules` of the peer's package.json, installed if need be.

    Where node or npm is missing, or nothing can be fetched, the test is skipped; under `CI=true` it fails.
    """
    if shutil.which("node") is None or shutil.which("npm") is None:
        _give_up("node and npm are not installed")
    wanted = (_PEERS / peer / "package.json").read_bytes()
    home = _INSTALLED / f"{peer}-{hashlib.sha256(wanted).hexdigest()[:12]}"
    stamp = home / "installed"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists():
            (home / "package.json").write_bytes(wanted)
            command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--silent"]
            done = subprocess.run(command, cwd=home, capture_output=True, timeout=_INSTALLED_WITHIN, check=False)
            if done.returncode:
                _give_up(f"npm install failed: {done.stderr.decode(errors='replace')[-500:]}")
            stamp.touch()
    return home / "node_modules"


def _give_up(why: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


@asynccontextmanager
async def running(peer: str, program: str, *arguments: str) -> AsyncIterator[str]:
    """Run `node <program> PORT <arguments>` of a peer until the block ends, and give its address.

    The program says it is ready by its first line, and ends with its standard input: it outlives nobody.
    """
    modules = await asyncio.to_thread(modules_of, peer)
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        "node",
        str(_PEERS / peer / program),
        str(port),
        *arguments,
        env={**os.environ, "NODE_PATH": str(modules)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(_READY_WITHIN):
            assert await process.stdout.readline(), f"{peer} ended at once"
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
