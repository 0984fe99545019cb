"""One step of a dialogue as a function: the dialogue so far and a message in, what follows from it out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from rasa.core.channels.channel import OutputChannel
from rasa.shared.constants import DEFAULT_NLU_FALLBACK_INTENT_NAME
from rasa.shared.core.constants import (
    ACTION_DEFAULT_FALLBACK_NAME,
    ACTION_TWO_STAGE_FALLBACK_NAME,
    REQUESTED_SLOT,
)
from rasa.shared.core.events import ActionExecuted, Event, SlotSet, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.exceptions import RasaException

from bot.engine.action_calls import failed_calls
from bot.engine.hearing import hear
from bot.engine.processor import ActionFailedError, StepProcessor
from bot.engine.segments import Reading, questions
from bot.engine.tracker import StepTracker

#: Characters of a message that are read.
MAX_TEXT = 4_096
#: A part of a message is a question of its own from this confidence on.
SURE = 0.7
#: Guesses told to the caller, and kept in the event of the message for actions to read.
RANKING_TOLD, RANKING_KEPT = 10, 4
#: What the event of a message keeps of its understanding, beside the ranking; actions read it.
_KEPT = ("text", "intent", "entities", "in_scope", "certainty", "decision", "article", "language", "is_foreign")


class RequestError(Exception):
    """The request, or the events in it, cannot be understood; the message says what is wrong with them."""


class TurnFailedError(Exception):
    """An action failed and with it the turn; `failures` lists {"action", "error"}."""

    def __init__(self, failures: list[dict[str, str]]) -> None:
        super().__init__(", ".join(failure["action"] for failure in failures))
        self.failures = failures


@dataclass(frozen=True, kw_only=True)
class StepRequest:
    """One message and the dialogue before it."""

    #: Opaque; Rasa's sender id.
    conversation: str
    #: Names the turn: the same id chooses the same variations of responses.
    message_id: str
    #: The network it came by; responses may differ by it.
    channel: str
    #: What the customer wrote, or the title of what they tapped.
    text: str
    #: What a tapped choice stands for, {"name", "entities"}: nothing needs understanding then.
    intent: dict[str, Any] | None
    #: The dialogue so far, as Rasa's event dictionaries.
    events: list[dict[str, Any]]
    #: Put on the message's event, where actions read it.
    metadata: dict[str, Any]

    @classmethod
    def from_json(cls, body: object) -> StepRequest:
        """Read a request.

        Raises:
            RequestError: something is missing or of the wrong kind.
        """
        if not isinstance(body, dict):
            raise RequestError("the body must be a JSON object")
        kinds: dict[str, tuple[type, ...]] = {
            "conversation": (str,), "message_id": (str,), "channel": (str,), "text": (str,),
            "intent": (dict, type(None)), "events": (list,), "metadata": (dict, type(None)),
        }  # fmt: skip
        for field, kind in kinds.items():
            if not isinstance(body.get(field), kind):
                raise RequestError(f"{field} must be {' or '.join(k.__name__ for k in kind)}")
        intent = body.get("intent")
        if intent is not None and not (
            isinstance(intent.get("name"), str) and isinstance(intent.get("entities", {}), dict)
        ):
            raise RequestError("intent must have a name and may have entities by name")
        if not body["conversation"] or not body["message_id"]:
            raise RequestError("conversation and message_id must not be empty")
        return cls(
            conversation=body["conversation"],
            message_id=body["message_id"],
            channel=body["channel"],
            text=_readable(body["text"]),
            intent=intent,
            events=body["events"],
            metadata=body.get("metadata") or {},
        )


class _Answers(OutputChannel):
    """Collects what the bot says, whole, under the name of the customer's channel."""

    def __init__(self, channel: str) -> None:
        self._channel = channel
        self.said: list[dict[str, Any]] = []

    def name(self) -> str:
        """Return the customer's channel, so that its own variations of responses match."""
        return self._channel

    async def send_response(self, recipient_id: str, message: dict[str, Any]) -> None:  # noqa: ARG002
        """Keep one message of the bot."""
        answer = {
            "text": message.get("text"),
            "buttons": [*(message.get("buttons") or []), *(message.get("quick_replies") or [])],
            "image": message.get("image"),
            "attachment": message.get("attachment"),
            "custom": message.get("custom") or {},
        }
        self.said.append(answer)


