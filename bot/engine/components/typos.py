"""Makes the slips of the thumb of direct messages, so that the classifier learns to read through them."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable

#: The keys beside each key on a phone's keyboard.
NEIGHBOURS = {
    "q": "wa", "w": "qes", "e": "wrd", "r": "etf", "t": "ryg", "y": "tuh", "u": "yij", "i": "uok", "o": "ipl",
    "p": "ol", "a": "qsz", "s": "adwx", "d": "sfec", "f": "dgrv", "g": "fhtb", "h": "gjyn", "j": "hkum", "k": "jlin",
    "l": "kop", "z": "asx", "x": "zsdc", "c": "xdfv", "v": "cfgb", "b": "vghn", "n": "bhjm", "m": "njk",
}  # fmt: skip


def with_typos(text: str, rate: float, seed: int) -> str:
    """Return the text with about `rate` of its letters dropped, doubled, swapped or mistyped; repeatable."""
    dice = random.Random(zlib.crc32(text.encode()) ^ seed)  # noqa: S311 - reproducible noise, not a secret
    letters = list(text)
    for index, letter in enumerate(letters):
        if letter.isalpha() and dice.random() < rate:
            slip = dice.choice(_SLIPS)
            slip(letters, index, dice)
    return "".join(letters)


def _drop(letters: list[str], index: int, _: random.Random) -> None:
    letters[index] = ""


def _double(letters: list[str], index: int, _: random.Random) -> None:
    letters[index] *= 2


def _swap(letters: list[str], index: int, _: random.Random) -> None:
    if index + 1 < len(letters):
        letters[index], letters[index + 1] = letters[index + 1], letters[index]


def _mistype(letters: list[str], index: int, dice: random.Random) -> None:
    letters[index] = dice.choice(NEIGHBOURS.get(letters[index].lower(), letters[index]))


_SLIPS: tuple[Callable[[list[str], int, random.Random], None], ...] = (_drop, _double, _swap, _mistype)
