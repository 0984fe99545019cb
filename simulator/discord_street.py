"""Discord with customers who write to the bot, and others who write where everybody reads it, in any weather."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from simulator.discord import FakeDiscord, FakeMember
from simulator.discord_server import DiscordServer, running
from simulator.discord_values import Fault, Json, Place
from simulator.phones import Errands, wrote
from simulator.truth import Chat, Seen
from simulator.weather import Weather

PRIVATE, PUBLIC = "discord", "discord-channels"
CHANNELS = (PRIVATE, PUBLIC)
_SUPPORT = "330000000000000001"
#: Milliseconds between heartbeats, which say how far Tandem has come.
_HEARTBEAT = 500
#: Seconds in which Tandem comes back after a cut and reads on.
_READS_WITHIN = 60.0


@dataclass(kw_only=True)
class StormyDiscord(FakeDiscord):
    """A fake Discord that notes what customers see, and behaves as the weather is."""

    weather: Weather
    dice: random.Random
    heartbeat_interval: int = _HEARTBEAT
    server: DiscordServer | None = None
    errands: Errands = field(default_factory=Errands)
    #: of direct messages by their place, of public ones by who wrote them
    chats: dict[str, Chat] = field(default_factory=dict)
    #: public message → who wrote it
    authors: dict[str, str] = field(default_factory=dict)

    def create(self, place: Place, body: Json, files: list[Json]) -> Json:
        """Return the message that a call makes; that a customer sees it is noted, whoever hears the answer."""
        count = len(place.messages)
        made = super().create(place, body, files)
        if len(place.messages) > count:
            answered = str(body.get("message_reference", {}).get("message_id", ""))
            chat = self.chats[self.authors[answered] if place.guild_id else place.id]
            buttons = [button for row in made["components"] for button in row["components"]]
            choices = tuple((each["label"], each["custom_id"]) for each in buttons)
            seen = Seen(external_id=made["id"], text=made["content"], at=time.monotonic(), choices=choices)
            chat.seen.append(seen)
        return made

    def fault_of(self, call: str) -> Fault | None:
        """Return what goes wrong with a call."""
        planned = super().fault_of(call)
        if planned is not None or call != "POST messages":
            return planned
        chance = self.dice.random()
        busy = b'{"message": "You are being rate limited.", "retry_after": 1.0, "global": false}'
        return self.weather.fault(
            chance,
            busy=Fault(call=call, status=429, body=busy, headers={"Retry-After": "1"}),
            broken=Fault(call=call, status=502),
            cut=Fault(call=call, cut_after=0),
            cut_late=Fault(call=call, is_done=True, cut_after=self.dice.choice((0, 20))),
        )

    def noted(self, chat: Chat, external_id: str, text: str) -> None:
        """Note what a customer wrote, which Discord keeps until Tandem has it; maybe the connection ends now."""
        written = wrote(chat, external_id, text)
        written.offered_at = written.acknowledged_at = written.at
        if self.server is not None and self.dice.random() < self.weather.hangs_up:
            self.errands.run(self.server.drop())

    def is_read(self) -> bool:
        """Whether Tandem has everything that any session of its was told."""
        heard = [data for op, data in self.heard if op == 1 and isinstance(data, int)]
        return bool(heard) and heard[-1] >= len(list(self.sessions.values())[-1].dispatches)


@dataclass(kw_only=True)
class DiscordPhone:
    """A customer's Discord, in direct messages or where everybody reads."""

    discord: StormyDiscord
    member: FakeMember
    chat: Chat
    #: none: direct messages
    place: Place | None = None

    async def write(self, text: str) -> None:
        """Send a text; in public it names us."""
        if self.place is None:
            made = self.member.writes(text)
        else:
            me = self.discord.me
            made = self.member.writes(f"<@{me['id']}> {text}", self.place, mentions=[me])
            self.discord.authors[made["id"]] = self.member.id
        self.discord.noted(self.chat, made["id"], text)

    async def tap(self, title: str, payload: str) -> None:  # noqa: ARG002 - the newest button of that label
        """Tap a button."""
        self.discord.noted(self.chat, self.member.taps(title), title)

    async def edit(self, text: str) -> None:
        """Change the last message."""
        if (made := self._last()) is not None:
            self.member.edits(made, text)

    async def withdraw(self) -> None:
        """Take the last message back."""
        if (made := self._last()) is not None:
            self.member.deletes(made)

    async def react(self, sign: str) -> None:
        """Put a sign to the last message that was seen."""
        if self.place is None and self.member.seen:
            self.member.reacts(self.member.seen[-1], sign)

    def _last(self) -> Json | None:
        messages = (self.place or self.member.direct).messages
        return next((each for each in reversed(messages) if each["id"] == self.chat.wrote[-1].external_id), None)


@dataclass(kw_only=True)
class DiscordStreet:
    """Direct messages, or a channel of a server, and its customers."""

    channel: str
    discord: StormyDiscord

    @property
    def environ(self) -> dict[str, str]:
        """What Tandem has to know of it."""
        known = {
            "TANDEM_DISCORD__TOKEN": self.discord.token,
            "TANDEM_DISCORD__APPLICATION_ID": self.discord.application_id,
            "TANDEM_DISCORD__BASE_URL": f"{self.discord.url}/api/v10",
        }
        return known | ({"TANDEM_DISCORD__CHANNELS": _SUPPORT} if self.channel == PUBLIC else {})

    def phone(self, number: int, name: str) -> DiscordPhone:
        """Return the phone of a new customer."""
        member = self.discord.member(f"77{number:016d}", name)
        is_public = self.channel == PUBLIC
        where = f"{_SUPPORT}:{member.id}" if is_public else member.direct.id
        chat = Chat(address=f"{self.channel}/{self.discord.application_id}/{where}", is_public=is_public)
        self.discord.chats[member.id if is_public else member.direct.id] = chat
        place = self.discord.places[_SUPPORT] if is_public else None
        return DiscordPhone(discord=self.discord, member=member, chat=chat, place=place)

    async def idle(self) -> None:
        """Return once Tandem has all that it was told of."""
        await self.discord.errands.done()
        await self.discord.until(self.discord.is_read, within=_READS_WITHIN)


@asynccontextmanager
async def streets(
    channels: list[str], weather: Weather, dice: random.Random
) -> AsyncIterator[dict[str, DiscordStreet]]:
    """Run Discord with these channels until the context ends."""
    discord = StormyDiscord(weather=weather, dice=dice)
    discord.add_channel(_SUPPORT, "support")
    async with running(discord) as server:
        discord.server = server
        try:
            yield {channel: DiscordStreet(channel=channel, discord=discord) for channel in channels}
        finally:
            await discord.errands.stop()
