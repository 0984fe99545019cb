"""What a trained intent classifier knows, and how it is kept: words as JSON, numbers as npz, nothing pickled."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from bot.engine.components.ngrams import NgramVectorizer
from bot.engine.components.softmax import Floats, Head


@dataclass(frozen=True, kw_only=True)
class Sight:
    """One way to see a message: the head for it, and how the n-grams enter its logits."""

    #: The head; its first rows are for the sentence vector, where there is one.
    head: Head
    #: (n-grams, intents): what each n-gram adds to each intent's logit.
    ngram_logits: Floats


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


def write_knowledge(knowledge: Knowledge, folder: Path) -> None:
    """Write it as `knowledge.json` (words) and `knowledge.npz` (numbers)."""
    words = {
        "intents": knowledge.intents,
        "ngrams": list(knowledge.vectorizer.vocabulary),
        "encoder": knowledge.encoder,
    }
    (folder / "knowledge.json").write_text(json.dumps(words, ensure_ascii=False), "utf-8")
    numbers: dict[str, Any] = {"idf": knowledge.vectorizer.idf}
    for name, sight in (("plain", knowledge.plain), ("full", knowledge.full)):
        if sight is not None:
            numbers |= {f"{name}.{key}": value for key, value in asdict(sight.head).items()}
            numbers[f"{name}.ngram_logits"] = sight.ngram_logits
    np.savez(folder / "knowledge.npz", **numbers)


def read_knowledge(folder: Path) -> Knowledge:
    """Read what `write_knowledge` wrote."""
    words = json.loads((folder / "knowledge.json").read_text("utf-8"))
    with np.load(folder / "knowledge.npz", allow_pickle=False) as numbers:
        sights = {name: _read_sight(numbers, name) for name in ("plain", "full") if f"{name}.bias" in numbers}
        vocabulary = {gram: row for row, gram in enumerate(words["ngrams"])}
        vectorizer = NgramVectorizer(vocabulary=vocabulary, idf=numbers["idf"])
    return Knowledge(
        intents=words["intents"],
        vectorizer=vectorizer,
        plain=sights["plain"],
        full=sights.get("full"),
        encoder=words["encoder"],
    )


def _read_sight(numbers: Any, name: str) -> Sight:
    values = {field.name: numbers[f"{name}.{field.name}"] for field in fields(Head)}
    fitted: dict[str, Any] = {key: value if value.ndim else float(value) for key, value in values.items()}
    return Sight(head=Head(**fitted), ngram_logits=numbers[f"{name}.ngram_logits"])
