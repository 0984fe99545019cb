"""Runs the tools that know whether a file is what its reader takes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def tool(name: str) -> str:
    """Return where a program is; without it the test is skipped at home and fails where CI=true."""
    found = shutil.which(
        name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}{os.pathsep}/usr/sbin"
    )
    if found is None and os.environ.get("CI") == "true":
        pytest.fail(f"{name} is not installed: .ci/peers installs it")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def run(name: str, *arguments: str) -> tuple[int, str]:
    """Run a program and return its status and all that it printed."""
    done = subprocess.run([tool(name), *arguments], capture_output=True, text=True, check=False, cwd=ROOT)
    return done.returncode, done.stdout + done.stderr
