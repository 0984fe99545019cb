from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.domain.moods import _TOLD_BY, LOOKED_BACK, Mood, mood


@pytest.mark.parametrize(
    ("intents", "expected"),
    [
        ([], None),
        (["greet", "order_status", None], None),
        (["express_anger"], Mood.ANGRY),
        (["complaint", "order_status", "inform"], Mood.UNHAPPY),
        (["complaint", "express_anger", "inform"], Mood.ANGRY),
        (["express_anger", "thank", None], Mood.THANKFUL),
        (["thank", "praise"], Mood.PLEASED),
    ],
)
def test_the_newest_that_tells_counts(intents: list[str | None], expected: Mood | None) -> None:
    """What says nothing of how somebody feels leaves the word of before; where nothing was said there is none."""
    assert mood(intents) == expected


def test_what_was_long_ago_tells_nothing_now() -> None:
    """Only the last few messages count."""
    assert mood(["express_anger", *["inform"] * (LOOKED_BACK - 1)]) is Mood.ANGRY
    assert mood(["express_anger", *["inform"] * LOOKED_BACK]) is None


def test_the_bot_knows_the_intents_that_tell() -> None:
    """None of them was renamed."""
    known = re.findall(r"^  - (\w+)$", Path("domain.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(_TOLD_BY) <= set(known)
