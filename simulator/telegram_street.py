"""Telegram with customers who write to the bot, in any weather."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from simulator.phones import Errands, wrote
from simulator.telegram import FakeCustomer, FakeTelegram
from simulator.telegram_server import running
from simulator.telegram_values import Fault, Json, Update
from simulator.truth import Chat, Seen, Wrote
from simulator.weather import Weather

CHANNEL = "telegram"
_WEBHOOK_SECRET = "simulated-secret_of-the-webhook"
#: Seconds after which an impatient Telegram hangs up, and after which at most it tells of something again.
_HANGS_UP_AFTER, _REPEATS_WITHIN = 0.02, 2.0


@dataclass(kw_only=True)
class StormyTelegram(FakeTelegram):
    """A fake Telegram that notes what customers see, and behaves as the weather is."""

    weather: Weather
    dice: random.Random
    errands: Errands = field(default_factory=Errands)
    chats: dict[int, Chat] = field(default_factory=dict)
    #: by what Tandem calls them
    wrotes: dict[str, Wrote] = field(default_factory=dict)

    async def call(self, method: str, parameters: Json) -> object:
        """Return the result of a call; what a customer sees of it is noted, whoever hears the answer."""
        result = await super().call(method, parameters)
        if method.startswith("send") and method != "sendChatAction":
            customer = int(parameters["chat_id"])
            shown = self.customers[customer].seen[-1]
            self.chats[customer].seen.append(
                Seen(
                    external_id=f"{customer}:{shown.message_id}",
                    text=shown.text,
                    at=time.monotonic(),
                    choices=shown.buttons,
                )
            )
        return result

    def fault_of(self, method: str) -> Fault | None:
        """Return what goes wrong with a call."""
        planned = super().fault_of(method)
        if planned is not None or not method.startswith("send") or method == "sendChatAction":
            return planned
        chance = self.dice.random()
        return self.weather.fault(
            chance,
            busy=Fault(method=method, code=429, description="Too Many Requests", retry_after=1),
            broken=Fault(method=method, code=502, description="Bad Gateway"),
            cut=Fault(method=method, cut_after=0),
            cut_late=Fault(method=method, is_done=True, cut_after=self.dice.choice((0, 20))),
        )

    def offer(self, update: Update) -> float | None:
        """Note that Tandem is told of an update now."""
        written = self.wrotes.get(_name(update))
        if written is not None and written.offered_at is None:
            written.offered_at = time.monotonic()
        return self.dice.uniform(0.001, _HANGS_UP_AFTER) if self.dice.random() < self.weather.hangs_up else None

    def take(self, update: Update) -> None:
        """Note that Tandem has an update; in bad weather it will be told of it again."""
        super().take(update)
        written = self.wrotes.get(_name(update))
        if written is not None and written.acknowledged_at is None:
            written.acknowledged_at = time.monotonic()
        if self.dice.random() < self.weather.repeats:
            again = Update(body=update.body, lane=f"again {self.new_tap_id()}", expires_at=update.expires_at)
            self.errands.run(self._repeat(again, self.dice.uniform(0, _REPEATS_WITHIN)))

    async def _repeat(self, update: Update, pause: float) -> None:
        await asyncio.sleep(pause)
        self.updates.append(update)
        self.tell()


def _name(update: Update) -> str:
    """Return what Tandem calls an update."""
    if "callback_query" in update.body:
        return f"callback:{update.body['callback_query']['id']}"
    message = update.body.get("message") or {"chat": {"id": 0}, "message_id": 0}
    return f"{message['chat']['id']}:{message['message_id']}"


@dataclass(kw_only=True)
class TelegramPhone:
    """A customer's Telegram; customers have no way to take back what a bot has read."""

    telegram: StormyTelegram
    customer: FakeCustomer
    chat: Chat

    async def write(self, text: str) -> None:
        """Send a text."""
        self._note(f"{self.customer.id}:{self.customer.writes(text)}", text)

    async def tap(self, title: str, payload: str) -> None:  # noqa: ARG002 - the newest button of that title
        """Tap a button."""
        self._note(f"callback:{self.customer.taps(title)}", title)

    async def edit(self, text: str) -> None:
        """Change the last message."""
        self.customer.edits(int(self.chat.wrote[-1].external_id.rpartition(":")[2]), text)

    async def withdraw(self) -> None:
        """Do nothing."""

    async def react(self, sign: str) -> None:
        """Put a sign to the last message that was seen."""
        if self.customer.seen:
            self.customer.reacts(self.customer.seen[-1].message_id, sign)

    def _note(self, external_id: str, text: str) -> None:
        self.telegram.wrotes[external_id] = wrote(self.chat, external_id, text)


@dataclass(kw_only=True)
class TelegramStreet:
    """A running Telegram and its customers."""

    telegram: StormyTelegram

    @property
    def environ(self) -> dict[str, str]:
        """What Tandem has to know of it."""
        return {
            "TANDEM_TELEGRAM__TOKEN": self.telegram.token,
            "TANDEM_TELEGRAM__WEBHOOK_SECRET": _WEBHOOK_SECRET,
            "TANDEM_TELEGRAM__BASE_URL": self.telegram.url,
        }

    def phone(self, number: int, name: str) -> TelegramPhone:
        """Return the phone of a new customer."""
        first, _, last = name.partition(" ")
        customer = self.telegram.customer(1_000_000 + number, first, last)
        chat = Chat(address=f"{CHANNEL}/{self.telegram.me['id']}/{customer.id}")
        self.telegram.chats[customer.id] = chat
        return TelegramPhone(telegram=self.telegram, customer=customer, chat=chat)

    async def idle(self) -> None:
        """Return once nothing waits."""
        await self.telegram.errands.done()
        while self.telegram.waiting():
            await self.telegram.changed()


@asynccontextmanager
async def street(weather: Weather, dice: random.Random) -> AsyncIterator[TelegramStreet]:
    """Run a Telegram until the context ends."""
    telegram = StormyTelegram(weather=weather, dice=dice)
    async with running(telegram):
        try:
            yield TelegramStreet(telegram=telegram)
        finally:
            await telegram.errands.stop()
