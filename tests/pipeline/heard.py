"""The pipeline with a public channel beside the private one, and a bot that would tell everybody about orders."""

from __future__ import annotations

import pytest

from bot.domain.rules import Rules
from tests.fakes.connector import FakeConnector
from tests.pipeline.rig import Rig, handoff
from tests.pipeline.square import LINK, meaning, rules, square

ANN = "post:ann"


@pytest.fixture
def public() -> FakeConnector:
    """Return the public channel."""
    return square()


@pytest.fixture
def also(public: FakeConnector) -> tuple[FakeConnector, ...]:
    """Return what is connected beside the private channel."""
    return (public,)


@pytest.fixture
def private() -> FakeConnector:
    """Return the private channel of the same network."""
    return FakeConnector(invites_at=LINK)


@pytest.fixture(name="rules")
def its_rules(public: FakeConnector, private: FakeConnector) -> Rules:
    """Return the rules of a brand that has both channels."""
    return rules(public, private)


@pytest.fixture
def heard(rig: Rig) -> Rig:
    """Return the pipeline, with a bot that would tell everybody about orders."""
    rig.engine.by_text |= {
        "when are you open?": meaning("opening_hours"),
        "where is my order?": meaning("order_status"),
        "love it": meaning("praise"),
        "you are a disgrace": meaning("express_anger"),
        "look": meaning("nlu_fallback", is_fallback=True),
        "get me a person": handoff("A colleague will look at CL-104233."),
    }
    return rig
