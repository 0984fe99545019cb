from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web

from bot.engine.processor import StepProcessor
from bot.engine.step import MAX_TEXT, RequestError, StepRequest, TurnFailedError, step
from tests.engine.conftest import Actions, Talk

GREETINGS = {"Hello!", "Hi there!", "Welcome!"}


async def test_a_message_is_answered_by_the_rules(talk: Talk) -> None:
    """A message leads to new events, an answer and what was understood."""
    outcome = await talk.say("when do you close")
    assert [answer["text"] for answer in outcome["answers"]] == ["We are open from nine to six."]
    assert outcome["intent"]["name"] == "opening_hours"
    assert outcome["ranking"][0] == outcome["intent"]
    assert [event["event"] for event in outcome["events"]][:3] == ["action", "session_started", "action"]
    assert outcome["actions"] == ["action_session_start", "action_listen", "utter_hours", "action_listen"]
    assert outcome["fallback"] is False
    assert outcome["model_id"]


async def test_nothing_is_kept_between_steps(talk: Talk, processor: StepProcessor) -> None:
    """The same request gives the same outcome, but for the clock, however often and after whatever else."""
    request = talk.request("hello")
    first = await step(processor, request)
    await talk.say("I want to return something")
    second = await step(processor, request)
    for outcome in (first, second):
        for event in outcome["events"]:
            event.pop("timestamp")
    assert first == second


async def test_variations_differ_between_messages_and_channels(talk: Talk) -> None:
    """Responses vary from message to message, and a channel's own variation wins."""
    heard = {(await talk.hear("hello"))[0] for _ in range(12)}
    assert len(heard) > 1
    assert heard <= GREETINGS
    assert await talk.hear("hello", channel="telegram") == ["Hello on Telegram!"]


async def test_a_form_collects_its_slots_over_several_turns(talk: Talk) -> None:
    """A form asks for one slot after the other and ends with all of them."""
    assert await talk.hear("I want to return something") == ["Which order?"]
    outcome = await talk.say("CL-104233")
    assert outcome["active_loop"] == "return_form"
    assert outcome["slots"]["order_number"] == "CL-104233"
    assert outcome["answers"][0]["buttons"] == [{"title": "Broken", "payload": "/inform"}]
    assert await talk.hear("the lid does not fit") == ["CL-104233 may come back because: the lid does not fit"]


async def test_what_fills_a_form_is_no_fallback(talk: Talk) -> None:
    """Inside a form words without an intent may be just the answer; only useless ones count as not understood."""
    await talk.say("return order CL-104233")
    assert (await talk.say("qwzx blorp"))["fallback"] is False
    await talk.say("cancel my order")
    outcome = await talk.say("the capital of France is Paris")
    assert (outcome["fallback"], outcome["active_loop"]) == (True, "cancel_form")


async def test_what_is_none_of_the_bots_business_is_a_fallback(talk: Talk) -> None:
    """A message that no intent wants is turned away, with the best guesses after it in the ranking."""
    outcome = await talk.say("what is the capital of france")
    assert outcome["fallback"] is True
    assert outcome["intent"]["name"] == "nlu_fallback"
    assert len(outcome["ranking"]) > 1


@pytest.mark.parametrize(
    "text",
    [
        "/restart",
        "/session_start",
        "/greet",
        " /restart",
        '/inform{"order_number":"CL-100000"}',
        "/back",
        "EXTERNAL: return_start",
    ],
)
async def test_a_customer_cannot_type_an_intent(talk: Talk, text: str) -> None:
    """Text is text: a slash or Rasa's mark of external events orders nothing, in the beginning or inside a form."""
    for _ in range(2):
        outcome = await talk.say(text)
        assert outcome["intent"]["confidence"] < 1.0
        assert "order_number" not in outcome["slots"] or outcome["slots"]["order_number"] == "CL-100000"
        assert not {"action_restart", "action_back"} & set(outcome["actions"])
        assert "restart" not in [event["event"] for event in outcome["events"]]
        await talk.say("cancel my order")


