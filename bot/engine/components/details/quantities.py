"""Amounts of money and sizes in a text: "twelve quid", "£12.50", "half a kilo", "the large one"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TypeVar

from bot.engine.components.details.found import Found
from bot.engine.components.details.words import Words

_SIGNS = {"£": "GBP", "€": "EUR", "$": "USD"}
_CODES = "GBP|EUR|USD"
#: 1,249.99 and 1.249,99, with or without the thousands' signs.
_FIGURE = r"\d{1,3}(?:[.,]\d{3})+(?:[.,]\d{1,2})?(?!\d)|\d+(?:[.,]\d{1,2})?(?!\d)"
#: A pound of weight, in grams.
_POUND = (453.6, "g")

_Known = TypeVar("_Known")


class QuantityReader:
    """Reads amounts and sizes in one language."""

    def __init__(self, words: Words) -> None:
        """Prepare what to look for."""
        self._words = words
        numbers = "|".join(sorted(words.numbers, key=len, reverse=True))
        named = "|".join(words.money.values())
        pennies = "|".join(words.pennies.values())
        # "half a pound of coffee" is no money.
        count = rf"(?<![\w.,/-])(?P<count>{_FIGURE}|(?:{numbers}))"
        self._signed = re.compile(rf"(?:(?P<sign>[£€$])|\b(?P<code>{_CODES})) ?(?P<figure>{_FIGURE})", re.IGNORECASE)
        self._behind = re.compile(
            rf"{count} ?(?:(?P<sign>[£€$])|(?P<code>{_CODES})\b|(?P<name>{named})\b(?! of\b))"
            rf"(?: (?:and |und )?(?P<pennies>\d\d?) ?(?:{pennies})\b)?",
            re.IGNORECASE,
        )
        self._small = re.compile(
            rf"(?<![\w.,/£€$-])(?P<count>\d{{1,3}})(?P<name>{pennies}|(?<=\d) (?!p\b)(?:{pennies}))\b", re.IGNORECASE
        )
        self._notes = re.compile(rf"\b(?P<note>{'|'.join(words.notes) or '(?!)'})s?\b", re.IGNORECASE)
        measures, fractions = "|".join(words.measures), "|".join(words.fractions)
        self._measured = re.compile(
            rf"(?<![\w.,/£€$-])(?:(?P<figure>\d+(?:[.,]\d+)?)|(?P<fraction>{fractions})|(?P<count>{numbers}))[ -]?"
            rf"(?P<measure>{measures}|(?<=quarter )pound|(?<=half a )pound(?= of))\b",
            re.IGNORECASE,
        )
        sizes = "|".join(words.sizes)
        self._sized = re.compile(
            rf"\b(?:{words.size_before} (?P<before>{sizes})(?=$|[.,;!?)]| (?:{words.size_after}|please|bitte)\b)"
            rf"|(?P<after>{sizes}) {words.size_after}\b)|^(?P<alone>{sizes})\W*$",
            re.IGNORECASE,
        )

    def find(self, text: str) -> Iterator[Found]:
        """Yield each amount as `12.50 GBP` and each size as `250 g`, `500 ml`, or by its name."""
        for match in self._signed.finditer(text):
            currency = _SIGNS.get(match["sign"] or "") or match["code"].upper()
            yield _found("amount", match, f"{_figure(match['figure']):.2f} {currency}")
        for match in self._behind.finditer(text):
            count = self._count(match["count"]) + int(match["pennies"] or 0) / 100
            yield _found("amount", match, f"{count:.2f} {self._currency(match)}")
        for match in self._small.finditer(text):
            code = self._named(match["name"].strip(), self._words.pennies)
            yield _found("amount", match, f"{int(match['count']) / 100:.2f} {code}")
        for match in self._notes.finditer(text):
            yield _found("amount", match, f"{self._words.notes[match['note'].lower()]:.2f} GBP")
        for match in self._measured.finditer(text):
            yield self._measure(match)
        for match in self._sized.finditer(text):
            typed = match["before"] or match["after"] or match["alone"]
            yield _found("size", match, _meaning(typed, self._words.sizes))

    def _measure(self, match: re.Match[str]) -> Found:
        typed = match["measure"]
        factor, unit = _POUND if typed.lower() == "pound" else _meaning(typed, self._words.measures)
        if match["fraction"]:
            count = _meaning(match["fraction"], self._words.fractions)
        else:
            count = float(match["figure"].replace(",", ".")) if match["figure"] else self._count(match["count"])
        return _found("size", match, f"{round(count * factor):d} {unit}")

    def _count(self, typed: str) -> float:
        if typed[0].isdigit():
            return _figure(typed)
        return float(_meaning(typed, self._words.numbers))

    def _currency(self, match: re.Match[str]) -> str:
        if match["sign"] or match["code"]:
            return _SIGNS.get(match["sign"] or "") or match["code"].upper()
        return self._named(match["name"], self._words.money)

    def _named(self, typed: str, names: dict[str, str]) -> str:
        return next(code for code, name in names.items() if re.fullmatch(name, typed, re.IGNORECASE))


def _meaning(typed: str, known: Mapping[str, _Known]) -> _Known:
    """Return what stands under the expression that fits the whole of what was typed."""
    return next(meaning for name, meaning in known.items() if re.fullmatch(name, typed, re.IGNORECASE))


def _found(entity: str, match: re.Match[str], value: str) -> Found:
    return Found(entity=entity, start=match.start(), end=match.end(), value=value)


def _figure(typed: str) -> float:
    """Return the number that is written with either sign for thousands and hundredths."""
    head, sign, tail = typed.replace(",", ".").rpartition(".")
    if not sign:
        return float(tail)
    return float(f"{head.replace('.', '')}.{tail}") if len(tail) < 3 else float(f"{head.replace('.', '')}{tail}")
