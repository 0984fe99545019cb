from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import MalformedWebhookError
from connectors.fields import Fields, load, storable


@given(text=st.text() | st.text(st.characters(categories=["Cs"])))
def test_storable(text: str) -> None:
    """Whatever comes out can be encoded and stored, and sound text comes out as it was."""
    cleaned = storable(text)

    assert "\x00" not in cleaned
    assert cleaned.encode("utf-8").decode("utf-8") == cleaned
    assert storable(cleaned) == cleaned


def test_surrogate_pair_in_two_escapes() -> None:
    """An emoji written as two escapes is one emoji; half of one is a replacement character."""
    assert Fields(load(rb'{"a": "\ud83c\udf75 \ud83c"}')).text("a") == "🍵 \ufffd"


@pytest.mark.parametrize(
    ("reader", "value"),
    [
        ("text", 5),
        ("text", None),
        ("integer", "5"),
        ("integer", True),
        ("integer", 5.0),
        ("size", -1),
        ("number", "1"),
        ("number", False),
        ("number", 1e400),
        ("number", 10**400),
        ("moment", 10**20),
        ("moment", 10**400),
        ("moment", -(10**20)),
        ("object", []),
        ("object", None),
        ("objects", {}),
        ("objects", [1]),
    ],
)
def test_wrong_type(reader: str, value: object) -> None:
    """A member of the wrong type is named by its place, and its value is not repeated."""
    with pytest.raises(MalformedWebhookError, match=r"^\$\.a(\[0\])? must be "):
        getattr(Fields({"a": value}), reader)("a")


def test_absent() -> None:
    """Null counts as absent, and an absent member has its default where there is one."""
    fields = Fields({"a": None, "b": 1})

    assert "a" not in fields
    assert list(fields) == ["b"]
    assert fields.text("a", "x") == "x"
    assert fields.objects("a") == []
    assert fields.size("a") is None


def test_whole_numbers() -> None:
    """A list of whole numbers is read whole, and one of anything else is named by its place."""
    fields = Fields({"a": [1, 0], "b": [1, "2"], "c": [1, True], "d": 1, "e": [1, 2, 3]})

    assert fields.integers("a", 2) == [1, 0]
    assert fields.integers("absent", 2) == []
    for name, place in (("b", r"\$\.b\.1"), ("c", r"\$\.c\.1"), ("d", r"\$\.d"), ("e", r"\$\.e")):
        with pytest.raises(MalformedWebhookError, match=place):
            fields.integers(name, 2)


def test_place_is_named() -> None:
    """The place of a wrong member deep inside is named in full."""
    fields = Fields({"entry": [{"messaging": {"id": 1}}]})

    with pytest.raises(MalformedWebhookError, match=r"\$\.entry\[0\]\.messaging\.id must be a string"):
        fields.objects("entry")[0].object("messaging").text("id")


def test_flags_and_parts_of_seconds() -> None:
    """A truth value is false when it is absent and never a number; moments come in seconds or parts of them."""
    fields = Fields({"yes": True, "no": False, "one": 1, "at": 1_795_408_477_123})

    assert (fields.flag("yes"), fields.flag("no"), fields.flag("absent")) == (True, False, False)
    with pytest.raises(MalformedWebhookError, match=r"\$\.one must be true or false"):
        fields.flag("one")
    assert fields.moment("at", 1000).isoformat() == "2026-11-23T04:34:37.123000+00:00"
