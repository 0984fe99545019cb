"""Weighs the words and letter groups of a text by how telling they are (tf-idf), in plain dictionaries."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

#: Letters of a text that are looked at: nobody says what they want after this many.
MAX_LENGTH = 2_000

_WORD = re.compile(r"\w+|[?!]")


@dataclass(frozen=True, kw_only=True)
class NgramVectorizer:
    """Turns a text into a few (row, weight) pairs; words and letter groups each have length one."""

    #: n-gram, marked `w` for words or `c` for letters -> its row.
    vocabulary: dict[str, int]
    #: The weight of each row: the rarer, the heavier.
    idf: npt.NDArray[np.float32]

    @classmethod
    def fit(cls, texts: Sequence[str]) -> NgramVectorizer:
        """Learn the n-grams of these texts; rare ones are left out so that the vocabulary stays small."""
        found: Counter[str] = Counter()
        for text in texts:
            found.update(set(_word_grams(text)))
            found.update(set(_letter_grams(text)))
        least = 1 if len(texts) < 2_000 else 3
        kept = sorted(gram for gram, count in found.items() if count >= (least if gram[0] == "w" else max(least, 2)))
        idf = [math.log((1 + len(texts)) / (1 + found[gram])) + 1 for gram in kept]
        return cls(vocabulary={gram: row for row, gram in enumerate(kept)}, idf=np.asarray(idf, np.float32))

    def weigh(self, text: str) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]:
        """Return the rows of the text's known n-grams and their weights."""
        rows: list[int] = []
        weights: list[npt.NDArray[np.float32]] = []
        for grams in (_word_grams(text), _letter_grams(text)):
            part_rows, part_weights = self._part(grams)
            rows += part_rows
            weights.append(part_weights)
        return np.asarray(rows, np.intp), np.concatenate(weights)

    def _part(self, grams: Iterable[str]) -> tuple[list[int], npt.NDArray[np.float32]]:
        row_of = self.vocabulary.get
        # A list first: counting what a generator yields takes half as long again.
        counts = Counter([row for gram in grams if (row := row_of(gram)) is not None])
        rows = list(counts)
        weights = (1 + np.log(np.fromiter(counts.values(), np.float32, len(rows)))) * self.idf[rows]
        length = float(np.linalg.norm(weights))
        return rows, (weights / length if length else weights).astype(np.float32)


def _word_grams(text: str) -> list[str]:
    words = _WORD.findall(text[:MAX_LENGTH].lower())
    return [f"w{word}" for word in words] + [f"w{first} {second}" for first, second in pairwise(words)]


def _letter_grams(text: str) -> list[str]:
    grams: list[str] = []
    for word in text[:MAX_LENGTH].lower().split():
        padded = f" {word} "
        for size in (2, 3, 4):
            grams += [f"c{padded[start : start + size]}" for start in range(max(1, len(padded) - size + 1))]
    return grams
