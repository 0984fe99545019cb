"""What a trained intent classifier knows, and how it is kept: words as JSON, numbers as npz, nothing pickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bot.engine.components.decision import Bar, Verdict, judge
from bot.engine.components.memory import Memory
from bot.engine.components.ngrams import NgramVectorizer
from bot.engine.components.softmax import Floats

#: Files of a model's folder: what the classifier needs, and what people want to know of it.
WORDS_FILE, NUMBERS_FILE, REPORT_FILE = "knowledge.json", "knowledge.npz", "report.json"


@dataclass(frozen=True, kw_only=True)
class Sight:
    """One way to see a message: by its n-grams alone, or by its sentence vector too."""

    #: (intents,)
    bias: Floats
    #: (n-grams, intents): what each n-gram adds to each intent's logit
    ngram_logits: Floats
    #: (width of the sentence vector, intents); no rows where it is not seen
    dense_logits: Floats
    #: how what is seen is judged
    bar: Bar
    #: the sentence vectors of training messages; none where they are not seen
    memory: Memory | None


@dataclass(frozen=True, kw_only=True)
class Knowledge:
    """All that training found out."""

    #: The intents, in the order of the logits.
    intents: list[str]
    #: Turns text into n-grams.
    vectorizer: NgramVectorizer
    #: Sees the n-grams only: for when the encoder of the training is not there.
    plain: Sight
    #: Sees the sentence vector too; None where training had no encoder.
    full: Sight | None
    #: Names the encoder whose vectors `full` reads; empty where there is none.
    encoder: str
    #: What trainers are told: see `learning.report`.
    report: dict[str, Any]

    def judge(self, text: str, vector: Floats | None, expected: Mapping[str, float]) -> Verdict:
        """Decide on a text, whose sentence vector is given where there is one that `full` can read.

        `expected` says how many times likelier some intents are in this situation.
        """
        odds = np.asarray([expected.get(intent, 1.0) for intent in self.intents], np.float32) if expected else None
        rows, weights = self.vectorizer.weigh(text)
        sight = self.plain if self.full is None or vector is None else self.full
        logits = sight.bias + weights @ sight.ngram_logits[rows]
        if sight.memory is None or vector is None:
            return judge(sight.bar, logits[None], None, odds)
        logits = logits + vector @ sight.dense_logits
        return judge(sight.bar, logits[None], sight.memory.likeness(vector[None], len(self.intents)), odds)


def write_knowledge(knowledge: Knowledge, folder: Path) -> None:
    """Write it as `knowledge.json` (words) and `knowledge.npz` (numbers), with `report.json` for people beside."""
    words = {
        "intents": knowledge.intents,
        "ngrams": list(knowledge.vectorizer.vocabulary),
        "encoder": knowledge.encoder,
    }
    (folder / WORDS_FILE).write_text(json.dumps(words, ensure_ascii=False), "utf-8")
    (folder / REPORT_FILE).write_text(json.dumps(knowledge.report, ensure_ascii=False), "utf-8")
    numbers: dict[str, Any] = {"idf": knowledge.vectorizer.idf}
    for name, sight in (("plain", knowledge.plain), ("full", knowledge.full)):
        if sight is not None:
            numbers |= {f"{name}.{key}": getattr(sight, key) for key in ("bias", "ngram_logits", "dense_logits")}
            numbers |= {f"{name}.bar.{key}": value for key, value in asdict(sight.bar).items()}
            if sight.memory is not None:
                # Half the digits tell likeness as well, in half the space.
                numbers[f"{name}.memory.vectors"] = sight.memory.vectors.astype(np.float16)
                numbers[f"{name}.memory.intents"] = sight.memory.intents
    np.savez(folder / NUMBERS_FILE, **numbers)


def read_knowledge(folder: Path) -> Knowledge:
    """Read what `write_knowledge` wrote."""
    words = json.loads((folder / WORDS_FILE).read_text("utf-8"))
    with np.load(folder / NUMBERS_FILE, allow_pickle=False) as numbers:
        sights = {name: _read_sight(numbers, name) for name in ("plain", "full") if f"{name}.bias" in numbers}
        vocabulary = {gram: row for row, gram in enumerate(words["ngrams"])}
        vectorizer = NgramVectorizer(vocabulary=vocabulary, idf=numbers["idf"])
    return Knowledge(
        intents=words["intents"],
        vectorizer=vectorizer,
        plain=sights["plain"],
        full=sights.get("full"),
        encoder=words["encoder"],
        report=json.loads((folder / REPORT_FILE).read_text("utf-8")),
    )


def _read_sight(numbers: Any, name: str) -> Sight:
    bar = Bar(
        temperature=float(numbers[f"{name}.bar.temperature"]),
        weights=numbers[f"{name}.bar.weights"],
        bias=float(numbers[f"{name}.bar.bias"]),
        limit=float(numbers[f"{name}.bar.limit"]),
        kinship=float(numbers[f"{name}.bar.kinship"]),
    )
    memory = None
    if f"{name}.memory.vectors" in numbers:
        vectors = numbers[f"{name}.memory.vectors"].astype(np.float32)
        memory = Memory(vectors=vectors, intents=numbers[f"{name}.memory.intents"])
    matrices = {key: numbers[f"{name}.{key}"] for key in ("bias", "ngram_logits", "dense_logits")}
    return Sight(**matrices, bar=bar, memory=memory)
