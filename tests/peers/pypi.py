"""Programs that nobody here wrote, from PyPI: installed into `var/` once, each in an environment of its own.

Their requirements need not fit ours: the program runs beside the tests, and they talk over pipes and loopback.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

_PEERS = Path(__file__).parent
_INSTALLED = _PEERS.parent.parent / "var" / "peers"
_ANSWERS_WITHIN = 30
_INSTALLED_WITHIN = 240


def python_of(peer: str) -> Path:
    """Return the Python that has what the peer's requirements.txt names, installed if need be.

    Where nothing can be fetched the test is skipped; under `CI=true` it fails.
    """
    wanted = (_PEERS / peer / "requirements.txt").read_bytes()
    home = _INSTALLED / f"{peer}-{hashlib.sha256(wanted).hexdigest()[:12]}"
    python, stamp = home / "venv" / "bin" / "python", home / "installed"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists():
            uv = str(Path(sys.executable).parent / "uv")
            _run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(home / "venv"))
            requirements = str(_PEERS / peer / "requirements.txt")
            _run(uv, "pip", "install", "--quiet", "--python", str(python), "--requirement", requirements)
            stamp.touch()
    return python


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, timeout=_INSTALLED_WITHIN, check=False)
    if done.returncode:
        why = f"{command[1]} failed: {done.stderr.decode(errors='replace')[-500:]}"
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)


class Peer:
    """A program of a peer's that answers each line with a line; it ends with its standard input: it outlives nobody."""

    def __init__(self, peer: str, program: str) -> None:
        command = [str(python_of(peer)), str(_PEERS / peer / program)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._lock = threading.Lock()

    async def ask(self, question: object) -> Any:
        """Return what it answers, both as JSON; the test's own servers go on meanwhile."""
        async with asyncio.timeout(_ANSWERS_WITHIN):
            return json.loads(await asyncio.to_thread(self._exchange, json.dumps(question)))

    def _exchange(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
            return self._process.stdout.readline()

    def close(self) -> None:
        """End the program."""
        self._process.kill()
        self._process.communicate()
