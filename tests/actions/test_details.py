from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions.details import read_order_number, read_proof


@pytest.mark.parametrize("typed", ["CL-104233", "cl104233", "#104233", "104233", " cl 104 233 "])
def test_order_numbers_are_read_in_any_spelling(typed: str) -> None:
    """However it is typed, an order number is the brand's own."""
    assert read_order_number(typed) == "CL-104233"


@pytest.mark.parametrize("typed", ["", "10423", "1042333", "my order", None, 104233])
def test_what_is_no_order_number_is_none(typed: object) -> None:
    """Too short, too long, or no text at all."""
    assert read_order_number(typed) is None


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
    read_order_number(typed)
    read_proof(typed)
