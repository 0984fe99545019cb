"""Which language a message is in by its words, as the brand's own training messages use them."""

from __future__ import annotations

import functools
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

#: What a word counts for in a language whose training messages do not have it.
_UNSEEN = 0.1
#: A language is told from this chance on.
_SURE = 0.9
_FILE = "words.json"

# Numbers, addresses and links have no language.
_NO_WORDS = re.compile(r"\S*(?:@|://|\d)\S*")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


def words_of(text: str) -> list[str]:
    """Return the words of a text that have a language, as they are written."""
    return _WORD.findall(_NO_WORDS.sub(" ", text))


@dataclass(frozen=True, kw_only=True)
class LanguageWords:
    """How often each language's training messages have each word."""

    #: by language, by word in small letters
    counts: Mapping[str, Mapping[str, int]]

    @classmethod
    def learn(cls, messages: Iterable[tuple[str, str]]) -> LanguageWords:
        """Count the words of (language, text)."""
        counts: dict[str, Counter[str]] = {}
        for language, text in messages:
            counts.setdefault(language, Counter()).update(words_of(text.lower()))
        return cls(counts=counts)

    def guess(self, text: str, odds: Mapping[str, float]) -> str | None:
        """Return the language that the words of a text are surely in, or None where they do not tell.

        `odds` says how many times likelier each language is before anything is read. It is naive Bayes over the words
        that any of the languages has: others, like names, say nothing.
        """
        told = [language for language in odds if self.counts.get(language)]
        words = [word for word in words_of(text.lower()) if any(word in self.counts[language] for language in told)]
        if len(told) < 2 or not words:
            return None
        scores = {language: math.log(odds[language]) + self._score(language, words) for language in told}
        best = max(scores, key=scores.__getitem__)
        total = sum(math.exp(score - scores[best]) for score in scores.values())
        return best if 1 / total >= _SURE else None

    def _score(self, language: str, words: Sequence[str]) -> float:
        counts, total = self.counts[language], self._totals[language]
        return sum(math.log(counts.get(word, _UNSEEN) / total) for word in words)

    @functools.cached_property
    def _totals(self) -> dict[str, int]:
        return {language: sum(counts.values()) for language, counts in self.counts.items()}

    def write(self, folder: Path) -> None:
        """Keep the counts in a file of a model's folder."""
        (folder / _FILE).write_text(json.dumps(self.counts, ensure_ascii=False), "utf-8")

    @classmethod
    def read(cls, folder: Path) -> LanguageWords:
        """Read what `write` kept."""
        return cls(counts=json.loads((folder / _FILE).read_text("utf-8")))
