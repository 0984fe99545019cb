"""Tells figures that the bot may say from those it made up, or took from somebody else's records."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from actions.wording import money
from bot.domain.customers import Money
from bot.store.sample_shop.records import make_records

_DOMAIN = Path(__file__).parents[2] / "domain.yml"
_KNOWLEDGE = _DOMAIN.parent / "knowledge"
_AMOUNT = re.compile(r"£\d+\.\d\d")
#: Order, invoice and tracking numbers.
_NUMBER = re.compile(r"\b[A-Z]{2,3}-?\d{6,}[A-Z]{0,2}\b")


class Facts:
    """The figures of the sample shop, and whose they are."""

    def __init__(self, today: date) -> None:
        """Read the records of one day and the texts of the domain."""
        rows = make_records(today)
        texts = "\n".join(file.read_text(encoding="utf-8") for file in (_DOMAIN, *sorted(_KNOWLEDGE.rglob("*.md"))))
        priced = [row for table in ("products", "subscriptions", "order_items") for row in rows[table]]
        minor = {row["price"] for row in priced} | {row["total"] for row in rows["orders"]}
        minor |= {row["amount"] for row in rows["returns"]}
        self._amounts = {money(Money(minor=int(str(amount)))) for amount in minor} | set(_AMOUNT.findall(texts))
        self._public = set(_NUMBER.findall(texts))
        self._emails = {row["id"]: row["email"] for row in rows["customers"]}
        self._numbers: dict[object, set[str]] = {}
        owners = {row["id"]: row["customer_id"] for row in rows["orders"]}
        for order in rows["orders"]:
            self._numbers.setdefault(order["customer_id"], set()).add(str(order["number"]))
        for table, column in (("shipments", "tracking_number"), ("invoices", "number")):
            for row in rows[table]:
                self._numbers[owners[row["order_id"]]].add(str(row[column]))

    def invented(self, said: Iterable[str], typed: str) -> list[str]:
        """Return the figures among what was `said` that are in no record, or in none of those whom `typed` names."""
        words = typed.casefold()
        own = set(self._public) | set(_NUMBER.findall(typed))
        for customer, numbers in self._numbers.items():
            is_named = str(self._emails[customer]).casefold() in words
            if is_named or any(number[-6:] in words for number in numbers if number.startswith("CL-")):
                own |= numbers
        text = "\n".join(said)
        amounts = [amount for amount in _AMOUNT.findall(text) if amount not in self._amounts]
        return amounts + [number for number in _NUMBER.findall(text) if number not in own]
