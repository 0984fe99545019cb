"""A hundred thousand strings that customers could write, shown in Slack."""

from __future__ import annotations

import pytest

from tests.desk.slack.throwing import check_everywhere, check_line, strings

COUNT, PARTS = 100_000, 8


@pytest.mark.faults
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(PARTS))
def test_a_hundred_thousand_strings_come_through_as_they_are(part: int) -> None:
    """Every renderer shows as many as a busy brand gets in weeks, each to the last sign, and Slack reads none of it."""
    for number, text in enumerate(strings(COUNT // PARTS, seed=100 + part)):
        check_line(text)
        check_everywhere(text, is_measured=number % 10 == 0)
