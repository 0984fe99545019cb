"""Approved texts in the language of whom they answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.rules import Rules
from tests.fakes.connector import FakeConnector
from tests.pipeline.heard import ANN, also, heard, private, public
from tests.pipeline.rig import Rig
from tests.pipeline.square import GERMAN_HOURS, HOURS, IN_GERMAN, LINK, TEXTS, THANKS, meaning, rules, says

__all__ = ["also", "heard", "private", "public"]


@pytest.fixture(name="rules")
def its_rules(public: FakeConnector, private: FakeConnector) -> Rules:
    """Return the rules of a brand that has texts in two languages."""
    its = rules(public, private)
    return replace(its, public=replace(its.public, texts=replace(TEXTS, by_language={"de": IN_GERMAN})))


@pytest.fixture
def german(heard: Rig) -> Rig:
    """Return a pipeline whose bot understands a little German."""
    heard.engine.by_text |= {
        "wann habt ihr geöffnet?": meaning("opening_hours", language="de"),
        "wo ist meine Bestellung?": meaning("order_status", language="de"),
        "ich liebe euren Tee": meaning("praise", language="de"),
    }
    return heard


async def test_who_writes_german_is_answered_in_german(german: Rig, public: FakeConnector) -> None:
    """The answer, and the invitation, are those of the language; others go on in theirs."""
    await says(german, public, "@copperleaf wann habt ihr geöffnet?")
    await says(german, public, "@copperleaf wo ist meine Bestellung?")
    assert public.seen_by(ANN)[0] == GERMAN_HOURS
    assert public.seen_by(ANN)[1].startswith(f"Bitte schreiben Sie uns privat: {LINK}join-")
    await says(german, public, "@copperleaf when are you open?", "post:bob")
    assert public.seen_by("post:bob") == [HOURS]


async def test_what_a_language_lacks_is_said_as_to_everybody(german: Rig, public: FakeConnector) -> None:
    """A brand need not put all its texts into each language."""
    await says(german, public, "@copperleaf ich liebe euren Tee")
    assert public.seen_by(ANN) == [THANKS]


def test_texts_of_all_languages_are_approved_and_no_others() -> None:
    """What may be said is what stands in the file, whatever the language."""
    texts = replace(TEXTS, by_language={"de": IN_GERMAN})
    assert texts.allows(GERMAN_HOURS)
    assert texts.allows(HOURS)
    assert not texts.allows(f"{GERMAN_HOURS} {HOURS}")
    assert texts.spoken("de-AT").answers["opening_hours"][0].template == GERMAN_HOURS
    assert texts.spoken("fr") == texts.spoken(None) == texts
