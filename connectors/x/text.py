"""How long a post is as X counts it: letters weigh one or two, addresses all the same; pure.

https://docs.x.com/fundamentals/counting-characters
"""

from __future__ import annotations

import re

POST_MAX = 280
#: What an address weighs, however long it is: X shows a short one of its own.
_ADDRESS_WEIGHT = 23
#: Characters that weigh one; all others weigh two.
_LIGHT = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))
_ADDRESS = re.compile(r"https?://\S+", re.IGNORECASE)
#: What X may take for an address although it does not say so.
_NAMED = re.compile(r"(?:[\w-]+\.)+[a-z]{2,}\S*", re.IGNORECASE)
#: Each fits if the one before does not, in the end whatever the text is.
LIMITS = (280, 210, 140, 70, 35, 12)


def weight(text: str) -> int:
    """Return what a text weighs, or more: never less than X counts."""
    addresses = _ADDRESS.findall(text)
    rest = _ADDRESS.sub(" ", text)
    named = sum(max(0, _ADDRESS_WEIGHT - _letters(each)) for each in _NAMED.findall(rest))
    return _letters(rest) - len(addresses) + _ADDRESS_WEIGHT * len(addresses) + named


def has_address(text: str) -> bool:
    """Whether X shows the text with an address in it, which costs more."""
    return bool(_ADDRESS.search(text))


def _letters(text: str) -> int:
    return sum(1 if any(low <= ord(each) <= high for low, high in _LIGHT) else 2 for each in text)
