"""`DetailExtractor`: the details of a message as values that actions can use."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.constants import ENTITIES, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.engine.components.details import numbers
from bot.engine.components.details.dates import DateReader
from bot.engine.components.details.found import Found, without_overlaps
from bot.engine.components.details.names import NameReader, near_words, whole_words
from bot.engine.components.details.quantities import QuantityReader
from bot.engine.components.details.words import ENGLISH, WORDS, Words
from bot.engine.components.negation import denied_parts
from bot.engine.components.sentence_encoder import ENCODER, TOKENIZER_FILE
from bot.engine.components.trained_component import TrainedComponent

_FILE = "details.json"
#: Details of which one that is denied ("not the kettle, the teapot") is left out where another is not.
_CHOSEN = frozenset({"order_number", "email", "postcode", "product", "phone", "tracking_number", "date", "amount"})
#: The entity that a regex `reason.broken` finds.
_SEPARATOR = "."


@dataclass(frozen=True, kw_only=True)
class Learnt:
    """What a model holds of the training data."""

    #: names of the entities that may be mistyped
    names: dict[str, list[str]] = field(default_factory=dict)
    #: words that only look like a mistyped name
    known: list[str] = field(default_factory=list)
    #: patterns by entity and value
    patterns: dict[str, dict[str, list[str]]] = field(default_factory=dict)


class _Reader:
    """Reads what depends on the language."""

    def __init__(self, words: Words) -> None:
        self.dates, self.quantities = DateReader(words), QuantityReader(words)
        self.addresses = numbers.SpokenAddresses(words)
        self.is_denied = re.compile(rf"(?:\b{words.negation}|n't)\s+(?:\w+\s+){{0,2}}$", re.IGNORECASE)


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, is_trainable=True)
class DetailExtractor(TrainedComponent):
    """Adds `email` (also spoken), `phone`, `tracking_number`, `postcode` (also Irish), `date`, `amount` and `size`.

    Values are normalised: +441174960123, 2026-11-24 or 2026-11-16/2026-11-22, 12.50 GBP, 250 g. Names of lookup tables
    (`mistyped`) are found in spite of typos. A regex `reason.broken` of the training data gives the entity `reason` the
    value `broken`, in any language, unless the words before deny it. What `RegexEntityExtractor` found before is
    tidied, and goes where it is but a part of something longer, or denied in favour of another.

    Days count from the moment that the metadata name (`said_at`), or from now.
    """

    @staticmethod
    def required_packages() -> list[str]:
        """Name the packages whose versions make a trained model stale."""
        return ["rapidfuzz"]

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """Return the settings that `config.yml` may change."""
        return {
            # Where telephone numbers without a country's code are, and whose days are meant.
            "region": "GB",
            "zone": "Europe/London",
            # Entities whose lookup tables are found in spite of typos.
            "mistyped": ["product"],
            # Its words mean themselves, however like a name they are.
            "encoder": ENCODER,
        }

    def __init__(self, config: dict[str, Any], storage: ModelStorage, resource: Resource) -> None:
        super().__init__(config, storage, resource)
        self._zone = ZoneInfo(self._config["zone"])
        self._readers: dict[str, _Reader] = {}
        self._prepare(Learnt())

    def _prepare(self, learnt: Learnt) -> None:
        self._learnt = learnt
        known = frozenset(learnt.known)
        self._names = {entity: NameReader(names, known) for entity, names in learnt.names.items()}
        self._patterns = [
            (entity, value, re.compile("|".join(f"(?:{part})" for part in parts), re.IGNORECASE))
            for entity, values in learnt.patterns.items()
            for value, parts in values.items()
        ]

    def train(self, training_data: TrainingData) -> Resource:
        """Keep the names and patterns of the training data, and which ordinary words look like a name."""
        names: dict[str, list[str]] = defaultdict(list)
        for table in training_data.lookup_tables:
            if table["name"] in self._config["mistyped"]:
                names[table["name"]] += table["elements"]
        patterns: dict[str, dict[str, list[str]]] = {}
        for feature in training_data.regex_features:
            entity, separator, value = feature["name"].partition(_SEPARATOR)
            if separator:
                patterns.setdefault(entity, {}).setdefault(value, []).append(feature["pattern"])
        every = [name for table in names.values() for name in table]
        words = {word for example in training_data.intent_examples for word in str(example.get(TEXT)).lower().split()}
        learnt = Learnt(
            names=dict(names),
            known=near_words(every, words | whole_words(Path(self._config["encoder"]) / TOKENIZER_FILE)),
            patterns=patterns,
        )
        self._prepare(learnt)
        return self._keep()

    def _write(self, folder: Path) -> None:
        (folder / _FILE).write_text(json.dumps(asdict(self._learnt), ensure_ascii=False), "utf-8")

    def _read(self, folder: Path) -> None:
        self._prepare(Learnt(**json.loads((folder / _FILE).read_text("utf-8"))))

    def process(self, messages: list[Message]) -> list[Message]:
        """Add the details of each message to its entities."""
        for message in messages:
            text = str(message.get(TEXT) or "")
            if text:
                message.set(ENTITIES, self._entities(message, text), add_to_output=True)
        return messages

    def _entities(self, message: Message, text: str) -> list[dict[str, Any]]:
        before = message.get(ENTITIES, [])
        placed = {
            (one["entity"], one["start"], one["end"]): one
            for one in before
            if "start" in one and one["end"] > one["start"]
        }
        known = [
            Found(entity=entity, start=start, end=end, value=numbers.tidy(entity, str(one["value"])))
            for (entity, start, end), one in placed.items()
        ]
        kept = _chosen(without_overlaps([*known, *self._find(text, message)]), denied_parts(text))
        kept += self._reasons(text, message)
        made = []
        for one in kept:
            origin = placed.get((one.entity, one.start, one.end), {"extractor": type(self).__name__})
            made.append({**origin, **asdict(one)})
        return [*(one for one in before if "start" not in one), *made]

    def _find(self, text: str, message: Message) -> Iterator[Found]:
        reader = self._reader(message)
        yield from numbers.parcels(text)
        yield from numbers.phones(text, self._config["region"])
        yield from numbers.eircodes(text)
        yield from reader.addresses.find(text)
        yield from reader.dates.find(text, self._today(message))
        yield from reader.quantities.find(text)
        for entity, names in self._names.items():
            yield from names.find(text, entity)

    def _reasons(self, text: str, message: Message) -> list[Found]:
        """Return each value of the patterns at its first place where the words before do not deny it."""
        reader = self._reader(message)
        plain = text.replace("’", "'")
        found = []
        for entity, value, pattern in self._patterns:
            match = next(
                (one for one in pattern.finditer(plain) if not reader.is_denied.search(plain[: one.start()])), None
            )
            if match is not None:
                found.append(Found(entity=entity, start=match.start(), end=match.end(), value=value))
        return sorted(found, key=lambda one: one.start)

    def _reader(self, message: Message) -> _Reader:
        language = str(message.get("language") or "")
        if language not in self._readers:
            self._readers[language] = _Reader(WORDS.get(language, ENGLISH))
        return self._readers[language]

    def _today(self, message: Message) -> date:
        said_at = (message.get("metadata") or {}).get("said_at")
        moment = datetime.fromisoformat(said_at) if isinstance(said_at, str) else datetime.now(UTC)
        return moment.astimezone(self._zone).date()


def _chosen(found: list[Found], denied: list[tuple[int, int]]) -> list[Found]:
    """Leave out what is denied where something else of its kind is not."""
    if not denied:
        return found
    out = [one for one in found if one.entity in _CHOSEN and any(a <= one.start and one.end <= b for a, b in denied)]
    meant = {one.entity for one in found if one not in out}
    return [one for one in found if one not in out or one.entity not in meant]