@dataclass(frozen=True, kw_only=True)
class _Message:
    """One message to be played: the customer's, or one of two questions in it."""

    id: str
    text: str
    #: What the understanding made of it.
    parsed: dict[str, Any]
    #: The intents of the questions in it, where it is two that cannot be asked one after the other.
    questions: tuple[str, ...] = ()


async def step(processor: StepProcessor, request: StepRequest) -> dict[str, Any]:
    """Return the new events, the answers and what was understood, ready for JSON; `docs` of the wire are in `server`.

    Raises:
        RequestError: the events are not a dialogue of this model, or the intent is not one of its.
        TurnFailedError: an action failed; nothing that the turn did is to be kept.
    """
    failures: list[dict[str, str]] = []
    failed_calls.set(failures)
    events = _events(request.events)
    tracker = _tracker(processor, request, events)
    parsed, asked = _understood(processor, request, tracker)
    whole = _Message(id=request.message_id, text=request.text, parsed=parsed)
    output = _Answers(request.channel)
    attempts = _two_questions(processor, replace(request, text=asked), tracker, whole) or [[whole]]
    try:
        for messages in attempts:
            if output.said or len(tracker.events) > len(events):  # the last attempt left its traces
                tracker, output = _tracker(processor, request, events), _Answers(request.channel)
            if await _play(processor, request, messages, tracker, output):
                break
    except ActionFailedError as error:
        raise TurnFailedError(failures) from error
    # Rasa goes on when an action that checks slots failed; the turn is worth nothing all the same.
    if failures:
        raise TurnFailedError(failures)
    return _outcome(processor, request, messages, tracker, output)


def _events(raw_events: list[dict[str, Any]]) -> list[Event]:
    events = []
    for number, raw in enumerate(raw_events):
        try:
            events.append(Event.from_parameters(raw))
        except (AttributeError, KeyError, TypeError, ValueError, RasaException) as error:
            raise RequestError(f"events[{number}] cannot be read: {error!r}") from error
    return events


def _tracker(processor: StepProcessor, request: StepRequest, events: list[Event]) -> DialogueStateTracker:
    try:
        return StepTracker.from_events(request.conversation, events, processor.domain.slots, domain=processor.domain)
    except (AttributeError, KeyError, TypeError, ValueError, RasaException) as error:
        raise RequestError(f"the events are not a dialogue: {error!r}") from error


def _understood(
    processor: StepProcessor, request: StepRequest, tracker: DialogueStateTracker
) -> tuple[dict[str, Any], str]:
    """Return what is made of the message, and the part of it that asks for that: not what it only denies."""
    if request.intent is None:

        def understand(text: str) -> dict[str, Any]:
            return processor.understand(text, tracker, request.metadata)

        is_in_form = bool(tracker.active_loop_name)
        return hear(request.text, understand(request.text), understand, in_form=is_in_form)
    name = request.intent["name"]
    if name not in processor.domain.intents:
        raise RequestError(f"the model knows no intent {name!r}")
    intent = {"name": name, "confidence": 1.0}
    entities = [{"entity": key, "value": value} for key, value in request.intent.get("entities", {}).items()]
    parsed = {"text": request.text, "intent": intent, "intent_ranking": [intent], "entities": entities}
    return parsed, request.text


