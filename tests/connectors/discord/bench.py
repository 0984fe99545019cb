"""What the Discord tests stand on: a fake Discord on a port and the connectors that speak to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from bot.domain.channels import ChannelAddress
from bot.domain.connectors import SendText
from bot.domain.messages import Choice, InboundEvent, InboundMessage, Unsupported
from connectors.discord.api import DiscordApi
from connectors.discord.connector import DiscordChannelsConnector, DiscordConnector, DiscordSettings
from connectors.setup import Facilities
from simulator.discord import FakeDiscord, FakeMember
from simulator.discord_server import DiscordServer, running
from simulator.discord_values import Place
from tests.fakes.cursors import MemoryCursors
from tests.fakes.media import MemoryMedia

JANE, SUPPORT, STAFF = "770000000000000001", "330000000000000001", "550000000000000001"


@dataclass
class Inbox:
    """Commits what the gateway brings; fails to when told so."""

    tell: Callable[[], None]
    events: list[InboundEvent] = field(default_factory=list)
    failure_count: int = 0

    async def commit(self, events: list[InboundEvent]) -> None:
        """Take a batch."""
        if self.failure_count:
            self.failure_count -= 1
            raise ConnectionError("the database is away")
        self.events += events
        self.tell()

    @property
    def texts(self) -> list[str]:
        """What was written, or the kind of what cannot be read."""
        return [each.kind if isinstance(each, Unsupported) else getattr(each, "text", "") for each in self.events]


@dataclass(kw_only=True)
class Bench:
    """A running fake, a customer and our connectors."""

    discord: FakeDiscord
    server: DiscordServer
    media: MemoryMedia
    cursors: MemoryCursors
    settings: DiscordSettings
    now: list[float]
    #: pauses that the connectors asked for, in seconds; none of them is waited
    pauses: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._start()

    async def restart(self) -> None:
        """Forget everything but what the cursors keep, as a new process does."""
        await self.connector.close()
        self._start()

    def _start(self) -> None:
        facilities = Facilities(public_url=None, media=self.media, cursors=self.cursors)
        api = DiscordApi(self.discord.token, self.settings.base_url, None, self.clock)
        self.connector = DiscordConnector(self.settings, facilities, api, self.sleep, self.clock)
        self.public = DiscordChannelsConnector(self.settings, facilities, api, self.sleep, self.clock)

    def clock(self) -> float:
        """Return the time that the test sets."""
        return self.now[0]

    async def sleep(self, seconds: float) -> None:
        """Note a pause and let it pass at once."""
        self.pauses.append(seconds)
        self.now[0] += seconds
        self.discord.tell()
        await asyncio.sleep(0)

    @property
    def jane(self) -> FakeMember:
        """The customer."""
        return self.discord.member(JANE)

    @property
    def support(self) -> Place:
        """The channel of the server in which customers are answered."""
        return self.discord.places[SUPPORT]

    @property
    def address(self) -> ChannelAddress:
        """Where the customer is."""
        return ChannelAddress(
            channel=self.connector.channel, account=self.connector.account, external_id=self.jane.direct.id
        )

    def text(self, text: str, *choices: Choice, answers: InboundMessage | None = None) -> SendText:
        """Return the call that shows the customer a text."""
        if answers is None:
            return SendText(address=self.address, text=text, choices=choices)
        return SendText(address=answers.address, text=text, choices=choices, reply_context=answers.reply_context)

    @asynccontextmanager
    async def polling(self) -> AsyncIterator[Inbox]:
        """Poll beside the block, from the moment that a session stands."""
        inbox = Inbox(self.discord.tell)
        count = len(self.discord.heard)
        task = asyncio.create_task(self.connector.poll(inbox.commit))
        try:
            await self.discord.until(lambda: any(op in {2, 6} for op, _ in self.discord.heard[count:]) or task.done())
            yield inbox
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@asynccontextmanager
async def bench(**settings: Any) -> AsyncIterator[Bench]:
    """Run a fake Discord with one customer and a channel, and connectors to it."""
    now = [1_795_400_000.0]
    discord = FakeDiscord(clock=lambda: now[0])
    discord.member(JANE)
    discord.add_channel(SUPPORT, "support")
    discord.add_channel("330000000000000009", "off-topic")
    async with running(discord) as server:
        given: dict[str, Any] = {
            "token": SecretStr(discord.token),
            "application_id": discord.application_id,
            "channels": (SUPPORT,),
            "staff_roles": (STAFF,),
            "base_url": f"{discord.url}/api/v10",
        }
        made = Bench(
            discord=discord,
            server=server,
            media=MemoryMedia(size_max=20_000_000),
            cursors=MemoryCursors(),
            settings=DiscordSettings(**(given | settings)),
            now=now,
        )
        try:
            yield made
        finally:
            await made.connector.close()


async def asks_in_public(stand: Bench, text: str) -> InboundMessage:
    """Return what a customer writes where everybody reads, as it comes in."""
    async with stand.polling() as inbox:
        stand.jane.writes(text, stand.support)
        await stand.discord.until(lambda: bool(inbox.events))
    (event,) = inbox.events
    assert isinstance(event, InboundMessage)
    return event
