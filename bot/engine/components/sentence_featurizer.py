"""`SentenceEmbeddingFeaturizer`: the meaning of a message as one dense vector."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.featurizers.dense_featurizer.dense_featurizer import DenseFeaturizer
from rasa.nlu.tokenizers.tokenizer import Tokenizer
from rasa.shared.nlu.constants import FEATURE_TYPE_SENTENCE, INTENT, TEXT
from rasa.shared.nlu.training_data.features import Features
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.engine.components.sentence_encoder import load_encoder
from bot.engine.components.softmax import Floats
from bot.engine.components.typos import with_typos
from bot.engine.components.vector_cache import VectorCache

logger = logging.getLogger(__name__)

#: The attribute of a training message that holds its mistyped copy.
TYPO_TEXT = "text_with_typos"
#: The one that holds what its intent is called, in words.
NAME_TEXT = "intent_in_words"
#: How the origin of sentence vectors begins; the start of the encoder's hash follows.
ORIGIN = "SentenceEmbeddingFeaturizer:"


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER, is_trainable=False)
class SentenceEmbeddingFeaturizer(DenseFeaturizer, GraphComponent):
    """Adds a sentence vector to each message, and to each training message one mistyped copy with its vector.

    Without the encoder's files it adds no vectors and says so in the log: the classifier then works from n-grams alone.
    The features' origin ends with the start of the encoder's hash, by which the classifier knows them again.
    """

    @classmethod
    def required_components(cls) -> list[type]:
        """Name what must stand before this in the pipeline."""
        return [Tokenizer]

    @staticmethod
    def required_packages() -> list[str]:
        """Name the packages whose versions make a trained model stale."""
        return ["onnxruntime", "tokenizers"]

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """Return the settings that `config.yml` may change."""
        return {
            **DenseFeaturizer.get_default_config(),
            # Folder of the encoder's files, seen from where the process was started. `var/encoder/large` is the large
            # encoder: training fetches its weights (404 MB) once, where it is named here; see `bot.engine.encoder`.
            "encoder": "var/encoder",
            # Share of letters mistyped in a training message's noisy copy; 0 makes no copies.
            "typo_rate": 0.06,
            # Folder where the vectors of training messages are kept for the next training.
            "cache": "var/cache",
            "seed": 0,
        }

    def __init__(self, config: dict[str, Any], name: str) -> None:
        super().__init__(name, config)
        self._encoder = load_encoder(Path(self._config["encoder"]))
        if self._encoder is None:
            logger.warning(
                "No sentence encoder in %s: n-grams alone must do. `python -m bot train` prepares the encoder.",
                self._config["encoder"],
            )

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,  # noqa: ARG003
        resource: Resource,  # noqa: ARG003
        execution_context: ExecutionContext,
    ) -> SentenceEmbeddingFeaturizer:
        """Make the component for training and for use alike."""
        return cls(config, execution_context.node_name)

    @classmethod
    def validate_config(cls, config: dict[str, Any]) -> None:
        """Accept any settings: what is wrong with a folder shows when it is read."""

    def process(self, messages: list[Message]) -> list[Message]:
        """Add the vector of each message that has a text."""
        if self._encoder is not None:
            for message in messages:
                self._add_vector(message, TEXT, self._encoder.encode)
        return messages

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Add noisy copies, the names of intents, and the vectors of all of it to the training messages."""
        cache = VectorCache(Path(self._config["cache"]), self._encoder) if self._encoder is not None else None
        examples = training_data.training_examples
        for message in examples:
            if message.get(TEXT) and self._config["typo_rate"]:
                message.set(TYPO_TEXT, with_typos(message.get(TEXT), self._config["typo_rate"], self._config["seed"]))
            if message.get(TEXT) and message.get(INTENT):
                message.set(NAME_TEXT, in_words(message.get(INTENT)))
        if cache is not None:
            attributes = (TEXT, TYPO_TEXT, NAME_TEXT)
            cache.learn(text for example in examples for name in attributes if (text := example.get(name)))
            for message in examples:
                for name in attributes:
                    self._add_vector(message, name, cache.encode)
            cache.save()
        return training_data

    def _add_vector(self, message: Message, attribute: str, encode: Callable[[str], Floats]) -> None:
        text = message.get(attribute)
        if self._encoder is not None and text:
            origin = f"{ORIGIN}{self._encoder.sha256[:16]}"
            message.add_features(Features(encode(text)[None, :], FEATURE_TYPE_SENTENCE, attribute, origin))


def in_words(intent: str) -> str:
    """Return the name of an intent as somebody would say it."""
    return " ".join(re.findall(r"[^\W_]+", intent)).lower() or intent
