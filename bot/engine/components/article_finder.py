"""`ArticleFinder`: answers what no intent does with what the brand's articles say."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Container
from pathlib import Path
from typing import Any

from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.classifiers.classifier import IntentClassifier
from rasa.shared.exceptions import InvalidConfigException
from rasa.shared.nlu.constants import INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.engine.components.article_index import Encode, Match, Shelf, bare, build_shelf, read_shelves, write_shelves
from bot.engine.components.articles import ArticleError, Passage, fingerprint, read_articles
from bot.engine.components.language_identifier import language_of
from bot.engine.components.learning import sentence_vector
from bot.engine.components.sentence_encoder import ENCODER, load_encoder
from bot.engine.components.sentence_featurizer import origin_of
from bot.engine.components.trained_component import TrainedComponent
from bot.engine.components.vector_cache import VectorCache

logger = logging.getLogger(__name__)

#: Passages looked at for a message.
_NEAREST = 3
#: Training messages that are asked of the articles to find their bar.
_ASKED = 400


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class ArticleFinder(IntentClassifier, TrainedComponent):
    """Looks each message up in a folder of Markdown (see `articles`) and answers it where nothing else does.

    A message that the classifier before it answers keeps its intent, unless it is a heading word for word. Any other
    gets `intent`, where a passage is near enough. `article` is the passage that answers, with its source and what else
    comes near; `articles` are the nearest, whether they answer or not, for trainers.
    """

    @staticmethod
    def required_packages() -> list[str]:
        """Name the packages whose versions make a trained model stale."""
        return ["numpy"]

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """Return the settings that `config.yml` may change."""
        return {
            # Folder of the articles, seen from where the process was started.
            "folder": "knowledge",
            # Of questions that no article answers, the share that may be answered all the same.
            "strangers_answered_max": 0.05,
            "intent": "knowledge",
            # Of the articles that stand in no folder of a language's name.
            "language": "en",
            # Settings that are others in a language: {language: {setting: value}}.
            "by_language": {},
            # As of the featurizer. Only the articles of the language above are read by it: another has one in
            # `by_language`, or is looked up by n-grams alone.
            "encoder": ENCODER,
            "cache": "var/cache",
        }

    @classmethod
    def fingerprint_addon(cls, config: dict[str, Any]) -> str | None:
        """Return a hash of the articles: when they change, this alone is trained again."""
        return fingerprint(Path(config.get("folder", cls.get_default_config()["folder"])))

    def __init__(self, config: dict[str, Any], storage: ModelStorage, resource: Resource) -> None:
        super().__init__(config, storage, resource)
        self._shelves: dict[str, Shelf] = {}

    @classmethod
    def validate_config(cls, config: dict[str, Any]) -> None:
        """Refuse a share that is none.

        Raises:
            InvalidConfigException: names the setting.
        """
        if not 0 < config.get("strangers_answered_max", 0.05) < 1:
            raise InvalidConfigException("ArticleFinder: strangers_answered_max is a share, above 0 and below 1.")

    def train(self, training_data: TrainingData) -> Resource:
        """Read the articles, find out how near a question must come, and keep both.

        Raises:
            InvalidConfigException: an article cannot be read.
        """
        try:
            passages = read_articles(Path(self._config["folder"]))
        except ArticleError as error:
            raise InvalidConfigException(str(error)) from error
        examples = [example for example in training_data.intent_examples if example.get(INTENT) and example.get(TEXT)]
        by_language: dict[str, list[Passage]] = defaultdict(list)
        for passage in passages:
            by_language[passage.language].append(passage)
        for language, theirs in by_language.items():
            asked = _spoken(examples, {language} if language else {None, self._config["language"]})
            self._shelves[language] = self._shelf(language, theirs, asked)
        logger.info("Read %d passages of articles", len(passages))
        return self._keep()

    def _write(self, folder: Path) -> None:
        write_shelves(self._shelves, folder)

    def _read(self, folder: Path) -> None:
        self._shelves = read_shelves(folder)

    def _shelf(self, language: str, passages: list[Passage], asked: list[Message]) -> Shelf:
        own = self._config["by_language"].get(language, {})
        # The first language's encoder reads that one alone: elsewhere n-grams do better without it.
        named = own.get("encoder") if language else self._config["encoder"]
        encoder = load_encoder(Path(named)) if named else None
        cache = VectorCache(Path(self._config["cache"]), encoder) if encoder else None
        encode, name = (cache.encode, origin_of(encoder)) if cache and encoder else (None, "")
        most = own.get("strangers_answered_max", self._config["strangers_answered_max"])
        shelf = build_shelf(passages, [str(example.get(TEXT)) for example in asked], encode, most, name)
        shelf.shared.extend(_shared(shelf, asked, encode))
        if cache:
            cache.save()
        return shelf

    def process(self, messages: list[Message]) -> list[Message]:
        """Look each message up."""
        for message in messages:
            if message.get(TEXT):
                self._look_up(message)
        return messages

    def _look_up(self, message: Message) -> None:
        language = message.get("language")
        # Articles of the first language stand in the folder itself.
        shelf = self._shelves.get("" if language in {None, self._config["language"]} else language)
        if shelf is None or message.get("is_foreign"):
            return
        text = str(message.get(TEXT))
        matches = shelf.find(text, sentence_vector(message, TEXT, shelf.encoder), _NEAREST)
        message.set("articles", [_told(match) for match in matches], add_to_output=True)
        answers = [match for match in matches if match.is_answer]
        if not answers:
            return
        best, *others = answers
        article = _told(best) | {"text": best.passage.text, "link": best.passage.link}
        article["others"] = [match.passage.heading for match in others if match.passage.heading != best.passage.heading]
        message.set("article", article, add_to_output=True)
        if message.get("decision") != "answer" or bare(best.passage.heading) == bare(text):
            self._answer(message, best)

    def _answer(self, message: Message, best: Match) -> None:
        intent = {"name": self._config["intent"], "confidence": best.confidence}
        message.set(INTENT, intent, add_to_output=True)
        message.set("intent_ranking", [intent, *(message.get("intent_ranking") or [])], add_to_output=True)
        message.set("decision", "answer", add_to_output=True)
        message.set("is_request", True, add_to_output=True)


def _spoken(examples: list[Message], languages: Container[str | None]) -> list[Message]:
    """Return some of the examples in a language, none for the first one: how near others come says nothing of it."""
    spoken = [example for example in examples if language_of(example) in languages]
    return spoken[:: max(1, len(spoken) // _ASKED)]


def _shared(shelf: Shelf, asked: list[Message], encode: Encode | None) -> list[tuple[str, str, int]]:
    """Return which headings answer messages that have an intent of their own: (heading, intent, how many)."""
    found: Counter[tuple[str, str]] = Counter()
    for example in asked:
        text = str(example.get(TEXT))
        (best,) = shelf.find(text, encode(text) if encode else None, 1)
        if best.is_answer:
            found[best.passage.heading, str(example.get(INTENT))] += 1
    return [(heading, intent, count) for (heading, intent), count in found.most_common()]


def _told(match: Match) -> dict[str, Any]:
    return {
        "title": match.passage.title,
        "heading": match.passage.heading,
        "score": round(match.score, 3),
        "confidence": round(match.confidence, 3),
    }
