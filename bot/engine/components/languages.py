"""Which language a short message is in: py3langid's model, cut to languages that matter, and the brand's own words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bot.engine.components.language_words import LanguageWords, words_of

#: What can be told. More languages would only be taken for one another.
KNOWN = (
    "ar", "cs", "da", "de", "el", "en", "es", "fi", "fr", "he", "hi", "hu", "it", "ja", "ko", "nl", "no", "pl", "pt",
    "ro", "ru", "sv", "tr", "uk", "zh",
)  # fmt: skip
#: A message is foreign from this chance on that it is in none of the languages served: one of three words or more, of
#: two, and in letters that are not Latin. Any shorter one in Latin letters is not: measured, see docs/teach-it.md.
FOREIGN_FROM, _OF_TWO_WORDS, _OF_OTHER_LETTERS = 0.97, 0.98, 0.9
#: Letters that it must have.
_LEAST_LETTERS, _LEAST_OTHER_LETTERS = 12, 2
#: How many times likelier a customer goes on in the language of the conversation, and begins in the first one.
_STAYS, _BEGINS = 4.0, 1.5
#: Another language that is spoken here is changed to from this chance on.
_CHANGES_FROM = 0.2

#: From here on letters are not Latin.
_OTHER_LETTERS = re.compile("[\u0370-\u1cff\u2e80-\ud7ff]")
#: The arrays that a model keeps; the one that is large is read from the disk as it is needed.
_TABLE, _STEPS = "languages.npz", "languages_steps.npy"


@dataclass(frozen=True, kw_only=True)
class Guess:
    """What a message is written in."""

    #: one of `KNOWN`; of the languages served, unless the message is foreign
    language: str
    #: whether it is surely in none of the languages served
    is_foreign: bool


class Languages:
    """Tells languages apart."""

    def __init__(self, identifier: Any, words: LanguageWords) -> None:
        """Ask one of py3langid's identifiers what is foreign, and of the languages served their own words first."""
        self._identifier = identifier
        self._words = words

    def chances(self, text: str) -> dict[str, float]:
        """Return how likely the words of a text are in each known language; nothing where there are no words."""
        words = words_of(text)
        return dict(self._identifier.rank(" ".join(words).lower())) if words else {}

    def guess(self, text: str, served: Sequence[str], current: str | None) -> Guess:
        """Return what a text is written in, in a conversation held in `current` so far; none: it begins.

        Few words, names, and what is no words at all are never foreign.
        """
        chances = self.chances(text)
        foreign = {language: chance for language, chance in chances.items() if language not in served}
        if foreign and sum(foreign.values()) >= _foreign_from(text):
            return Guess(language=max(foreign, key=foreign.__getitem__), is_foreign=True)
        if current and _is_name(text):
            return Guess(language=current, is_foreign=False)
        known = current or served[0]
        prior = _STAYS if current else _BEGINS
        # Many a word is at home in both: one alone does not turn a conversation.
        may_tell = current is None or len(words_of(text)) > 1
        if may_tell and (own := self._words.guess(text, dict.fromkeys(served, 1.0) | {known: prior})):
            return Guess(language=own, is_foreign=False)
        # What looks like no language much, like "grommet zibble", changes nothing.
        odds = {language: chance for language in served if (chance := chances.get(language, 0.0)) >= _CHANGES_FROM}
        odds[known] = chances.get(known, 1.0) * prior
        return Guess(language=max(odds, key=odds.__getitem__), is_foreign=False)


def _is_name(text: str) -> bool:
    """Whether all words begin with a capital: somebody's name, a street or a product."""
    return all(word[0].isupper() for word in words_of(text)) and not text.isupper()


def _foreign_from(text: str) -> float:
    """Return how surely a text must be in another language to be foreign; infinite where it cannot be."""
    words = words_of(text)
    if len(_OTHER_LETTERS.findall(text)) >= _LEAST_OTHER_LETTERS:
        return _OF_OTHER_LETTERS
    if _is_name(text) or len(words) == 1 or sum(map(len, words)) < _LEAST_LETTERS:
        return float("inf")
    return FOREIGN_FROM if len(words) > 2 else _OF_TWO_WORDS


def write_languages(folder: Path, words: LanguageWords) -> None:
    """Write the words, and py3langid's own model cut to `KNOWN`, as plain arrays.

    Whole, that model takes 70 MB and half a second.
    """
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    whole = LanguageIdentifier.from_model_file(MODEL_FILE)
    whole.set_languages(KNOWN)
    np.savez(
        folder / _TABLE,
        table=whole.nb_ptc,
        priors=whole.nb_pc,
        languages=np.asarray(whole.nb_classes),
        rows=np.asarray(whole.tk_row, np.uint16),
        outputs=np.asarray(whole.tk_output, np.int32),
    )
    np.save(folder / _STEPS, np.frombuffer(whole.tk_nextmove, np.int32))
    words.write(folder)


def read_languages(folder: Path) -> Languages:
    """Read what `write_languages` wrote."""
    from py3langid.langid import LanguageIdentifier

    with np.load(folder / _TABLE, allow_pickle=False) as kept:
        identifier = LanguageIdentifier(
            kept["table"],
            kept["priors"],
            kept["languages"].tolist(),
            memoryview(np.load(folder / _STEPS, mmap_mode="r", allow_pickle=False)),
            kept["outputs"].tolist(),
            norm_probs=True,
            tk_row=kept["rows"].tolist(),
        )
    return Languages(identifier, LanguageWords.read(folder))
