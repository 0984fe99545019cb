from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from bot.trainer.training import train
from tests.faults.running import ROOT

_FIGURES = "figures"


@pytest.fixture(scope="session")
def model() -> Path:
    """Return a model of the bot as it stands; one that is there already is used."""
    given = os.environ.get("TANDEM_TEST_MODEL")
    if given:
        return Path(given)
    return asyncio.run(train(ROOT, ROOT / "var" / "models", lambda _: None)).path


@pytest.fixture
def seed() -> int:
    """Return what the run's randomness grows from: `FAULTS_SEED`, or a new one; a failing test prints it."""
    chosen = int(os.environ.get("FAULTS_SEED") or secrets.randbelow(1_000_000))
    sys.stdout.write(f"FAULTS_SEED={chosen}\n")
    return chosen


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Return a function that puts a line of figures below the test run."""
    return lambda line: record_property(_FIGURES, line)


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """Begin with what may take longest: of two processes none is left alone with it in the end."""
    yield
    found = sorted((item for item in items if item.get_closest_marker("faults")), key=_may_take, reverse=True)
    chosen = set(found)
    items[:] = [*found, *(item for item in items if item not in chosen)]


def _may_take(item: pytest.Item) -> float:
    timeout = item.get_closest_marker("timeout")
    return float(timeout.args[0]) if timeout else 0.0


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the tests told."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport) and report.when == "call":
                for name, line in report.user_properties:
                    if name == _FIGURES:
                        terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {line}")
