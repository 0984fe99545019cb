"""What in a text is somebody's alone: agents are asked before they show it to everybody."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.domain.customers import CustomerRecord, OrderNumberForm

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_PHONE = re.compile(r"(?<![\w/.-])\+?\(?\d[\d\s().-]{7,}\d(?![\w/])")
#: Digits of a telephone number.
_DIGITS_MIN, _DIGITS_MAX = 9, 15
_WORDS = re.compile(r"[^\W\d_][\w'’-]+")


def exposed(text: str, records: Sequence[CustomerRecord | None], numbers: OrderNumberForm) -> tuple[str, ...]:
    """Return the order numbers, e-mail addresses, telephone numbers and, of `records`, names and postcodes in `text`.

    Each once, as the brand or the text writes it.
    """
    found: list[str] = [*numbers.find(text), *_EMAIL.findall(text)]
    found += [match[0] for match in _PHONE.finditer(text) if _DIGITS_MIN <= _digit_count(match[0]) <= _DIGITS_MAX]
    for record in filter(None, records):
        customer = record.customer
        names = set(_WORDS.findall(customer.name))
        found += [word for word in _WORDS.findall(text) if word in names]
        if customer.name.strip() and customer.name.casefold() in text.casefold():
            found.append(customer.name)
        if customer.postcode and _bare(customer.postcode) in _bare(text):
            found.append(customer.postcode)
    return tuple(dict.fromkeys(found))


def _digit_count(text: str) -> int:
    return sum(character.isdigit() for character in text)


def _bare(text: str) -> str:
    return re.sub(r"\s", "", text).casefold()
