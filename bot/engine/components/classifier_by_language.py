"""`IntentClassifierByLanguage`: one classifier for each language that the bot speaks."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.exceptions import InvalidConfigException
from rasa.shared.nlu.constants import INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.engine.components.intent_classifier import LinearIntentClassifier
from bot.engine.components.knowledge import Knowledge, read_knowledge, write_knowledge
from bot.engine.components.language_identifier import language_of
from bot.engine.components.learning import learn

#: In a model's folder: the regexes that decide.
PATTERNS_FILE = "patterns.json"
#: Umlauts in a regex, outside of sets of letters, and what they match.
_UMLAUT = re.compile(r"\[[^\]]*\]|[äöüß]")
_SPELT = {"ä": "(?:ä|ae)", "ö": "(?:ö|oe)", "ü": "(?:ü|ue)", "ß": "(?:ß|ss)"}


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class IntentClassifierByLanguage(LinearIntentClassifier):
    """Does as `LinearIntentClassifier`, with examples and bars of each language by themselves.

    Together they would be worse: what is certain in one language is not in another. Yet where a language has an encoder
    that reads others too (`SentenceEmbeddingFeaturizer`), it learns from their examples beside its own. A message in a
    language that is not spoken here (see `LanguageIdentifier`) gets the intent `foreign_intent`.

    A regex of the training data with the name of an intent decides by itself, in any language and wherever in a message
    it is found: for what must not be missed.
    """

    def __init__(self, config: dict[str, Any], storage: ModelStorage, resource: Resource) -> None:
        super().__init__(config, storage, resource)
        self._others: dict[str, Knowledge] = {}
        self._patterns: dict[str, re.Pattern[str]] = {}

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """Return the settings that `config.yml` may change."""
        return {
            **LinearIntentClassifier.get_default_config(),
            # As of the `LanguageIdentifier`. Examples that say nothing (metadata: {language: de}) are in the first.
            "languages": ["en"],
            "foreign_intent": "foreign_language",
            # Settings that are others in a language: {language: {setting: value}}.
            "by_language": {},
        }

    def train(self, training_data: TrainingData) -> Resource:
        """Learn each language from its examples, and keep what was learnt.

        Raises:
            InvalidConfigException: there are too few intents in one.
        """
        first, *others = self._config["languages"]
        examples: dict[str, list[Message]] = defaultdict(list)
        for example in training_data.intent_examples:
            if example.get(INTENT) and example.get(TEXT):
                examples[language_of(example) or first].append(example)
        self._knowledge = self._learn(first, examples)
        self._others = {language: self._learn(language, examples) for language in others}
        self._patterns = _patterns(training_data)
        return self._keep()

    def _write(self, folder: Path) -> None:
        super()._write(folder)
        patterns = {intent: pattern.pattern for intent, pattern in self._patterns.items()}
        (folder / PATTERNS_FILE).write_text(json.dumps(patterns), "utf-8")
        for language, knowledge in self._others.items():
            part = folder / language
            part.mkdir()
            write_knowledge(knowledge, part)

    def _read(self, folder: Path) -> None:
        super()._read(folder)
        self._others = {part.name: read_knowledge(part) for part in sorted(folder.iterdir()) if part.is_dir()}
        patterns = json.loads((folder / PATTERNS_FILE).read_text("utf-8"))
        self._patterns = {intent: re.compile(pattern, re.IGNORECASE) for intent, pattern in patterns.items()}

    def _learn(self, language: str, examples: Mapping[str, list[Message]]) -> Knowledge:
        own = examples.get(language, [])
        if len({example.get(INTENT) for example in own}) < 2:
            raise InvalidConfigException(
                f"The training data has examples of fewer than two intents in the language “{language}”: add some, or"
                " take it from `languages` in config.yml."
            )
        lent = [example for other, theirs in examples.items() if other != language for example in theirs]
        return learn(own, {**self._config, **self._config["by_language"].get(language, {})}, lent)

    def process(self, messages: list[Message]) -> list[Message]:
        """Set the intent of each message, by what is known of its language."""
        for message in messages:
            if (intent := self._surely(message)) is not None:
                self._decide(message, intent)
            elif message.get("is_foreign"):
                self._decide(message, self._config["foreign_intent"])
            elif knowledge := self._others.get(message.get("language") or "", self._knowledge):
                self._set_intent(message, self._judge(message, knowledge), knowledge.intents)
        return messages

    def _surely(self, message: Message) -> str | None:
        """Return the intent whose pattern is found in a message."""
        text = str(message.get(TEXT) or "").replace("’", "'")
        return next((intent for intent, pattern in self._patterns.items() if pattern.search(text)), None)

    def _decide(self, message: Message, name: str) -> None:
        intent = {"name": name, "confidence": 1.0}
        message.set(INTENT, intent, add_to_output=True)
        message.set("intent_ranking", [intent], add_to_output=True)
        message.set("decision", "answer", add_to_output=True)
        message.set("is_request", False, add_to_output=True)


def _with_spelt_umlauts(pattern: str) -> str:
    """Return a pattern that also finds umlauts as people without the keys write them: "ueber", "schliessen"."""
    return _UMLAUT.sub(lambda found: _SPELT.get(found[0], found[0]), pattern)


def _patterns(training_data: TrainingData) -> dict[str, re.Pattern[str]]:
    """Return what the regexes find that have the name of an intent.

    Raises:
        InvalidConfigException: one of them is none; names it.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for feature in training_data.regex_features:
        intent, pattern = feature["name"], feature["pattern"]
        if intent in training_data.intents:
            found[intent].append(f"(?:{_with_spelt_umlauts(pattern)})")
            try:
                re.compile(found[intent][-1])
            except re.error as error:
                raise InvalidConfigException(f"A regex of {intent} cannot be read: {error}: {pattern}") from error
    return {intent: re.compile("|".join(parts), re.IGNORECASE) for intent, parts in found.items()}
