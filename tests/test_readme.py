from __future__ import annotations

from connectors.registry import TITLES
from tests.features import BEGIN, END, README, put, table


def test_features_are_those_of_the_connectors() -> None:
    """The README's table of channels says what the connectors can; `make readme` brings it up to date."""
    text = README.read_text(encoding="utf-8")
    assert text.count(BEGIN) == text.count(END) == 1
    assert put(text) == text, "the README's table of channels is stale: run `make readme` and commit it"


def test_every_channel_has_a_row() -> None:
    """Each channel of the registry is in the table, as people call it; a row in tests/test_connecting.py brings it."""
    named = {row.split(" | ")[0].removeprefix("| ") for row in table().splitlines()}
    assert set(TITLES.values()) <= named
