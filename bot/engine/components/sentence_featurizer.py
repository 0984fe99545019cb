"""`SentenceEmbeddingFeaturizer`: the meaning of a message as one dense vector."""

from __future__ import annotations

import logging
import re
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

from bot.engine.components.language_identifier import language_of
from bot.engine.components.sentence_encoder import ENCODER, SentenceEncoder, encoder_folders, load_encoder
from bot.engine.components.softmax import Floats
from bot.engine.components.typos import with_typos
from bot.engine.components.vector_cache import VectorCache

logger = logging.getLogger(__name__)

#: The attribute of a training message that holds its mistyped copy.
TYPO_TEXT = "text_with_typos"
#: The one that holds what its intent is called, in words.
NAME_TEXT = "intent_in_words"
#: The one that holds its text for other languages to learn from.
LENT_TEXT = "text_lent"
#: How the origin of sentence vectors begins; the start of the encoder's hash follows.
ORIGIN = "SentenceEmbeddingFeaturizer:"


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER, is_trainable=False)
class SentenceEmbeddingFeaturizer(DenseFeaturizer, GraphComponent):
    """Adds a sentence vector to each message, and to each training message one mistyped copy with its vector.

    Messages in a language that has an encoder of its own get its vectors; where it has examples, all others get them as
    well, for that language to learn from them (`LENT_TEXT`). Without the encoder's files no vectors are added, which is
    said in the log: the classifier then works from n-grams alone. The features' origin ends with the start of the
    encoder's hash, by which the classifier knows them again.
    """

    @classmethod
    def required_components(cls) -> list[type]:
        """Name what must stand before this in the pipeline."""
        return [Tokenizer]

    @staticmethod
    def required_packages() -> list[str]:
        """Name the packages whose versions make a trained model stale."""
        return ["onnxruntime", "sentencepiece", "tokenizers"]

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """Return the settings that `config.yml` may change."""
        return {
            **DenseFeaturizer.get_default_config(),
            # Folder of the encoder's files, seen from where the process was started. `var/encoder/large` is the large
            # encoder: training fetches its weights (404 MB) once, where it is named here; see `bot.engine.encoder`.
            "encoder": ENCODER,
            # Settings that are others in a language: {language: {encoder: folder}}. `var/encoder/multilingual` is the
            # one that reads a hundred languages.
            "by_language": {},
            # Share of letters mistyped in a training message's noisy copy; 0 makes no copies.
            "typo_rate": 0.06,
            # Folder where the vectors of training messages are kept for the next training.
            "cache": "var/cache",
            "seed": 0,
        }

    def __init__(self, config: dict[str, Any], name: str) -> None:
        super().__init__(name, config)
        self._others = {language: _loaded(folder) for language, folder in encoder_folders(self._config).items()}
        self._encoder = self._others.pop("")

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
        for message in messages:
            encoder = self._encoder_of(message.get("language"))
            if encoder is not None and message.get(TEXT):
                _add_vector(message, TEXT, encoder.encode(message.get(TEXT)), encoder)
        return messages

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Add noisy copies, the names of intents, and the vectors of all of it to the training messages."""
        examples = training_data.training_examples
        for message in examples:
            if message.get(TEXT) and self._config["typo_rate"]:
                message.set(TYPO_TEXT, with_typos(message.get(TEXT), self._config["typo_rate"], self._config["seed"]))
            if message.get(TEXT) and message.get(INTENT):
                message.set(NAME_TEXT, in_words(message.get(INTENT)))
                message.set(LENT_TEXT, message.get(TEXT))
        for encoder in {*self._others.values(), self._encoder}:
            theirs = [message for message in examples if self._encoder_of(language_of(message)) is encoder]
            self._add_vectors(theirs, encoder, (TEXT, TYPO_TEXT, NAME_TEXT))
        spoken = {language_of(message) for message in examples}
        for encoder in {encoder for language, encoder in self._others.items() if language in spoken}:
            self._add_vectors(examples, encoder, (LENT_TEXT,))
        return training_data

    def _encoder_of(self, language: str | None) -> SentenceEncoder | None:
        return self._others.get(language or "", self._encoder)

    def _add_vectors(
        self, examples: list[Message], encoder: SentenceEncoder | None, attributes: tuple[str, ...]
    ) -> None:
        if encoder is None:
            return
        cache = VectorCache(Path(self._config["cache"]), encoder)
        told = [
            (message, attribute, message.get(attribute))
            for message in examples
            for attribute in attributes
            if message.get(attribute)
        ]
        cache.learn(text for _, _, text in told)
        for message, attribute, text in told:
            _add_vector(message, attribute, cache.encode(text), encoder)
        cache.save()


def origin_of(encoder: SentenceEncoder) -> str:
    """Return the origin of an encoder's vectors."""
    return f"{ORIGIN}{encoder.sha256[:16]}"


def _loaded(folder: str) -> SentenceEncoder | None:
    encoder = load_encoder(Path(folder))
    if encoder is None:
        logger.warning(
            "No sentence encoder in %s: n-grams alone must do. `python -m bot train` prepares the encoder.", folder
        )
    return encoder


def _add_vector(message: Message, attribute: str, vector: Floats, encoder: SentenceEncoder) -> None:
    message.add_features(Features(vector[None, :], FEATURE_TYPE_SENTENCE, attribute, origin_of(encoder)))


def in_words(intent: str) -> str:
    """Return the name of an intent as somebody would say it."""
    return " ".join(re.findall(r"[^\W_]+", intent)).lower() or intent