async def test_entities_in_a_typed_command_are_plain_text(talk: Talk) -> None:
    """A typed command with entities sets only what its plain text says, by the patterns that read all texts."""
    outcome = await talk.say('/inform{"reason":"free money","is_sure":true}')
    assert outcome["entities"] == []
    assert outcome["slots"] == {}


async def test_a_tapped_choice_needs_no_understanding(talk: Talk) -> None:
    """A server-made intent is taken as it is, with its entities."""
    outcome = await talk.say("Return it", intent={"name": "return_start", "entities": {"order_number": "CL-104871"}})
    assert outcome["intent"] == {"name": "return_start", "confidence": 1.0}
    assert outcome["slots"]["order_number"] == "CL-104871"
    assert outcome["answers"][0]["text"] == "Why?"


async def test_a_choice_of_an_unknown_intent_is_refused(talk: Talk) -> None:
    """An intent that the model does not know is the caller's mistake."""
    with pytest.raises(RequestError, match="no_such_intent"):
        await talk.say("x", intent={"name": "no_such_intent", "entities": {}})


async def test_two_questions_get_two_answers(talk: Talk) -> None:
    """Two sure questions in one message are answered one after the other in one step."""
    outcome = await talk.say("hi, what time do you close? and where is my order")
    assert [answer["text"] for answer in outcome["answers"]] == ["We are open from nine to six.", "It is on its way."]
    assert len(outcome["parts"]) == 2
    users = [event for event in outcome["events"] if event["event"] == "user"]
    assert [user["message_id"] for user in users] == ["message-1.1", "message-1.2"]


async def test_a_question_that_opens_a_form_is_answered_last(talk: Talk) -> None:
    """Where the first of two questions opens a form, the other is answered before the form asks."""
    assert await talk.hear("I want to return something, and what time do you close?") == [
        "We are open from nine to six.",
        "Which order?",
    ]


async def test_two_questions_that_both_open_forms_are_one_turn(talk: Talk) -> None:
    """Two forms at once are too much for one message: it is taken as a whole."""
    outcome = await talk.say("I want to return something. Please cancel order 104233")
    assert outcome["parts"] == ["I want to return something. Please cancel order 104233"]
    assert [event["event"] for event in outcome["events"]].count("user") == 1


async def test_a_form_takes_its_answer_whole(talk: Talk) -> None:
    """While a form waits for an answer, a message is never split."""
    await talk.say("return order 104233")
    reason = "what time do you close? where is my order?"
    assert await talk.hear(reason) == [f"104233 may come back because: {reason}"]


async def test_actions_are_called_with_the_message_and_its_metadata(talk: Talk, actions: Actions) -> None:
    """A custom action sees the conversation, the customer's message and its metadata, and proves who calls."""
    outcome = await talk.say("where is my order", metadata={"message_id": "message-1", "owner": "bot"})
    assert outcome["answers"][0]["custom"] == {"command": {"name": "x"}}
    (call,) = actions.calls
    assert call["next_action"] == "action_order_status"
    assert call["sender_id"] == "c0ffee"
    user = [event for event in call["tracker"]["events"] if event["event"] == "user"][-1]
    assert user["metadata"] == {"message_id": "message-1", "owner": "bot"}
    assert actions.headers[0]["Authorization"] == "Bearer secret-token"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda: web.Response(status=500, text="boom"), "status 500"),
        (lambda: web.Response(status=400, text="[]"), "not a JSON object"),
        (lambda: web.Response(text="not json"), "Expecting value"),
        (lambda: web.json_response([]), "not a JSON object"),
        (lambda: web.json_response({"events": [{"event": "no_such_event"}], "responses": []}), "not one of an action"),
    ],
)
async def test_a_failed_action_fails_the_turn(talk: Talk, actions: Actions, answer: Any, error: str) -> None:
    """Whatever goes wrong in an action, the turn is reported as failed, never as a turn without an answer."""
    actions.answer = lambda _: answer()
    with pytest.raises(TurnFailedError) as raised:
        await talk.say("where is my order")
    assert raised.value.failures[0]["action"] == "action_order_status"
    assert error in raised.value.failures[0]["error"]


