"""Rasa's message processor, reduced to one turn of one conversation that nothing outlives."""

from __future__ import annotations

import tarfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from rasa.core.actions.action import Action, ActionExecutionRejection
from rasa.core.channels.channel import OutputChannel, UserMessage
from rasa.core.lock_store import InMemoryLockStore
from rasa.core.nlg import NaturalLanguageGenerator, TemplatedNaturalLanguageGenerator
from rasa.core.policies.policy import PolicyPrediction
from rasa.core.policies.rule_policy import RulePolicy
from rasa.core.processor import MessageProcessor
from rasa.core.tracker_store import InMemoryTrackerStore
from rasa.engine.constants import PLACEHOLDER_MESSAGE, PLACEHOLDER_TRACKER
from rasa.engine.exceptions import GraphComponentException
from rasa.exceptions import ModelNotFound
from rasa.nlu.classifiers.regex_message_handler import RegexMessageHandler
from rasa.shared.core.constants import ACTION_DEFAULT_FALLBACK_NAME
from rasa.shared.core.events import ActionExecutionRejected, Event, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.exceptions import RasaException

from bot.engine.action_calls import ActionEndpoint, failed_calls
from bot.engine.events import look_events_up

#: What Rasa raises for an archive that is none, or that was made by another version of it or of our components.
_UNLOADABLE = (
    ModelNotFound, GraphComponentException, RasaException, tarfile.TarError, OSError, EOFError, KeyError, ValueError,
)  # fmt: skip


class ModelError(Exception):
    """There is no model that can be loaded; the message says what to do."""


class ActionFailedError(Exception):
    """An action of the turn failed, so the turn is worth nothing."""


