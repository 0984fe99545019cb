from __future__ import annotations

import pytest

from bot.store.sample_shop.cast import cast
from tests.dialogue.facts import Facts
from tests.dialogue.people import TODAY

PRIYA, TOM = cast()[0], cast()[1]


@pytest.fixture(scope="module")
def facts() -> Facts:
    """Return the figures of the sample shop."""
    return Facts(TODAY)


def test_own_figures_may_be_said(facts: Facts) -> None:
    """An order, its parcel and its price may be told to whoever named the order or its e-mail."""
    said = [f"{PRIYA.order_number} came with EI10423301GB and cost £28.95"]
    assert facts.invented(said, f"where is {PRIYA.order_number[-6:]}") == []
    assert facts.invented(said, PRIYA.email.upper()) == []


def test_figures_of_others_may_not_be_said(facts: Facts) -> None:
    """An order number, a parcel or an invoice of somebody who was not named is found out."""
    said = [f"{TOM.order_number} is late (YL10422101GB), invoice INV-104221"]
    assert facts.invented(said, PRIYA.order_number) == [TOM.order_number, "YL10422101GB", "INV-104221"]


def test_made_up_figures_may_not_be_said(facts: Facts) -> None:
    """An amount or a number that is in no record is found out."""
    assert facts.invented(["You get £123.45 for CL-999999"], "hi") == ["£123.45", "CL-999999"]
