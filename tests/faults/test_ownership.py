"""Claims that race the bot, until chance has had its say."""

from __future__ import annotations

import random

import pytest

from bot.domain.messages import DeliveryState
from tests.pipeline import races
from tests.pipeline.conftest import also, rig, rules, shop_template  # noqa: F401 - fixtures
from tests.pipeline.rig import Rig

RACES = 10_000
AT_ONCE = 500


@pytest.mark.faults
@pytest.mark.timeout(3600)
async def test_the_bot_is_silent_after_ten_thousand_claims(rig: Rig, seed: int) -> None:  # noqa: F811 - the fixture
    """However ten thousand claims fall among slow turns and slow sends, no bot message follows one of them."""
    dice, fates = random.Random(seed), set[DeliveryState | None]()
    for _ in range(0, RACES, AT_ONCE):
        fates |= await races.run(rig, dice, AT_ONCE)
        rig.poster.posts.clear()
    assert fates == {DeliveryState.SENT, DeliveryState.WITHHELD, None}
