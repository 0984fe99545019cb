from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from bot.__main__ import _parser
from bot.commands.simulate import plan_of
from bot.domain.errors import SettingsError
from simulator.play import CHANNELS, Plan, play
from simulator.report import Line, Report, table
from simulator.truth import Verdict
from tests.faults.conftest import model

__all__ = ["model"]


def planned(*arguments: str) -> Plan:
    """Return the plan that a command line makes."""
    return plan_of(_parser().parse_args(["simulate", *arguments]))


def test_plan_of_a_command_line() -> None:
    """Channels, customers, minutes, seed and weather are taken from the command line; watching has no end."""
    assert planned().channels == CHANNELS
    chosen = planned("--channel", "telegram, whatsapp", "--customers", "3", "--minutes", "0.5", "--seed", "7")
    assert chosen == Plan(channels=("telegram", "whatsapp"), customer_count=3, seconds=30.0, seed=7, faults="light")
    assert planned("--watch").seconds is None


@pytest.mark.parametrize("wrong", [["--channel", "fax"], ["--channel", ","], ["--customers", "0"], ["--minutes", "0"]])
def test_plan_that_cannot_be(wrong: list[str]) -> None:
    """What cannot be simulated is refused by the name of its option."""
    with pytest.raises(SettingsError, match=wrong[0]):
        planned(*wrong)


def test_table_of_a_narrow_terminal() -> None:
    """Names and figures are whole on a terminal of 80 characters."""
    line = Line(
        channel="instagram",
        customer_count=200,
        written_count=1075,
        acknowledged_count=1075,
        asked_count=1064,
        answered_count=1062,
        with_people_count=11,
        dead_count=9,
        verdict=Verdict(lost=("a reply that nobody saw",)),
        waits=(12.34,),
    )
    shown = StringIO()
    Console(width=80, file=shown).print(table(Report(lines=(line,), is_quiet=True)))
    row = next(each for each in shown.getvalue().splitlines() if each.startswith("instagram"))
    assert row.split() == ["instagram", "200", "1075", "1064", "1062", "11", "9", "1", "0", "0", *["12.34", "s"] * 2]


@pytest.mark.slow
async def test_heavy_weather_on_every_channel(tmp_path: Path, model: Path) -> None:
    """The whole Tandem loses, doubles and reorders nothing while all its channels behave as badly as they can."""
    began: list[str] = []
    plan = Plan(customer_count=18, seconds=6.0, seed=7, faults="heavy")
    found = await play(plan, tmp_path, model, began.append)

    assert found.findings() == []
    assert found.is_clean
    assert began
    assert began[0].startswith("http://127.0.0.1:")
    assert {line.channel for line in found.lines} == set(CHANNELS)
    assert all(line.acknowledged_count and line.answered_count + line.with_people_count for line in found.lines)
    shown = StringIO()
    Console(width=160, file=shown).print(table(found))
    assert "whatsapp" in shown.getvalue()
