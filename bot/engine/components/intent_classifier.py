"""`LinearIntentClassifier`: which intent a message has, how surely, and whether it has any."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.classifiers.classifier import IntentClassifier
from rasa.shared.exceptions import InvalidConfigException
from rasa.shared.nlu.constants import INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.engine.components.decision import Verdict
from bot.engine.components.knowledge import Knowledge, read_knowledge, write_knowledge
from bot.engine.components.learning import learn, sentence_vector
from bot.engine.components.trained_component import TrainedComponent

logger = logging.getLogger(__name__)


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class LinearIntentClassifier(IntentClassifier, TrainedComponent):
    """Softmax regression on the sentence vector and n-grams, with honest confidences and one decision on each message.

    Sets `intent`, `intent_ranking`, `in_scope` and `certainty` (0 to 1), `decision` (answer, clarify, people) and
    `is_request` (whether the intent asks for something). A message that is not answered gets the fallback intent first
    and its best guesses after it. Nothing is pickled: a model holds numbers (npz) and text (json).
    """

    @staticmethod
    def required_packages() -> list[str]:
        """Name the packages whose versions make a trained model stale."""
        return ["numpy", "scipy"]

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """Return the settings that `config.yml` may change."""
        return {
            "l2": 1e-5,
            "max_iterations": 80,
            "folds": 5,
            # The share of answers to held-out messages that may be wrong, and the share of messages that is expected to
            # have none of the bot's topics: what is answered follows from them; see `decision`.
            "wrong_answers_max": 0.02,
            "strangers": 0.2,
            # Intents that are no request of their own: never one of two questions in one message; see
            # `bot.engine.segments`.
            "asides": [],
            # How many times likelier intents are while a conversation is somebody's: {owner: {intent: times}}.
            "expected": {},
            # Whether an intent's name counts as an example of it: not where names do not say what is meant ("faq_17").
            "names": True,
            # Weight and width of the n-gram features beside the sentence vector.
            "ngram_weight": 0.65,
            "ngram_width": 512,
            "ranking_length": 10,
            "fallback_intent": "nlu_fallback",
            "seed": 0,
        }

    def __init__(self, config: dict[str, Any], storage: ModelStorage, resource: Resource) -> None:
        super().__init__(config, storage, resource)
        self._knowledge: Knowledge | None = None
        self._told = False

    @classmethod
    def validate_config(cls, config: dict[str, Any]) -> None:
        """Refuse a setting that has no effect or no meaning.

        Raises:
            InvalidConfigException: names the setting.
        """
        for share in ("wrong_answers_max", "strangers"):
            if not 0 <= config.get(share, 0) < 1:
                raise InvalidConfigException(
                    f"LinearIntentClassifier: {share} is a share of messages, from 0 to below 1."
                )
        if config.get("folds", 2) < 2:
            raise InvalidConfigException("LinearIntentClassifier: folds must be 2 or more.")

    def train(self, training_data: TrainingData) -> Resource:
        """Learn from all examples that have an intent, and keep what was learnt."""
        examples = [example for example in training_data.intent_examples if example.get(INTENT) and example.get(TEXT)]
        if len({example.get(INTENT) for example in examples}) < 2:
            raise InvalidConfigException(
                "The training data has examples of fewer than two intents; nothing can be learnt."
            )
        self._knowledge = learn(examples, self._config)
        return self._keep()

    def _write(self, folder: Path) -> None:
        if self._knowledge is not None:
            write_knowledge(self._knowledge, folder)

    def _read(self, folder: Path) -> None:
        self._knowledge = read_knowledge(folder)

    def process(self, messages: list[Message]) -> list[Message]:
        """Set the intent of each message."""
        if self._knowledge is not None:
            for message in messages:
                self._set_intent(message, self._judge(message, self._knowledge), self._knowledge.intents)
        return messages

    def _judge(self, message: Message, knowledge: Knowledge) -> Verdict:
        text = message.get(TEXT) or ""
        vector = sentence_vector(message, TEXT, knowledge.encoder) if knowledge.full is not None else None
        if knowledge.full is not None and vector is None and text and not self._told:
            logger.warning(
                "The encoder that the model was trained with (%s) is missing: n-grams alone.", knowledge.encoder
            )
            self._told = True
        owner = (message.get("metadata") or {}).get("owner")
        return knowledge.judge(text, vector, self._config["expected"].get(owner) or {})

    def _set_intent(self, message: Message, verdict: Verdict, intents: list[str]) -> None:
        length = self._config["ranking_length"]
        order = np.argsort(-verdict.probabilities, kind="stable")[:length]
        ranking = [{"name": intents[i], "confidence": float(verdict.probabilities[i])} for i in order]
        decision = verdict.decision if message.get(TEXT) else "people"
        if decision != "answer":
            fallback = {"name": self._config["fallback_intent"], "confidence": 1 - verdict.certainty}
            ranking = [fallback, *ranking[: length - 1]]
        message.set(INTENT, ranking[0], add_to_output=True)
        message.set("intent_ranking", ranking, add_to_output=True)
        message.set("in_scope", verdict.in_scope, add_to_output=True)
        message.set("certainty", verdict.certainty, add_to_output=True)
        message.set("decision", decision, add_to_output=True)
        asides = (*self._config["asides"], self._config["fallback_intent"])
        message.set("is_request", ranking[0]["name"] not in asides, add_to_output=True)
