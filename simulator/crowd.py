"""The customers: so many at once on each channel, each with a conversation of their own, somebody new after each."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from simulator.phones import Channel, Phone
from simulator.scripts import Doing, Step, draw
from simulator.truth import Chat

#: Seconds between the fragments of a burst, and between an answer and the next message, at most.
_TYPES_WITHIN, _READS_WITHIN = 0.4, 2.0
#: Seconds without a further message after which an answer counts as whole; a customer who gives up waits so long more.
_QUIET_FOR = 0.7
_LOOKS_EVERY = 0.05
_NAMES = ("Jo Marsh", "Sam Field", "Noor Aziz", "Ola Berg", "Kit Lowe", "Wen Li", "Dee Park", "Ana Cruz", "Max Hill")


@dataclass(kw_only=True)
class Crowd:
    """Everybody who writes."""

    channels: Mapping[str, Channel]
    seed: int
    #: customers at once, on all channels together
    count: int
    #: seconds that a customer waits for an answer before they give up
    patience: float
    #: no new messages once it is set
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    #: by channel
    chats: dict[str, list[Chat]] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def write(self) -> None:
        """Keep customers coming until the crowd closes, and see each one's step through."""
        async with asyncio.TaskGroup() as tasks:
            for place in range(self.count):
                tasks.create_task(self._stay(place))

    async def _stay(self, place: int) -> None:
        dice = random.Random(f"{self.seed}/{place}")
        # Nobody begins at the same moment, and whoever follows comes by another channel.
        await self._pause(dice.uniform(0, _READS_WITHIN))
        channels = itertools.islice(itertools.cycle(self.channels), place % len(self.channels), None)
        while not self.closing.is_set():
            channel = next(channels)
            phone = self.channels[channel].phone(next(self._numbers), dice.choice(_NAMES))
            self.chats.setdefault(channel, []).append(phone.chat)
            await self._talk(phone, dice)

    async def _talk(self, phone: Phone, dice: random.Random) -> None:
        for step in draw(dice):
            if self.closing.is_set() or not await self._take(phone, step, dice):
                return
            await self._pause(dice.uniform(0.2, _READS_WITHIN))

    async def _take(self, phone: Phone, step: Step, dice: random.Random) -> bool:
        """Take one step; return whether the customer goes on."""
        match step.doing:
            case Doing.SAYS:
                await self._say(phone, step.texts, dice)
            case Doing.TAPS:
                offered = phone.chat.seen[-1].choices if phone.chat.seen else ()
                phone.chat.asked_at.append(time.monotonic())
                if offered:
                    await phone.tap(*dice.choice(offered))
                else:
                    await phone.write(step.texts[0])
            case Doing.EDITS:
                await phone.edit(step.texts[0])
                return True
            case Doing.WITHDRAWS:
                await phone.withdraw()
                return True
            case Doing.REACTS:
                await phone.react(step.texts[0])
                return True
        return await self._is_answered(phone.chat)

    async def _say(self, phone: Phone, texts: tuple[str, ...], dice: random.Random) -> None:
        phone.chat.asked_at.append(time.monotonic())
        for n, text in enumerate(texts):
            if n:
                await asyncio.sleep(dice.uniform(0.05, _TYPES_WITHIN))
            await phone.write(text)

    async def _is_answered(self, chat: Chat) -> bool:
        """Wait for the whole answer to the last question; return whether there was any.

        When the crowd closes nobody waits any more: what comes later is noted all the same.
        """
        gives_up_at = time.monotonic() + (_READS_WITHIN if chat.is_public else self.patience)
        while chat.wait_of(len(chat.asked_at) - 1) is None:
            if chat.is_closed or self.closing.is_set() or time.monotonic() > gives_up_at:
                return chat.is_public
            await asyncio.sleep(_LOOKS_EVERY)
        # Of an answer in several parts the rest must not pass for the answer to the next question.
        while time.monotonic() - chat.seen[-1].at < _QUIET_FOR:  # noqa: ASYNC110 - grows old without an event
            await asyncio.sleep(_LOOKS_EVERY)
        return True

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self.closing.wait(), seconds)
        except TimeoutError:
            return
