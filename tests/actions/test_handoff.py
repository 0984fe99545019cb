from __future__ import annotations

import pytest

from actions.base import Result, ask_people, queued, records_down, say, tried
from actions.handoff import (
    PEOPLE_ONLY,
    AskWaitingTime,
    Complaint,
    HandedBack,
    NotUnderstood,
    PeopleOnlyAction,
    TalkToPerson,
)
from bot.domain.conversations import Owner
from bot.domain.handoff import HandoffRequest, Reason
from tests.actions.calls import turn
from tests.actions.conftest import SampleSources

TITLES = {
    "order_status": "Where is my order?",
    "order_cancel": "Cancel an order",
    "shipping_cost": "Delivery costs",
    "talk_to_person": "Talk to a person",
}


async def test_the_first_miss_offers_the_likeliest_meanings(sources: SampleSources) -> None:
    """Meanings with a title can be tapped, a person always; noise is not offered."""
    ranking = (("nlu_fallback", 0.9), ("order_status", 0.5), ("order_cancel", 0.02))
    result = await NotUnderstood("action_not_understood", sources).answer(turn(ranking=ranking, titles=TITLES))
    assert [button.intent for button in result.says[0].buttons] == ["order_status", "talk_to_person"]
    assert (result.slots["misses"], result.handoff) == (1, None)


async def test_guesses_that_are_likely_all_wrong_are_not_offered(sources: SampleSources) -> None:
    """Where understanding leaves a message to people, other words are asked for and a person is offered."""
    facts = turn(ranking=(("nlu_fallback", 0.9), ("order_status", 0.2)), titles=TITLES, decision="people")
    result = await NotUnderstood("action_not_understood", sources).answer(facts)
    assert [button.intent for button in result.says[0].buttons] == ["talk_to_person"]
    assert result.says[0].response == "say_not_understood"


@pytest.mark.parametrize(
    ("confidence", "reason"),
    [(0.6, Reason.LOW_CONFIDENCE), (0.2, Reason.NOT_UNDERSTOOD), (0.01, Reason.NOT_UNDERSTOOD)],
)
async def test_the_second_miss_brings_a_person(sources: SampleSources, confidence: float, reason: Reason) -> None:
    """A real doubt between meanings is told apart from words that mean nothing to the bot."""
    facts = turn(ranking=(("nlu_fallback", 0.9), ("order_status", confidence)), titles=TITLES, slots={"misses": 1})
    result = await NotUnderstood("action_not_understood", sources).answer(facts)
    assert result.handoff is not None
    assert result.handoff.reason is reason


async def test_a_form_is_given_up_after_three_misses(sources: SampleSources) -> None:
    """Two answers that fit nothing are asked again, the third brings a person."""
    action = NotUnderstood("action_not_understood", sources)
    asked = await action.answer(turn(form="cancel_form", slots={"form_misses": 1}))
    assert (asked.slots["form_misses"], asked.handoff) == (2, None)
    assert (await action.answer(turn(form="cancel_form", slots={"form_misses": 2}))).handoff is not None


async def test_while_people_are_asked_the_bot_does_not_say_that_it_is_lost(sources: SampleSources) -> None:
    """In the queue, what is not understood is left to people without a word."""
    assert await NotUnderstood("action_not_understood", sources).answer(turn(owner=Owner.QUEUE)) == Result()


@pytest.mark.parametrize("intent", PEOPLE_ONLY)
async def test_topics_for_people_go_to_people(sources: SampleSources, intent: str) -> None:
    """Each says something of its own and carries the customer's words."""
    result = await PeopleOnlyAction(f"action_{intent}", sources).answer(turn(text="my very words"))
    assert result.handoff is not None
    assert result.handoff.reason is PEOPLE_ONLY[intent].reason
    assert "my very words" in result.handoff.summary
    assert len(result.says) == 1


