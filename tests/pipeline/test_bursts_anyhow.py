from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bot.dialogue.wire import Turn, TurnRequest
from bot.domain.messages import InboundEvent, InboundMessage, Receipt, ReceiptKind
from tests.fakes.connector import ProcessKilledError, message
from tests.pipeline.rig import Rig, turn

_CUSTOMERS = count(1)


class Replies(dict[str, Any]):
    """Repeats whatever is said, and is not sure of what ends in something unclear."""

    def get(self, _key: str, _default: Any = None) -> Any:
        """Return what makes a turn."""
        return self._turn

    def _turn(self, request: TurnRequest) -> Turn:
        return turn(f"re: {request.text}", is_fallback=request.text.rpartition("\n")[2].startswith("unclear"))


class Customer:
    """Writes in any way, to a machine that may die."""

    def __init__(self, rig: Rig) -> None:
        """Be somebody new."""
        self.rig = rig
        self.name = f"c{next(_CUSTOMERS)}"
        #: all that was said, in order
        self.said: list[str] = []
        self._numbers = count(1)
        self._brought: list[InboundEvent] = []
        self._next: InboundMessage | None = None
        self._is_dying = False
        rig.connector.debounce = timedelta(seconds=0.8)
        rig.engine.by_text = Replies()
        rig.engine.during_step = self._during_step

    def steps(self) -> dict[str, Callable[[], Coroutine[Any, Any, object]]]:
        """Return what may happen."""
        return {
            "clear": lambda: self._write("clear"),
            "unclear": lambda: self._write("unclear"),
            "whole": lambda: self._write("unclear but whole."),
            "unknown tap": lambda: self._write("tap", choice="nobody knows it"),
            "edit": lambda: self._write("edit", edits="what nobody knows"),
            "report": self._report,
            "repeat": self._repeat,
            "write while the turn is in work": self._interrupt,
            "die": self._die,
            "a short while": lambda: self._wait(0.5),
            "a long while": lambda: self._wait(61),
            "work": self.rig.settle,
            "take one": self.rig.converse_once,
        }

    def _message(self, text: str, **more: Any) -> InboundMessage:
        number = next(self._numbers)
        said = f"{text} {number}{'.' if text.endswith('.') else ''}"
        self.said.append(said)
        made = message(self.rig.connector, self.name, f"{self.name} {number}", said, **more)
        self._brought.append(made)
        return made

    async def _write(self, text: str, **more: Any) -> None:
        await self.rig.bring(self._message(text, **more))

    async def _report(self) -> None:
        address, name = self.rig.connector.address(self.name), f"{self.name} r{next(self._numbers)}"
        await self.rig.bring(Receipt(address=address, external_id=name, of_external_id="x", kind=ReceiptKind.READ))

    async def _repeat(self) -> None:
        await self.rig.bring(*self._brought[-2:])

    async def _interrupt(self) -> None:
        self._next = self._message("clear")
        await self.rig.converse_once()
        await self._bring_next()

    async def _die(self) -> None:
        self._is_dying = True
        await self.rig.converse_once()
        self._is_dying = False

    async def _wait(self, seconds: float) -> None:
        self.rig.clock.pass_(seconds=seconds)
        await self.rig.sweep()

    async def _during_step(self, _: TurnRequest) -> None:
        await self._bring_next()
        if self._is_dying:
            self._is_dying = False
            raise ProcessKilledError

    async def _bring_next(self) -> None:
        if self._next is not None:
            made, self._next = self._next, None
            await self.rig.bring(made)

    def was_answered(self) -> list[str]:
        """Return what was answered, in the order of the answers."""
        lines = [line for text in self.rig.seen(self.name) for line in text.split("\n")]
        return [line.removeprefix("re: ") for line in lines]


STEPS = [
    "clear",
    "unclear",
    "whole",
    "unknown tap",
    "edit",
    "report",
    "repeat",
    "write while the turn is in work",
    "die",
    "a short while",
    "a long while",
    "work",
    "take one",
]


@pytest.mark.no_cover
@given(steps=st.lists(st.sampled_from(STEPS), min_size=1, max_size=25))
@settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    database=None,
    suppress_health_check=list(HealthCheck),
)
async def test_every_message_is_in_one_turn_in_order(rig: Rig, steps: list[str]) -> None:
    """However messages arrive, and whatever dies meanwhile, each is answered in exactly one turn, in order."""
    customer = Customer(rig)
    may_happen = customer.steps()
    for step in steps:
        await may_happen[step]()
    for _ in range(4):
        await rig.recover()
    assert customer.was_answered() == customer.said
    assert await rig.inbox_states() == {"pending": 0, "claimed": 0, "dead": 0, "held": 0}
