"""Finds the passage of an article that answers a question, and knows how alike the two must be for an answer."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.engine.components.articles import Passage
from bot.engine.components.ngrams import NgramVectorizer
from bot.engine.components.softmax import Floats

#: Files of a model's folder.
WORDS_FILE, NUMBERS_FILE = "articles.json", "articles.npz"
#: What the likeness of n-grams counts beside that of meaning, which is 1.
NGRAM_WEIGHT = 0.8

Encode = Callable[[str], Floats]


@dataclass(frozen=True, kw_only=True)
class Postings:
    """Which passages have an n-gram, and how much of each passage it is: a sparse matrix by n-gram."""

    #: (n-grams + 1,): where the entries of each n-gram begin
    starts: npt.NDArray[np.int64]
    #: (entries,): the passage of each
    passages: npt.NDArray[np.int32]
    #: (entries,): the weight of each
    weights: Floats

    def likeness(self, rows: npt.NDArray[np.intp], weights: Floats, count: int) -> Floats:
        """Return (count,): the cosine between a text, given by its n-grams, and each of `count` passages."""
        found = np.zeros(count, np.float32)
        for row, weight in zip(rows, weights, strict=True):
            entries = slice(self.starts[row], self.starts[row + 1])
            found[self.passages[entries]] += weight * self.weights[entries]
        return found / max(float(np.linalg.norm(weights)), 1e-9)


@dataclass(frozen=True, kw_only=True)
class Match:
    """A passage that may answer a question."""

    passage: Passage
    #: how alike they are; what it means, only the bar tells
    score: float
    #: the share of questions without an answer here that come less near to any passage
    confidence: float
    #: whether it is near enough for an answer
    is_answer: bool


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """The articles of one language, ready to be searched."""

    passages: list[Passage]
    #: turns texts into n-grams
    vectorizer: NgramVectorizer
    postings: Postings
    #: names the encoder of the vectors; empty where there is none
    encoder: str
    #: (units, width): what passages say in parts, by meaning; no rows without an encoder
    vectors: Floats
    #: (units,): the passage of each part
    owners: npt.NDArray[np.intp]
    #: sorted scores of questions that nothing here answers, seen by n-grams alone and by meaning too
    strangers: dict[str, Floats]
    #: the share of such questions that is answered all the same
    strangers_answered_max: float
    #: (heading, what else answers it, how often): see `ArticleFinder`
    shared: list[tuple[str, str, int]] = field(default_factory=list)

    def scores(self, text: str, vector: Floats | None) -> Floats:
        """Return (passages,): how alike a text is to each; by n-grams alone where its sentence vector is none."""
        alike = self.postings.likeness(*self.vectorizer.weigh(text), len(self.passages))
        if vector is None or not len(self.vectors):
            return alike
        nearest = np.full(len(self.passages), -1, np.float32)
        np.maximum.at(nearest, self.owners, self.vectors @ vector)
        return nearest + np.float32(NGRAM_WEIGHT) * alike

    def find(self, text: str, vector: Floats | None, most: int) -> list[Match]:
        """Return the passages most like a text, best first; a heading word for word is the best there can be."""
        scores = self.scores(text, vector)
        strangers = self.strangers["plain" if vector is None or not len(self.vectors) else "full"]
        bar = self.bar(strangers)
        asked = bare(text)
        matches = []
        for row in np.argsort(-scores, kind="stable")[:most]:
            passage, score = self.passages[row], float(scores[row])
            below = float(np.searchsorted(strangers, score) / max(len(strangers), 1))
            is_heading = bare(passage.heading) == asked
            matches.append(
                Match(
                    passage=passage,
                    score=score,
                    confidence=1.0 if is_heading else below,
                    is_answer=is_heading or score >= bar,
                )
            )
        return sorted(matches, key=lambda match: -match.confidence)

    def bar(self, strangers: Floats) -> float:
        """Return the least score of an answer."""
        if not len(strangers):
            return float("inf")
        at = math.ceil((1 - self.strangers_answered_max) * (len(strangers) - 1))
        return float(np.nextafter(strangers[at], np.float32(np.inf)))


def bare(text: str) -> str:
    """Return a text without case and the marks around it."""
    return text.strip(" ?!.,").casefold()


def build_shelf(
    passages: Sequence[Passage], messages: Sequence[str], encode: Encode | None, most: float, encoder: str = ""
) -> Shelf:
    """Return the shelf of some passages, with its bar.

    What no passage answers is asked of it: `messages` that mean something else, and the headings of each article with
    that article left out. They count one half each. `most` is the share of them that may be answered.
    """
    texts = [f"{passage.title} {passage.heading} {passage.text}" for passage in passages]
    vectorizer = NgramVectorizer.fit([*texts, *messages])
    vectors, owners = _encoded(passages, encode)
    shelf = Shelf(
        passages=list(passages),
        vectorizer=vectorizer,
        postings=_postings(vectorizer, texts),
        encoder=encoder,
        vectors=vectors,
        owners=owners,
        strangers={},
        strangers_answered_max=most,
    )
    sights: dict[str, Encode | None] = {"plain": None} | ({"full": encode} if encode else {})
    for name, look in sights.items():
        shelf.strangers[name] = _strangers(shelf, messages, look)
    return shelf


def _strangers(shelf: Shelf, messages: Sequence[str], encode: Encode | None) -> Floats:
    def best(text: str, without: Passage | None = None) -> float:
        scores = shelf.scores(text, encode(text) if encode else None)
        others = [not without or passage.article != without.article for passage in shelf.passages]
        return float(scores[others].max(initial=0))

    headings = {passage.heading: passage for passage in shelf.passages}
    apart = [best(heading, passage) for heading, passage in headings.items()]
    if len({passage.article for passage in shelf.passages}) == 1:
        apart = []
    beside = [best(message) for message in messages]
    if apart and beside:
        # As many of each, so that the share is one of both.
        more, fewer = (apart, beside) if len(apart) > len(beside) else (beside, apart)
        fewer[:] = np.resize(np.sort(fewer), len(more)).tolist()
    return np.sort(np.asarray([*apart, *beside], np.float32))


def _encoded(passages: Sequence[Passage], encode: Encode | None) -> tuple[Floats, npt.NDArray[np.intp]]:
    """Return the vectors of all that a passage says in parts, each with the heading that it stands under."""
    units = [
        (owner, text)
        for owner, passage in enumerate(passages)
        for text in (
            passage.heading,
            f"{passage.title}: {passage.heading}",
            f"{passage.title}. {passage.heading} {passage.text}",
            *(f"{passage.heading} {sentence}" for sentence in passage.sentences),
        )
    ]
    owners = np.asarray([owner for owner, _ in units], np.intp)
    if encode is None:
        return np.zeros((0, 0), np.float32), owners
    return np.stack([encode(text) for _, text in units]), owners


def _postings(vectorizer: NgramVectorizer, texts: Sequence[str]) -> Postings:
    entries: list[list[tuple[int, float]]] = [[] for _ in vectorizer.idf]
    for number, text in enumerate(texts):
        rows, weights = vectorizer.weigh(text)
        length = max(float(np.linalg.norm(weights)), 1e-9)
        for row, weight in zip(rows, weights, strict=True):
            entries[row].append((number, float(weight) / length))
    return Postings(
        starts=np.cumsum([0, *(len(part) for part in entries)]),
        passages=np.asarray([number for part in entries for number, _ in part], np.int32),
        weights=np.asarray([weight for part in entries for _, weight in part], np.float32),
    )


def write_shelves(shelves: dict[str, Shelf], folder: Path) -> None:
    """Write shelves by language as JSON (words) and npz (numbers)."""
    words: dict[str, Any] = {"shelves": {}}
    numbers: dict[str, Any] = {}
    for language, shelf in shelves.items():
        words["shelves"][language] = {
            "encoder": shelf.encoder,
            "passages": [asdict(passage) for passage in shelf.passages],
            "ngrams": list(shelf.vectorizer.vocabulary),
            "strangers_answered_max": shelf.strangers_answered_max,
            "shared": shelf.shared,
            "bars": {name: shelf.bar(scores) for name, scores in shelf.strangers.items() if len(scores)},
        }
        numbers |= {f"{language}.strangers.{name}": scores for name, scores in shelf.strangers.items()}
        numbers |= {f"{language}.postings.{name}": part for name, part in vars(shelf.postings).items()}
        numbers[f"{language}.idf"] = shelf.vectorizer.idf
        # Half the digits tell likeness as well, in half the space.
        numbers[f"{language}.vectors"] = shelf.vectors.astype(np.float16)
        numbers[f"{language}.owners"] = shelf.owners
    (folder / WORDS_FILE).write_text(json.dumps(words, ensure_ascii=False), "utf-8")
    np.savez(folder / NUMBERS_FILE, **numbers)


def read_shelves(folder: Path) -> dict[str, Shelf]:
    """Read what `write_shelves` wrote."""
    words = json.loads((folder / WORDS_FILE).read_text("utf-8"))
    with np.load(folder / NUMBERS_FILE, allow_pickle=False) as numbers:
        return {language: _read_shelf(kept, numbers, language) for language, kept in words["shelves"].items()}


def _read_shelf(kept: dict[str, Any], numbers: Any, language: str) -> Shelf:
    vocabulary = {gram: row for row, gram in enumerate(kept["ngrams"])}
    marks = (f"{language}.strangers.{name}" for name in ("plain", "full"))
    return Shelf(
        passages=[Passage(**passage) for passage in kept["passages"]],
        vectorizer=NgramVectorizer(vocabulary=vocabulary, idf=numbers[f"{language}.idf"]),
        postings=Postings(**{name: numbers[f"{language}.postings.{name}"] for name in Postings.__annotations__}),
        encoder=kept["encoder"],
        vectors=numbers[f"{language}.vectors"].astype(np.float32),
        owners=numbers[f"{language}.owners"],
        strangers={mark.rpartition(".")[2]: numbers[mark] for mark in marks if mark in numbers},
        strangers_answered_max=kept["strangers_answered_max"],
        shared=[(heading, other, count) for heading, other, count in kept["shared"]],
    )
