"""What the customers of the benchmarks say; each waits for the whole answer before the next message."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from bot.store.sample_shop.cast import CastMember, cast

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


@dataclass(frozen=True, kw_only=True)
class Line:
    """One message of a script."""

    text: str
    #: messages in its answer
    answer_count: int | None


#: The scripts with what is known of the answers.
Lines = list[list[Line]]


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
        self._cast = cast()

    async def learn(self, channel: Channel) -> Lines:
        """Hold each conversation once, slowly, and return the scripts with the length of each answer."""
        lines: Lines = []
        for script in SCRIPTS:
            customer = next(self._numbers)
            lines.append(
                [
                    Line(text=text, answer_count=len(await channel.say(customer, self._fill(text, customer), None)))
                    for text in script
                ]
            )
        return lines

    async def talk(self, channel: Channel, lines: Lines, at_once: int, seconds: float) -> Tally:
        """Keep `at_once` conversations going for some seconds: a closed loop."""
        tally = Tally()
        scripts = itertools.cycle(lines)
        began = time.perf_counter()
        await asyncio.gather(*(self._keep_talking(channel, scripts, began + seconds, tally) for _ in range(at_once)))
        tally.seconds = time.perf_counter() - began
        return tally

    async def _keep_talking(self, channel: Channel, scripts: Iterator[list[Line]], until: float, tally: Tally) -> None:
        while time.perf_counter() < until:
            customer = next(self._numbers)
            for line in next(scripts):
                if time.perf_counter() >= until:
                    return
                began = time.perf_counter()
                try:
                    texts = await channel.say(customer, self._fill(line.text, customer), line.answer_count)
                except (TimeoutError, OSError) as error:
                    tally.failures.append(f"{line.text}: {error!r}")
                    break
                tally.waits.append(time.perf_counter() - began)
                if "{postcode}" in line.text:
                    tally.asked_count += 1
                    tally.found_count += any(self._member(customer).order_number in text for text in texts)

    def _fill(self, text: str, customer: int) -> str:
        member = self._member(customer)
        return text.format(order=member.order_number, postcode=member.postcode)

    def _member(self, customer: int) -> CastMember:
        return self._cast[customer % len(self._cast)]
