"""Choices that a channel could only write out, and customers who answer with the number."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.dialogue.wire import Answer
from bot.domain.acts import Claim, Reply
from bot.domain.messages import Meaning
from tests.fakes.connector import LOST_CALL
from tests.pipeline.rig import Rig, handoff, offer, turn

ORDERS = ("CL-104233", "CL-104240", "CL-104255")


def listed() -> Answer:
    """Return an answer with one choice for each order."""
    return offer("Which order?", *((number, Meaning(intent="track", entities={"n": number})) for number in ORDERS))


@pytest.fixture
async def asked(rig: Rig) -> Rig:
    """A customer on a channel without buttons, who has just been shown the list."""
    rig.connector.choices_max = 0
    rig.engine.by_text["where is it"] = turn("Let me see.", listed())
    await rig.writes("where is it")
    assert "2. CL-104240" in rig.seen()[-1]
    return rig


def meanings(rig: Rig) -> list[Meaning]:
    """Return what taps the engine heard of."""
    return [request.meaning for request in rig.engine.requests if request.meaning is not None]


@pytest.mark.parametrize("text", ["2", " 2 ", "2.", "2)", "#2"])
async def test_a_number_is_the_tap(asked: Rig, text: str) -> None:
    """A bare number within the list means what the choice of that number means; the transcript keeps what was typed."""
    await asked.writes(text)

    assert meanings(asked) == [Meaning(intent="track", entities={"n": "CL-104240"})]
    assert (await asked.transcript())[-2].text == text.strip()


@pytest.mark.parametrize("text", ["0", "4", "02", "2 please", "12345", "two", "-2", "2/3", "٢"])
async def test_anything_else_is_text(asked: Rig, text: str) -> None:
    """A number beyond the list, or with words around it, is understood like any text."""
    await asked.writes(text)

    assert meanings(asked) == []


async def test_the_list_must_be_what_we_said_last(asked: Rig) -> None:
    """Once we have said something else, a number is a number."""
    await asked.writes("never mind")
    await asked.writes("2")

    assert meanings(asked) == []


async def test_the_newest_list_counts(asked: Rig) -> None:
    """Where two lists follow each other, the number is of the second."""
    yes = Meaning(intent="affirm", entities={})
    asked.engine.by_text["/track"] = turn(offer("Sure?", ("No", Meaning(intent="deny", entities={})), ("Yes", yes)))
    await asked.writes("1")
    await asked.writes("2")

    assert meanings(asked)[-1] == yes


async def test_a_list_that_was_tapped_has_no_numbers(rig: Rig) -> None:
    """Where the channel shows the choices as buttons, a typed number is text."""
    rig.engine.by_text["where is it"] = turn(listed())
    await rig.writes("where is it")
    await rig.writes("2")

    assert meanings(rig) == []


async def test_a_list_that_did_not_arrive(rig: Rig) -> None:
    """A number cannot be of a list that nobody has seen."""
    rig.connector.choices_max = 0
    rig.engine.by_text["where is it"] = turn(listed())
    rig.connector.script.append(LOST_CALL)
    await rig.writes("where is it")
    await rig.writes("2")

    assert meanings(rig) == []


async def test_somebody_elses_list(asked: Rig) -> None:
    """One customer's number is never another one's choice."""
    await asked.writes("2", "eve")

    assert meanings(asked) == []


async def test_an_agent_who_asks_how_many(asked: Rig) -> None:
    """After an agent has spoken, a number is what the agent hears."""
    asked.engine.by_text["a person"] = replace(handoff(), answers=(listed(),))
    await asked.writes("a person")
    await asked.act(Claim())
    await asked.act(Reply(text="How many boxes?"))
    await asked.settle()
    await asked.writes("2")

    assert meanings(asked) == []