async def test_the_domain_is_sent_to_whoever_asks_for_it(talk: Talk, actions: Actions) -> None:
    """Calls name the domain by its digest; where that is unknown, the same call is made with the domain in it."""
    answer, known = actions.answer, set[str]()

    def asking(call: dict[str, Any]) -> web.Response:
        if "domain" in call:
            known.add(call["domain_digest"])
        return answer(call) if call["domain_digest"] in known else web.json_response({}, status=449)

    actions.answer = asking
    for _ in range(2):
        assert (await talk.say("where is my order CL-104233"))["answers"]
    assert ["domain" in call for call in actions.calls] == [False, True, False]
    assert "action_order_status" in actions.calls[1]["domain"]["actions"]
    assert actions.calls[1].items() >= actions.calls[0].items()


async def test_a_rejected_action_is_part_of_the_dialogue(talk: Talk, actions: Actions) -> None:
    """An action may say that it does not want to run now; that is no failure."""
    actions.answer = lambda _: web.json_response({"action_name": "action_order_status", "error": "not now"}, status=400)
    outcome = await talk.say("where is my order")
    assert "action_execution_rejected" in [event["event"] for event in outcome["events"]]


async def test_reminders_are_handed_to_the_caller(talk: Talk, actions: Actions) -> None:
    """A reminder that an action sets is an event for the caller; the engine keeps none."""
    reminder = {"event": "reminder", "intent": "greet", "entities": {}, "date_time": "2026-11-22T10:00:00", "name": "r",
                "kill_on_user_msg": False}  # fmt: skip
    actions.answer = lambda _: web.json_response({"events": [reminder], "responses": []})
    outcome = await talk.say("where is my order")
    assert [event["name"] for event in outcome["events"] if event["event"] == "reminder"] == ["r"]


async def test_a_long_silence_restarts_nothing(talk: Talk) -> None:
    """Sessions end when the service says so: an old last message does not make the bot forget a form."""
    await talk.say("return order 104233")
    for event in talk.events:
        event["timestamp"] -= 30 * 24 * 3600
    assert (await talk.hear("the lid is broken"))[0].startswith("104233 may come back")


async def test_a_hand_back_goes_on_where_the_form_was(talk: Talk) -> None:
    """After a person has answered and handed back, the paused bot goes on with the form it was in."""
    await talk.say("return order 104233")
    talk.events.append({"event": "pause"})
    assert await talk.hear("anybody there?") == []
    talk.events += [
        {"event": "agent", "text": "I am Ada."},
        {"event": "resume"},
        {"event": "action", "name": "action_listen"},
    ]
    assert await talk.hear("the lid is broken") == ["104233 may come back because: the lid is broken"]


@pytest.mark.parametrize(
    "text", ["", "   ", "\x00", "\ud800", "😡", "a\ud800b", "x" * 1_000_000, "\n" * 5_000, "؟مرحبا"]
)
async def test_any_text_is_a_message(talk: Talk, text: str) -> None:
    """Empty, broken and endless texts are answered like others; what is kept of them can be stored."""
    outcome = await talk.say(text)
    assert outcome["answers"]
    kept = json.dumps(outcome["events"], ensure_ascii=False).encode()
    assert len(kept) < 3 * MAX_TEXT + 4_000


@pytest.mark.parametrize(
    "events",
    [
        ["x"],
        [{}],
        [{"event": "no_such_event"}],
        [{"event": "user", "text": 5, "parse_data": 7}],
        [None],
    ],
)
async def test_events_that_are_none_are_refused(talk: Talk, events: list[Any]) -> None:
    """A dialogue that cannot be read is refused, not half read."""
    with pytest.raises(RequestError):
        await talk.say("hello", events=events)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("conversation", None),
        ("conversation", ""),
        ("text", 5),
        ("events", {}),
        ("intent", "greet"),
        ("intent", {}),
        ("metadata", []),
    ],
)
def test_requests_of_the_wrong_kind_are_refused_by_field(field: str, value: object) -> None:
    """A request that lacks something or has it of the wrong kind is refused with the field's name."""
    body: dict[str, Any] = {
        "conversation": "c",
        "message_id": "m",
        "channel": "web",
        "text": "hi",
        "intent": None,
        "events": [],
    }
    with pytest.raises(RequestError, match=field):
        StepRequest.from_json({**body, field: value})