async def test_a_wish_for_a_person_tells_what_was_going_on(sources: SampleSources) -> None:
    """The agent reads what the customer was at, which order it was, and what the bot tried."""
    facts = turn(
        titles=TITLES,
        text="human!",
        slots={"wish": ["order_cancel"], "order_number": "CL-104241"},
        actions=("action_listen", "action_order_status", "utter_shipping_cost", "order_form", "action_order_status"),
    )
    request = (await TalkToPerson("action_talk_to_person", sources).answer(facts)).handoff
    assert request == HandoffRequest(
        reason=Reason.EXPLICIT_WISH,
        topic="cancel an order",
        summary="Asked for a person. They were at “cancel an order”. Wrote: “human!”",
        tried=(
            "answered on “Where is my order?”",
            "answered on “Delivery costs”",
            "asked for the order number and a postcode or e-mail",
        ),
        order_number="CL-104241",
    )


def test_nothing_tried_is_nothing_told() -> None:
    """A conversation that just began has no steps."""
    assert tried(turn(actions=("action_session_start", "action_listen"))) == ()


def test_one_ticket_at_a_time() -> None:
    """While a ticket is open its place is told, and no second one is asked for."""
    facts = turn(owner=Owner.QUEUE, metadata={"place_in_queue": 3})
    wish = Result(handoff=ask_people(facts, Reason.EXPLICIT_WISH, "a person", "Again."))
    again = queued(wish, facts)
    assert (again.handoff, again.says[0].fields) == (None, {"place": "3"})
    noted = queued(say("say_return_passed_on").then(wish), facts)
    assert ([one.response for one in noted.says], noted.handoff) == (["say_return_passed_on"], None)


def test_a_handoff_leaves_every_form() -> None:
    """Nothing is asked any more once people are."""
    result = queued(Result(handoff=ask_people(turn(), Reason.ANGER, "anger", ""), follow="order_form"), turn())
    assert (result.leaves_form, result.follow) == (True, None)
    assert [one.response for one in result.says] == ["say_handoff"]


def test_records_that_cannot_be_read_are_admitted() -> None:
    """A failed look-up is said plainly and brings a person with what was asked."""
    result = records_down(turn(intent="order_status", titles=TITLES, slots={"wish": ["order_cancel"]}))
    assert result.says[0].response == "say_records_down"
    assert result.handoff is not None
    assert (result.handoff.reason, result.handoff.topic) == (Reason.FAILED_ACTION, "order cancel")


async def test_the_place_in_the_queue_is_what_the_pipeline_says(sources: SampleSources) -> None:
    """No waiting time is made up; without a ticket a person is offered."""
    action = AskWaitingTime("action_ask_waiting_time", sources)
    assert (await action.answer(turn())).slots == {"offer": "a person"}
    placed = await action.answer(turn(owner=Owner.QUEUE, metadata={"place_in_queue": 2}))
    assert placed.says[0].fields == {"place": "2"}
    unplaced = await action.answer(turn(owner=Owner.QUEUE, metadata={"place_in_queue": None}))
    assert unplaced.says[0].response == "say_already_queued"


async def test_coming_back_begins_afresh(sources: SampleSources) -> None:
    """What the agent did is told and kept; forms and wishes of before are gone."""
    action = HandedBack("action_handed_back", sources)
    told = await action.answer(turn(entities={"outcome": ("sent a new one",)}, slots={"wish": ["order_cancel"]}))
    assert told.says[0].fields == {"done": "sent a new one"}
    assert (told.slots["wish"], told.slots["outcome"], told.leaves_form) == (None, "sent a new one", True)
    assert (await action.answer(turn())).says[0].response == "say_back"
    promise = {"outcome": ("I refunded it.",), "promised": ("a new mug",), "promised_by": ("Friday 06 March, 12:00",)}
    promised = await action.answer(turn(entities=promise))
    words = "I refunded it. Promised to you: a new mug, by Friday 06 March, 12:00"
    assert (promised.says[0].fields, promised.slots["outcome"]) == ({"done": words}, words)


async def test_a_second_complaint_brings_a_person(sources: SampleSources) -> None:
    """Once it is offered, then it is done."""
    action = Complaint("action_complaint", sources)
    assert (await action.answer(turn())).handoff is None
    assert (await action.answer(turn(actions=("action_complaint",)))).handoff is not None
