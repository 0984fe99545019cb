"""`LanguageIdentifier`: what language a message is in, and whether it is one that the bot speaks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.exceptions import InvalidConfigException
from rasa.shared.nlu.constants import ENTITIES, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.engine.components.language_words import LanguageWords
from bot.engine.components.languages import KNOWN, Languages, read_languages, write_languages
from bot.engine.components.trained_component import TrainedComponent

#: The entity that tells a change of language, and the slot that keeps it.
LANGUAGE = "language"


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class LanguageIdentifier(TrainedComponent):
    """Sets `language` (a code) and `is_foreign` of each message, before anything else reads it.

    A language that is spoken here but not the one of the conversation so far, which the metadata tell, is an entity
    `language` as well, for a slot. What is foreign is for the classifier behind this to say.
    """

    @staticmethod
    def required_packages() -> list[str]:
        """Name the packages whose versions make a trained model stale."""
        return ["numpy", "py3langid"]

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """Return the settings that `config.yml` may change."""
        # The languages that the bot speaks; the first is that of conversations that do not tell.
        return {"languages": ["en"]}

    def __init__(self, config: dict[str, Any], storage: ModelStorage, resource: Resource) -> None:
        super().__init__(config, storage, resource)
        self._served: list[str] = self._config["languages"]
        self._languages: Languages | None = None
        self._words = LanguageWords(counts={})

    @classmethod
    def validate_config(cls, config: dict[str, Any]) -> None:
        """Refuse languages that cannot be told.

        Raises:
            InvalidConfigException: names them.
        """
        served = config.get("languages", ["en"])
        unknown = [language for language in served if language not in KNOWN]
        if unknown or not served:
            raise InvalidConfigException(
                f"LanguageIdentifier: languages must be of {', '.join(KNOWN)}; {unknown or 'none'} cannot be told."
            )

    def train(self, training_data: TrainingData) -> Resource:
        """Learn the words of the languages that are spoken here, and keep them with what tells all languages."""
        examples = [example for example in training_data.intent_examples if example.get(TEXT)]
        spoken = [(language_of(example) or self._served[0], str(example.get(TEXT))) for example in examples]
        self._words = LanguageWords.learn(part for part in spoken if part[0] in self._served)
        return self._keep()

    def _write(self, folder: Path) -> None:
        write_languages(folder, self._words)

    def _read(self, folder: Path) -> None:
        self._languages = read_languages(folder)

    def process(self, messages: list[Message]) -> list[Message]:
        """Tell the language of each message."""
        if self._languages is not None:
            for message in messages:
                self._tell(message, self._languages)
        return messages

    def _tell(self, message: Message, languages: Languages) -> None:
        situation = message.get("metadata") or {}
        known = situation.get(LANGUAGE)
        current = known if known in self._served else self._served[0]
        has_begun = bool(known or situation.get("has_begun"))
        guess = languages.guess(str(message.get(TEXT) or ""), self._served, current if has_begun else None)
        message.set("language", guess.language, add_to_output=True)
        message.set("is_foreign", guess.is_foreign, add_to_output=True)
        if not guess.is_foreign and guess.language != current:
            changed = {"entity": LANGUAGE, "value": guess.language, "extractor": type(self).__name__}
            message.set(ENTITIES, [*message.get(ENTITIES, []), changed], add_to_output=True)


def language_of(example: Message) -> str | None:
    """Return the language that the file of an example names, if it names one."""
    marks = (example.get("metadata") or {}).get("intent")
    return marks.get("language") if isinstance(marks, dict) else None
