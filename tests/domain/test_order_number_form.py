from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.customers import OrderNumberForm

FORM = OrderNumberForm()
SHORT = OrderNumberForm(prefix="#", pattern="[0-9]{4,6}")
MIXED = OrderNumberForm(prefix="AB/", pattern="[A-Z]{2}[0-9]{3}")


@given(
    st.from_regex(r"[0-9]{6}", fullmatch=True).filter(str.isascii),
    st.sampled_from(["", "CL", "cl", "Cl-", "CL ", "#", "#CL-", "cl–", "＃"]),
    st.sampled_from(["", " ", ".", "!", "\n"]),
)
def test_whatever_stands_around_the_digits_the_number_is_the_same(digits: str, before: str, after: str) -> None:
    """Case, blanks, dashes and a missing prefix do not matter."""
    assert FORM.read(before + digits + after) == f"CL-{digits}"


@pytest.mark.parametrize(
    "text", ["", "10423", "1042333", "XX-104233", "CLCL104233", "١٠٤٢٣٣", "order 104233", "CL", "9" * 100, "CL-104233x"]
)
def test_what_is_no_order_number_is_none(text: str) -> None:
    """Too few or too many digits, other letters and other scripts are no order number."""
    assert FORM.read(text) is None


@given(st.text())
def test_any_text_is_an_order_number_of_the_brands_form_or_none(text: str) -> None:
    """Whatever is typed, the result can be read again and stays what it is."""
    number = FORM.read(text)
    assert number is None or FORM.read(number) == number


def test_other_brands_have_other_forms() -> None:
    """Prefix, digits and letters are the brand's."""
    assert SHORT.read("1001") == SHORT.read("#1001") == "#1001"
    assert SHORT.read("#123") is None
    assert MIXED.read("ab/xy123") == MIXED.read("xy 123") == "AB/XY123"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("my order is CL-104233, thanks", ["CL-104233"]),
        ("is it cl 104233 or #104234?", ["CL-104233", "CL-104234"]),
        ("104233 104233", ["CL-104233"]),
        ("call me on 07700900123 or 12345", []),
        ("", []),
    ],
)
def test_order_numbers_are_found_in_sentences(text: str, found: list[str]) -> None:
    """Every order number in a text is found once, however it is written; longer numbers are none."""
    assert OrderNumberForm().find(text) == found
