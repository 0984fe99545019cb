"""What the customers of the benchmarks say; each waits for the whole answer before the next message."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass, field
from typing import Protocol

from bot.store.sample_shop.cast import cast

#: One conversation in three is of each kind. `{order}` and `{postcode}` are those of a sample customer.
SCRIPTS: tuple[tuple[str, ...], ...] = (
    ("hi", "what time do you open", "how much is delivery", "thanks"),
    ("hello there", "where is my order", "{order}", "{postcode}", "thank you", "bye"),
    ("are you a bot?", "what can you do", "where is my order {order} {postcode}", "whats your return policy", "cheers"),
)


class Channel(Protocol):
    """A way to one of the bots."""

    async def say(self, customer: int, text: str, answer_count: int | None) -> list[str]:
        """Send a customer's message and return the texts of the whole answer.

        `answer_count` is how many messages the answer has, for a channel on which they arrive one by one; none: listen
        until nothing more comes. Raises `TimeoutError` or `ConnectionError` when it does not come.
        """
        ...


#: How many messages each answer has, for each script and each sample customer: some have more to be told than others.
Lengths = dict[tuple[int, int], list[int]]


@dataclass
class Tally:
    """What came of some load."""

    #: seconds from each message's sending to the last message of its answer
    waits: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    #: answers that named the order asked about, of those that should
    found_count: int = 0
    asked_count: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Turns per second."""
        return len(self.waits) / self.seconds

    def wait_ms(self, share: float) -> float:
        """Return the wait in milliseconds that this share of the turns did not exceed."""
        ordered = sorted(self.waits)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000


class Crowd:
    """Customers without end, each a new one with a number of its own."""

    def __init__(self) -> None:
        """Begin with customer 1."""
        self._numbers = itertools.count(1)
        # A lost parcel goes to people, who work for one side only.
        self._cast = [member for member in cast() if "lost" not in member.situation]
        self._roles = [(script, member) for script in range(len(SCRIPTS)) for member in range(len(self._cast))]

    async def learn(self, channel: Channel) -> Lengths:
        """Hold each conversation once, slowly, and return the lengths of the answers."""
        found = await asyncio.gather(*(self._learn(channel, *role) for role in self._roles))
        return dict(zip(self._roles, found, strict=True))

    async def _learn(self, channel: Channel, script: int, member: int) -> list[int]:
        customer = next(self._numbers)
        return [len(await channel.say(customer, self._fill(text, member), None)) for text in SCRIPTS[script]]

    async def talk(self, channel: Channel, lengths: Lengths, at_once: int, seconds: float) -> Tally:
        """Keep `at_once` conversations going for some seconds: a closed loop."""
        tally = Tally()
        roles = itertools.cycle(lengths.items())
        began = time.perf_counter()

        async def keep_talking() -> None:
            while time.perf_counter() < began + seconds:
                (script, member), counts = next(roles)
                customer = next(self._numbers)
                for text, count in zip(SCRIPTS[script], counts, strict=True):
                    if time.perf_counter() >= began + seconds or not await self._say(
                        channel, tally, customer, (text, member, count)
                    ):
                        break

        await asyncio.gather(*(keep_talking() for _ in range(at_once)))
        tally.seconds = time.perf_counter() - began
        return tally

    async def _say(self, channel: Channel, tally: Tally, customer: int, line: tuple[str, int, int]) -> bool:
        """Say one line of a sample customer's and take the time; false when no whole answer came."""
        text, member, count = line
        began = time.perf_counter()
        try:
            answers = await channel.say(customer, self._fill(text, member), count)
        except (TimeoutError, OSError) as error:
            tally.failures.append(f"{text}: {error!r}")
            return False
        tally.waits.append(time.perf_counter() - began)
        if "{postcode}" in text:
            tally.asked_count += 1
            tally.found_count += any(self._cast[member].order_number in answer for answer in answers)
        return True

    def _fill(self, text: str, member: int) -> str:
        return text.format(order=self._cast[member].order_number, postcode=self._cast[member].postcode)
