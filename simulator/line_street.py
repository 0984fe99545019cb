"""LINE with customers who write to the account, in any weather."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from simulator.courier import Courier, Event
from simulator.line import FakeLine, Fault, Json, Person
from simulator.line_server import running
from simulator.phones import wrote
from simulator.truth import Chat, Seen
from simulator.weather import Weather

CHANNEL = "line"


@dataclass(kw_only=True)
class StormyLine(FakeLine):
    """A fake LINE that notes what customers see, and behaves as the weather is."""

    weather: Weather
    dice: random.Random
    phones: dict[str, LinePhone] = field(default_factory=dict)

    def call(self, method: str, path: str, body: Json, retry_key: str) -> Json:
        """Return the answer to a call; what a customer sees of it is noted, whoever hears the answer."""
        answer = super().call(method, path, body, retry_key)
        if path.endswith(("/reply", "/push")):
            for phone in self.phones.values():
                phone.sees()
        return answer

    def fault_of(self, call: str) -> Fault | None:
        """Return what goes wrong with a call."""
        planned = super().fault_of(call)
        if planned is not None or call not in {"reply", "push"}:
            return planned
        chance = self.dice.random()
        return self.weather.fault(
            chance,
            busy=Fault(call=call, status=429, headers={"Retry-After": "1"}),
            broken=Fault(call=call, status=502),
            cut=Fault(call=call, cut_after=0),
            cut_late=Fault(call=call, is_done=True, cut_after=self.dice.choice((0, 20))),
        )


@dataclass(kw_only=True)
class LinePhone:
    """A customer's LINE; there are no signs to put to a message."""

    line: StormyLine
    courier: Courier
    person: Person
    chat: Chat

    async def write(self, text: str) -> None:
        """Send a text."""
        event = self.line.writes(self.person, text)
        self._send(event, event["message"]["id"], text)

    async def tap(self, title: str, payload: str) -> None:  # noqa: ARG002 - the newest choice of that label
        """Tap a quick reply."""
        event = self.line.taps(self.person, title)
        self._send(event, event["webhookEventId"], title)

    async def edit(self, text: str) -> None:
        """Change the last message."""
        message = {"id": self.chat.wrote[-1].external_id, "type": "text", "text": text}
        self.courier.send(
            Event(channel=CHANNEL, body=self.line.event(self.person, type="messageEdited", message=message))
        )

    async def withdraw(self) -> None:
        """Take the last message back."""
        gone = {"messageId": self.chat.wrote[-1].external_id}
        self.courier.send(Event(channel=CHANNEL, body=self.line.event(self.person, type="unsend", unsend=gone)))

    async def react(self, sign: str) -> None:
        """Do nothing."""

    def sees(self) -> None:
        """Note what came since."""
        for shown in self.person.seen[len(self.chat.seen) :]:
            choices = tuple((label, data) for label, data, _ in shown.choices)
            seen = Seen(external_id=shown.message_id, text=shown.text, at=time.monotonic(), choices=choices)
            self.chat.seen.append(seen)

    def _send(self, event: Json, external_id: str, text: str) -> None:
        self.courier.send(Event(channel=CHANNEL, body=event, written=wrote(self.chat, external_id, text)))


@dataclass(kw_only=True)
class LineStreet:
    """A running LINE and its customers."""

    line: StormyLine
    courier: Courier

    @property
    def environ(self) -> dict[str, str]:
        """What Tandem has to know of it."""
        line = self.line
        return {
            "TANDEM_LINE__TOKEN": line.token,
            "TANDEM_LINE__CHANNEL_SECRET": line.channel_secret,
            "TANDEM_LINE__CHANNEL_ID": line.channel_id,
            "TANDEM_LINE__BASE_URL": line.url,
            "TANDEM_LINE__DATA_URL": line.url,
        }

    def phone(self, number: int, name: str) -> LinePhone:
        """Return the phone of a new customer."""
        person = self.line.person(f"U{number:032x}")
        person.name = name
        chat = Chat(address=f"{CHANNEL}/{self.line.channel_id}/{person.id}")
        phone = self.line.phones[person.id] = LinePhone(line=self.line, courier=self.courier, person=person, chat=chat)
        return phone

    async def idle(self) -> None:
        """Return once nothing is on its way."""
        await self.courier.errands.done()


@asynccontextmanager
async def street(weather: Weather, dice: random.Random) -> AsyncIterator[LineStreet]:
    """Run a LINE until the context ends."""
    line = StormyLine(weather=weather, dice=dice)
    async with running(line) as server:

        async def call(_channel: str, events: list[Json]) -> int:
            return await server.post(line.envelope(*events))

        courier = Courier(call=call, weather=weather, dice=dice)
        try:
            yield LineStreet(line=line, courier=courier)
        finally:
            await courier.errands.stop()