class StepProcessor(MessageProcessor):
    """A loaded model that runs turns on trackers it is given.

    Unlike Rasa's own it never reads an intent out of a customer's text, starts no session by the clock, keeps no
    reminder in memory, and lets a failed action fail the turn.
    """

    def __init__(self, model: Path, actions: ActionEndpoint) -> None:
        """Load the model.

        Raises:
            ModelError: there is none at this path, or it is not one of Rasa's.
        """
        if not model.is_file():
            raise ModelError(f"There is no model at {model}: run `python -m bot train`.")
        try:
            # The stores are there because Rasa asks for them; no turn reaches them.
            super().__init__(model, InMemoryTrackerStore(None), InMemoryLockStore(), RepeatableResponses({}), actions)
        except _UNLOADABLE as error:
            reason = error.__cause__ or error
            raise ModelError(f"The model {model} cannot be loaded ({reason}): run `python -m bot train`.") from error
        if self.model_metadata.core_target is None or self.model_metadata.nlu_target is None:
            raise ModelError(
                f"The model {model} lacks stories or intents: train it with `rasa train`, not only a part of it."
            )
        look_events_up()
        self.nlg = RepeatableResponses(self.domain.responses)
        self._understanding = self._target_before_commands()

    @property
    def fallback_action(self) -> str:
        """The action that config.yml names for messages that are not understood."""
        nodes = self.model_metadata.predict_schema.nodes.values()
        rules: dict[str, Any] = next((node.config for node in nodes if issubclass(node.uses, RulePolicy)), {})
        return str(rules.get("core_fallback_action_name", ACTION_DEFAULT_FALLBACK_NAME))

    def understand(
        self, text: str, tracker: DialogueStateTracker, metadata: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return what the understanding makes of a text: intent, ranking, entities and what else its components say.

        The components are told, in the metadata, the language of the conversation and whether it has begun.
        """
        language = tracker.slots.get("language")
        situation = {
            "language": language.value if language is not None else None,
            "has_begun": tracker.latest_message is not None and bool(tracker.latest_message.text),
        }
        message = UserMessage(text, sender_id=tracker.sender_id, metadata={**(metadata or {}), **situation})
        inputs = {PLACEHOLDER_MESSAGE: [message], PLACEHOLDER_TRACKER: tracker}
        parsed = self.graph_runner.run(inputs, targets=[self._understanding])[self._understanding][0]
        found = {"text": "", "intent": {"name": None, "confidence": 0.0}, "entities": []}
        return {**found, **parsed.as_dict(only_output_properties=True)}

    async def run_turn(self, user: UserUttered, tracker: DialogueStateTracker, output: OutputChannel) -> None:
        """Add a customer's message and all that follows from it to the tracker, up to the next time the bot listens.

        Raises:
            ActionFailedError: an action failed.
        """
        await self._update_tracker_session(tracker, output)
        tracker.update(user, self.domain)
        await self.run_action_extract_slots(output, tracker)
        await self._run_prediction_loop(output, tracker)

    async def _run_action(
        self,
        action: Action,
        tracker: DialogueStateTracker,
        output_channel: OutputChannel,
        nlg: NaturalLanguageGenerator,
        prediction: PolicyPrediction,
    ) -> bool:
        """Do as Rasa does, but raise where Rasa would log a failed action and go on without what it had to say."""
        # A rejected action leaves no trace, so it works on a copy.
        copy = tracker.copy()
        copy.update_with_events(prediction.events, self.domain)
        try:
            events = await action.run(output_channel, nlg, copy, self.domain)
        except ActionExecutionRejection:
            tracker.update(ActionExecutionRejected(action.name(), prediction.policy_name, prediction.max_confidence))
            return bool(self.should_predict_another_action(action.name()))
        except Exception as error:
            if not failed_calls.get():
                failed_calls.get().append({"action": action.name(), "error": f"{type(error).__name__}: {error}"[:500]})
            raise ActionFailedError(action.name()) from error
        self._log_action_on_tracker(tracker, action, events, prediction)
        if any(isinstance(event, UserUttered) for event in events):
            tracker = await self.run_action_extract_slots(output_channel, tracker)
        await self._send_bot_messages(events, tracker, output_channel)
        return bool(self.should_predict_another_action(action.name()))

    def _log_action_on_tracker(
        self, tracker: DialogueStateTracker, action: Action, events: list[Event], prediction: PolicyPrediction
    ) -> None:
        """Put what an action did on the tracker as Rasa does, without deep copies for a debug log nobody reads."""
        if not any(isinstance(event, ActionExecutionRejected) for event in events):
            tracker.update_with_events(prediction.events, self.domain)
            tracker.update(action.event_for_successful_execution(prediction))
        tracker.update_with_events(events, self.domain)

    def _has_session_expired(self, tracker: DialogueStateTracker) -> bool:  # noqa: ARG002
        """Sessions end when the caller says so."""
        return False

    def _target_before_commands(self) -> str:
        """Return the last node of the understanding before the one that takes `/intent{...}` in a text for an order."""
        target = self.model_metadata.nlu_target
        node = self.model_metadata.predict_schema.nodes[target]
        while issubclass(node.uses, RegexMessageHandler):
            target = node.needs["messages"]
            node = self.model_metadata.predict_schema.nodes[target]
        return str(target)


class RepeatableResponses(TemplatedNaturalLanguageGenerator):
    """Chooses among the variations of a response by the message it answers, so that a repeated turn says the same.

    A response `de.utter_greet` takes the place of `utter_greet` where the slot `language` is `de`.
    """

    async def generate(
        self, utter_action: str, tracker: DialogueStateTracker, output_channel: str, **kwargs: Any
    ) -> dict[str, Any] | None:
        """Return the response to utter, filled from the slots, or None where the domain has none of this name."""
        message = tracker.latest_message.message_id if tracker.latest_message else ""
        # Rasa draws from numpy's global dice at once, before anything else can.
        np.random.seed(zlib.crc32(f"{message}/{utter_action}".encode()))  # noqa: NPY002
        language = tracker.slots.get("language")
        translated = f"{language.value}.{utter_action}" if language is not None and language.value else ""
        name = translated if translated in self.responses else utter_action
        response: dict[str, Any] | None = await super().generate(name, tracker, output_channel, **kwargs)
        return response
