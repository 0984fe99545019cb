"""Messenger, Instagram and WhatsApp with customers who write to the brand, in any weather."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from simulator import graph_words
from simulator.courier import Courier, Event
from simulator.graph import FakeGraph, Fault, Json, Person, RefusedError, Shown
from simulator.graph_server import running
from simulator.phones import wrote
from simulator.truth import Chat, Seen
from simulator.weather import Weather

CHANNELS = ("messenger", "instagram", "whatsapp")
#: Seconds that a report is on its way at most.
_REPORTS_WITHIN = 4.0
#: Longer ago than any window lets anybody answer.
_LONG_AGO = 8 * 24 * 3600


@dataclass(kw_only=True)
class StormyGraph(FakeGraph):
    """A fake Graph API that notes what customers see, and behaves as the weather is."""

    weather: Weather
    dice: random.Random
    phones: dict[str, MetaPhone] = field(default_factory=dict)

    def call(self, method: str, path: str, parameters: Json, bearer: str) -> Json:
        """Return the answer to a call; what a customer sees of it is noted, whoever hears the answer."""
        is_message = path.endswith("/messages") and "sender_action" not in parameters and "status" not in parameters
        if not is_message:
            return super().call(method, path, parameters, bearer)
        recipient = parameters.get("recipient") or parameters.get("to")
        phone = self.phones[str(recipient["id"] if isinstance(recipient, dict) else recipient)]
        if self.dice.random() < self.weather.closes:
            phone.person.wrote_at -= _LONG_AGO
            phone.chat.is_closed = True
        answer = super().call(method, path, parameters, bearer)
        phone.sees()
        return answer

    def fault_of(self, call: str) -> Fault | None:
        """Return what goes wrong with a call."""
        planned = super().fault_of(call)
        if planned is not None or call != "messages":
            return planned
        chance = self.dice.random()
        busy = RefusedError(4, "Application request limit reached")
        return self.weather.fault(
            chance,
            busy=Fault(error=busy, headers={"Retry-After": "1"}),
            broken=Fault(status=502, body=b"Bad Gateway"),
            cut=Fault(cut_after=0),
            cut_late=Fault(is_done=True, cut_after=self.dice.choice((0, 20))),
        )


@dataclass(kw_only=True)
class MetaPhone:
    """A customer's app on one of Meta's channels."""

    channel: str
    graph: StormyGraph
    courier: Courier
    person: Person
    name: str
    chat: Chat
    edit_count: int = 0

    async def write(self, text: str) -> None:
        """Send a text."""
        external_id = self._new_id()
        self._send(graph_words.text(self.channel, self.person.id, self.name, external_id, text), external_id, text)

    async def tap(self, title: str, payload: str) -> None:
        """Tap a choice."""
        external_id = self._new_id()
        body = graph_words.tap(self.channel, self.person.id, self.name, external_id, (title, payload))
        self._send(body, external_id, title)

    async def edit(self, text: str) -> None:
        """Change the last message."""
        self.edit_count += 1
        of = self.chat.wrote[-1].external_id
        body = graph_words.edit(self.channel, self.person.id, of, text, (self.edit_count, self._new_id()))
        self.courier.send(Event(channel=self.channel, body=body))

    async def withdraw(self) -> None:
        """Take the last message back, where the channel tells of it."""
        of = self.chat.wrote[-1].external_id
        body = graph_words.withdrawal(self.channel, self.person.id, of, self._new_id())
        if body is not None:
            self.courier.send(Event(channel=self.channel, body=body))

    async def react(self, sign: str) -> None:
        """Put a sign to the last message that was seen."""
        if self.chat.seen:
            of = self.chat.seen[-1].external_id
            body = graph_words.reaction(self.channel, self.person.id, of, sign, self._new_id())
            self.courier.send(Event(channel=self.channel, body=body))

    def sees(self) -> None:
        """Note what came since, and report on it some time."""
        for shown in self.person.seen[len(self.chat.seen) :]:
            seen = Seen(external_id=shown.message_id, text=shown.text, at=time.monotonic(), choices=shown.choices)
            self.chat.seen.append(seen)
            self._report(shown)

    def _report(self, shown: Shown) -> None:
        # Each takes its own time, so that what was read may be reported before it was sent.
        for body in graph_words.reports(self.channel, self.person.id, shown, self.graph):
            after = self.courier.dice.uniform(0, _REPORTS_WITHIN)
            self.courier.send(Event(channel=self.channel, body=body), after)

    def _send(self, body: Json, external_id: str, text: str) -> None:
        self.person.wrote_at = self.graph.clock()
        written = wrote(self.chat, external_id, text)
        self.courier.send(Event(channel=self.channel, body=body, written=written))

    def _new_id(self) -> str:
        return self.graph.new_id(f"wamid.{self.person.id}." if self.channel == "whatsapp" else "m_in_")


@dataclass(kw_only=True)
class MetaStreet:
    """One of Meta's channels and its customers."""

    channel: str
    graph: StormyGraph
    courier: Courier

    @property
    def account(self) -> str:
        """The brand's account."""
        of = {"messenger": self.graph.page_id, "instagram": self.graph.instagram_id, "whatsapp": self.graph.number_id}
        return of[self.channel]

    @property
    def environ(self) -> dict[str, str]:
        """What Tandem has to know of it."""
        graph = self.graph
        own = {
            "messenger": {"PAGE_ID": graph.page_id},
            "instagram": {"ACCOUNT_ID": graph.instagram_id, "PAGE_ID": graph.page_id},
            "whatsapp": {"PHONE_NUMBER_ID": graph.number_id, "BUSINESS_ACCOUNT_ID": graph.business_id},
        }
        common = {
            "TOKEN": graph.token,
            "APP_SECRET": graph.app_secret,
            "APP_ID": graph.app_id,
            "VERIFY_TOKEN": "simulated-token-of-the-webhook",
            "BASE_URL": graph.url,
        }
        members = common | own[self.channel]
        return {f"TANDEM_{self.channel.upper()}__{name}": value for name, value in members.items()}

    def phone(self, number: int, name: str) -> MetaPhone:
        """Return the phone of a new customer."""
        prefix = {"messenger": "2468", "instagram": "9876", "whatsapp": "GB."}[self.channel]
        person = self.graph.person(f"{prefix}{1_000_000 + number}")
        chat = Chat(address=f"{self.channel}/{self.account}/{person.id}")
        phone = MetaPhone(
            channel=self.channel, graph=self.graph, courier=self.courier, person=person, name=name, chat=chat
        )
        self.graph.phones[person.id] = phone
        return phone

    async def idle(self) -> None:
        """Return once nothing is on its way."""
        await self.courier.errands.done()


@asynccontextmanager
async def streets(channels: list[str], weather: Weather, dice: random.Random) -> AsyncIterator[dict[str, MetaStreet]]:
    """Run Meta with these channels until the context ends."""
    graph = StormyGraph(weather=weather, dice=dice)
    async with running(graph) as server:

        async def call(channel: str, events: list[Json]) -> int:
            return (await server.deliver(graph_words.call(channel, events, graph)))[-1]

        courier = Courier(call=call, weather=weather, dice=dice)
        try:
            yield {channel: MetaStreet(channel=channel, graph=graph, courier=courier) for channel in channels}
        finally:
            await courier.errands.stop()
