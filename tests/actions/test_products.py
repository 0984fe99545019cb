from __future__ import annotations

import pytest

from actions.products import leans_back


@pytest.mark.parametrize(
    "text",
    ["how much is it", "Is it in stock?", "in stock?", "and the price", "what's that one cost", "are they organic"],
)
def test_what_names_nothing_leans_back(text: str) -> None:
    """A question that points back, or says nothing of what it asks about, means what was talked about."""
    assert leans_back(text)


@pytest.mark.parametrize(
    "text", ["do you sell oat milk", "any herbal teas", "how much is delivery", "that frothing thing"]
)
def test_what_names_something_does_not_lean_back(text: str) -> None:
    """A question with a word for what it asks about is never answered on something else."""
    assert not leans_back(text)
