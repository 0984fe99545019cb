"""What the pipeline says itself, in the customer's language."""

from __future__ import annotations

import re

import pytest

from bot.domain.acts import Claim, Resolve
from bot.domain.rules import Rules
from bot.pipeline import phrases
from bot.pipeline.wording import languages, wording
from tests.pipeline.rig import SAM, Rig, handoff

#: Agents read these, in English.
FOR_AGENTS = {"no_reason", "not_for_public"}
_FIELD = re.compile(r"\{\w+\}")


@pytest.mark.parametrize("language", languages())
def test_every_sentence_is_put_in_each_language(language: str) -> None:
    """Nothing is missing, nothing is left over, and the same is filled in."""
    english = {name: text for text, name in phrases._names().items() if name not in FOR_AGENTS}
    there = {name: text for name, text in wording(language).items() if not name.startswith("command_cancel")}
    assert set(english) == set(there)
    for name, text in english.items():
        if name not in {"proof_fits", "weekdays", "months"}:
            assert set(_FIELD.findall(text)) == set(_FIELD.findall(there[name])), name
    assert len(there["weekdays"].split()) == 7
    assert len(there["months"].split()) == 12


@pytest.fixture
def rules() -> Rules:
    """Return the rules of those who set none: customers are asked how it was."""
    return Rules()


def in_german(rig: Rig) -> None:
    """Have the bot hand a German over."""
    rig.engine.by_text["ich möchte einen Menschen"] = handoff("Das Team übernimmt.", language="de")


async def test_a_german_is_told_all_in_german(rig: Rig) -> None:
    """The place in the queue, who joins, the closing and the question how it was come in the customer's language."""
    in_german(rig)
    rig.connector.choices_max = 5
    await rig.writes("ich möchte einen Menschen")
    assert rig.seen()[-1] == phrases.place_in_queue(1, language="de")
    await rig.act(Claim(), SAM)
    await rig.settle()
    await rig.act(Resolve(outcome="done"), SAM)
    await rig.settle()
    assert rig.seen()[-3:] == [
        phrases.agent_joined("Sam", "de"),
        phrases.told(phrases.RESOLVED, "de"),
        phrases.told(phrases.HOW_WAS_IT, "de"),
    ]
    await rig.writes("Sehr gut")
    assert rig.seen()[-1] == phrases.told(phrases.THANKS_FOR_RATING, "de")


async def test_few_words_do_not_change_what_the_channel_tells(rig: Rig) -> None:
    """Who is German for their channel and says “ok” is still spoken to in German; a sentence tells more."""
    in_german(rig)
    rig.engine.by_text["ok"] = handoff("Fine.", language="en")
    rig.engine.by_text["thanks a lot then"] = handoff("Fine.", language="en")
    await rig.writes("ich möchte einen Menschen")
    await rig.writes("ok")
    assert (await rig.view()).conversation.language == "de"
    await rig.writes("thanks a lot then")
    assert (await rig.view()).conversation.language == "en"
