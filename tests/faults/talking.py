"""What customers write: messages whose answers tell which message they answer."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from bot.pipeline import phrases
from bot.store.sample_shop.products import PRODUCTS

#: The names that are part of another's cannot be told apart in an answer.
_NAMES = tuple(
    seed.name for seed in PRODUCTS if not any(seed.name != other.name and seed.name in other.name for other in PRODUCTS)
)
#: What the pipeline says of itself; none of it answers a question about a product.
NOTICES = frozenset(
    {phrases.STILL_WORKING, phrases.ENGINE_FAILED, *(phrases.place_in_queue(place) for place in range(1, 200))}
)
_NAME_IN = re.compile("|".join(re.escape(name) for name in sorted(_NAMES, key=len, reverse=True)))


@dataclass(frozen=True, kw_only=True)
class Script:
    """The messages of one conversation: a question about each product, in an order of its own."""

    names: tuple[str, ...]

    @classmethod
    def shuffled(cls, dice: random.Random) -> Script:
        """Return a script in an order that the dice decide."""
        return cls(names=tuple(dice.sample(_NAMES, len(_NAMES))))

    def text(self, serial: int) -> str:
        """Return the message of that number; they count from 1."""
        return f"is the {self.names[serial - 1]} in stock?"

    def serial_of(self, answer: str) -> int | None:
        """Return the number of the message that a text answers; none if it answers none."""
        found = _NAME_IN.search(answer)
        return self.names.index(found[0]) + 1 if found else None