def _two_questions(
    processor: StepProcessor, request: StepRequest, tracker: DialogueStateTracker, whole: _Message
) -> list[list[_Message]]:
    """Return the two questions of the message in both orders, then the message that names both for the actions.

    There is nothing where it is one question, or where a form awaits an answer.
    """
    if request.intent is not None or tracker.active_loop_name:
        return []
    readings: dict[str, dict[str, Any]] = {}

    def read(text: str) -> Reading:
        parsed = readings[text] = processor.understand(text, tracker, request.metadata)
        intent = parsed["intent"]
        return Reading(
            intent=intent["name"], is_question=bool(parsed.get("is_request")) and intent["confidence"] >= SURE
        )

    parts = questions(request.text, read)
    if len(parts) == 1:
        return []
    messages = [
        _Message(
            id=f"{request.message_id}.{number}",
            text=part,
            parsed=readings.get(part) or processor.understand(part, tracker, request.metadata),
        )
        for number, part in enumerate(parts, 1)
    ]
    intents = tuple(message.parsed["intent"]["name"] for message in messages)
    parsed = whole.parsed
    if parsed["intent"]["name"] not in intents:
        parsed = {**parsed, "intent": messages[0].parsed["intent"]}
    return [messages, messages[::-1], [replace(whole, parsed=parsed, questions=intents)]]


async def _play(
    processor: StepProcessor,
    request: StepRequest,
    messages: list[_Message],
    tracker: DialogueStateTracker,
    output: _Answers,
) -> bool:
    """Play the messages on the tracker; False where one opened a form that the next would disturb."""
    for number, message in enumerate(messages):
        if number and tracker.active_loop_name:
            return False
        await processor.run_turn(_user_event(request, message), tracker, output)
    return True


def _user_event(request: StepRequest, message: _Message) -> UserUttered:
    parsed = message.parsed
    kept: dict[str, Any] = {key: parsed[key] for key in _KEPT if key in parsed}
    kept["intent_ranking"] = (parsed.get("intent_ranking") or [])[:RANKING_KEPT]
    questions = {"questions": list(message.questions)} if message.questions else {}
    return UserUttered(
        message.text or None,
        parsed["intent"],
        parsed["entities"],
        kept,
        input_channel=request.channel,
        message_id=message.id,
        metadata=request.metadata | questions,
    )


def _outcome(
    processor: StepProcessor,
    request: StepRequest,
    messages: list[_Message],
    tracker: DialogueStateTracker,
    output: _Answers,
) -> dict[str, Any]:
    new = list(tracker.events)[len(request.events) :]
    parsed = messages[0].parsed
    return {
        "events": [event.as_dict() for event in new],
        "answers": output.said,
        "intent": parsed["intent"],
        "ranking": (parsed.get("intent_ranking") or [])[:RANKING_TOLD],
        "entities": [entity for message in messages for entity in message.parsed["entities"]],
        "fallback": _is_fallback(new, parsed["intent"]["name"], processor.fallback_action),
        "active_loop": tracker.active_loop_name,
        "slots": {name: value for name, value in tracker.current_slot_values().items() if value is not None},
        "actions": [event.action_name for event in new if isinstance(event, ActionExecuted)],
        "parts": [message.text for message in messages],
        "language": parsed.get("language"),
        "model_id": processor.model_metadata.model_id,
    }


def _is_fallback(new: list[Event], intent: str | None, fallback_action: str) -> bool:
    """Whether the message was not understood: nothing of it was of use, not even to a form that asked for it."""
    fallbacks = (fallback_action, ACTION_DEFAULT_FALLBACK_NAME, ACTION_TWO_STAGE_FALLBACK_NAME)
    if any(isinstance(event, ActionExecuted) and event.action_name in fallbacks for event in new):
        return True
    filled = any(
        isinstance(event, SlotSet) and event.key != REQUESTED_SLOT and event.value is not None for event in new
    )
    return intent == DEFAULT_NLU_FALLBACK_INTENT_NAME and not filled


def _readable(text: str) -> str:
    """Return the text without halves of characters and zeros, which no database takes, and not longer than is read."""
    text = text[:MAX_TEXT].encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.replace("\x00", "").strip()
