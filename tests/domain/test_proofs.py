from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.proofs import read_proof


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("its bs6 5tb thanks", "BS6 5TB"),
        ("BS65TB", "BS6 5TB"),
        ("ec1a-1bb", "EC1A 1BB"),
        ("priya.shah@example.com", "priya.shah@example.com"),
        ("it was sent to Priya.Shah+tea@mail.example.co.uk, I think", "Priya.Shah+tea@mail.example.co.uk"),
        ("no idea", None),
        ("open until 5pm", None),
        (None, None),
    ],
)
def test_proofs_are_found_in_what_people_write(typed: object, read: str | None) -> None:
    """A postcode or an e-mail address is found inside a sentence."""
    assert read_proof(typed) == read


@given(st.text())
def test_any_text_is_read_without_failing(typed: str) -> None:
    """Whatever is typed, reading it gives a detail or none."""
    read_proof(typed)
