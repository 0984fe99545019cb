from __future__ import annotations

import pytest

from actions.choosing import by_name, by_position, is_named
from tests.actions.calls import turn

LABELS = ("2 × Copper Glaze Mug Jasmine Pearls", "Stovetop Moka Pot Costa Rica Tarrazu", "English Breakfast")


@pytest.mark.parametrize(
    ("position", "place"), [("1", 0), ("2", 1), ("latest", 0), ("last", 2), ("4", None), ("0", None), ("soon", None)]
)
def test_a_place_in_the_list_is_counted_from_the_top(position: str, place: int | None) -> None:
    """The newest stands first; a place the list does not have is none."""
    assert by_position(turn(entities={"position": (position,)}), 3) == place


def test_an_empty_list_has_no_places() -> None:
    """Nothing can be picked where nothing was offered."""
    assert by_position(turn(entities={"position": ("last",)}), 0) is None
    assert by_name(turn(text="the mug"), []) is None


@pytest.mark.parametrize(
    ("text", "place"),
    [("the mug", 0), ("the jasmin perls pls", 0), ("moka pott", 1), ("the breakfast tea", 2), ("a hamper", None)],
)
def test_a_thing_is_found_by_its_name_however_it_is_spelt(text: str, place: int | None) -> None:
    """One word that comes near is enough, if it is clear which one it is."""
    assert by_name(turn(text=text), LABELS) == place


def test_what_comes_near_to_two_is_not_guessed() -> None:
    """A word that both have picks neither."""
    assert by_name(turn(text="the mug"), ("Copper Glaze Mug", "Speckled Stoneware Mug")) is None


def test_a_product_is_named_when_one_of_its_words_is() -> None:
    """Milk is no coffee, even where a coffee tastes of it."""
    assert is_named(turn(text="is the yirgachefe in"), "Ethiopia Yirgacheffe")
    assert not is_named(turn(text="do you sell oat milk"), "Colombia Huila")
