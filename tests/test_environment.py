from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = ("requirements.txt", "tests/requirements.txt")


def pinned(lock: str) -> dict[str, str]:
    """Return the versions that a lock names."""
    pins = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / lock).read_text(encoding="utf-8"), re.MULTILINE)
    return {str(canonicalize_name(name)): pin for name, pin in pins}


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [(LOCKS[0], PROJECT["project"]["dependencies"]), (LOCKS[1], PROJECT["dependency-groups"]["test"])],
)
def test_the_locks_hold_what_the_project_asks_for(lock: str, wanted: list[str]) -> None:
    """Whoever changes pyproject.toml compiles the locks anew, with `make lock`."""
    pins = pinned(lock)
    for requirement in map(Requirement, wanted):
        pin = pins.get(canonicalize_name(requirement.name))
        assert pin is not None, f"{requirement.name} is not in {lock}"
        assert requirement.specifier.contains(pin, prereleases=True), f"{lock} has {requirement.name} {pin}"


def test_the_locks_agree() -> None:
    """A package of both locks has one version."""
    ours, tests = map(pinned, LOCKS)
    assert {name: pin for name, pin in tests.items() if ours.get(name, pin) != pin} == {}


@pytest.mark.parametrize("lock", LOCKS)
def test_what_is_installed_is_what_is_locked(lock: str) -> None:
    """The environment under test is the one that `make setup` makes."""
    pins = pinned(lock)
    assert {name: version(name) for name in pins} == pins


def test_packages_miss_only_what_was_left_out_on_purpose() -> None:
    """Installed packages fit each other; what is missing stands in pyproject.toml as never imported."""
    left_out = {Requirement(line).name for line in PROJECT["tool"]["uv"]["override-dependencies"]}
    command = [str(Path(sys.executable).with_name("uv")), "pip", "check", "--python", sys.executable]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stderr
    complaints = [line for line in said.splitlines() if line.startswith("The package ")]
    missing = [re.search(r"requires `([\w.-]+).*` *, but it's not installed", line) for line in complaints]
    assert [line for line, found in zip(complaints, missing, strict=True) if not found] == []
    assert {found[1] for found in missing if found} <= left_out
    assert "Checked " in said
