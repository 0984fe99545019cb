"""What the Telegram tests stand on: a fake Telegram on a port and the connector that speaks to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from aiohttp import web

from bot.domain.channels import ChannelAddress
from bot.domain.connectors import Connector, SendText, WebhookRequest
from bot.domain.errors import MalformedWebhookError, WebhookRejectedError
from bot.domain.messages import Attachment, AttachmentKind, Choice, InboundEvent
from connectors.telegram.connector import TelegramAccount, TelegramConnector
from simulator.telegram import FakeCustomer, FakeTelegram
from simulator.telegram_server import running
from tests.fakes.media import MemoryMedia

JANE = 42


@dataclass(kw_only=True)
class Bench:
    """A running fake, a customer and our connector."""

    telegram: FakeTelegram
    connector: TelegramConnector
    media: MemoryMedia
    #: pauses that the connector asked for, in seconds; none of them is waited
    pauses: list[float] = field(default_factory=list)

    @property
    def jane(self) -> FakeCustomer:
        """The customer."""
        return self.telegram.customer(JANE)

    @property
    def address(self) -> ChannelAddress:
        """Where the customer is."""
        return address_of(self.connector)

    def text(self, text: str, *choices: Choice) -> SendText:
        """Return the call that shows the customer a text."""
        return SendText(address=self.address, text=text, choices=choices)

    async def file(self, content: bytes, media_type: str, name: str = "file") -> Attachment:
        """Keep a file and return it."""
        return await self.media.put(content, Attachment(kind=AttachmentKind.FILE, name=name, media_type=media_type))


def address_of(connector: TelegramConnector, chat: int = JANE) -> ChannelAddress:
    """Return a customer's address on the connector's account."""
    return ChannelAddress(channel=connector.channel, account=connector.account, external_id=str(chat))


@asynccontextmanager
async def bench(*, webhook_url: str | None = None) -> AsyncIterator[Bench]:
    """Run a fake Telegram with one customer, and a connector to it."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async with running(FakeTelegram()) as telegram:
        telegram.customer(JANE)
        media = MemoryMedia(size_max=20_000_000)
        account = TelegramAccount(
            token=telegram.token,
            base_url=telegram.url,
            webhook_url=webhook_url,
            webhook_secret="webhook-secret_of-the-test",
            poll_for=timedelta(seconds=5),
        )
        connector = TelegramConnector(account, media, sleep)
        try:
            yield Bench(telegram=telegram, connector=connector, media=media, pauses=pauses)
        finally:
            await connector.close()


@dataclass(kw_only=True)
class Door:
    """The route a channel calls: verify, parse, keep, answer."""

    connector: Connector | None = None
    url: str = ""
    events: list[InboundEvent] = field(default_factory=list)
    #: of every call, in order
    statuses: list[int] = field(default_factory=list)
    #: the next calls are answered so, and nothing is kept
    outages: list[int] = field(default_factory=list)
    #: set whenever something was kept
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.Response:
        """Do what the service does with a webhook, in short."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        status = self._take(WebhookRequest(method=request.method, headers=headers, query={}, body=body))
        self.statuses.append(status)
        return web.Response(status=status)

    def _take(self, request: WebhookRequest) -> int:
        assert self.connector is not None
        if self.outages:
            return self.outages.pop(0)
        try:
            self.connector.verify(request)
            self.events += self.connector.parse(request)
        except WebhookRejectedError:
            return 403
        except MalformedWebhookError:
            return 400
        self.news.set()
        return 200


@asynccontextmanager
async def door() -> AsyncIterator[Door]:
    """Open a door on a loopback port; its connector is set afterwards."""
    opened = Door()
    app = web.Application()
    app.router.add_post("/webhooks/telegram", opened.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    opened.url = f"http://127.0.0.1:{runner.addresses[0][1]}/webhooks/telegram"
    try:
        yield opened
    finally:
        await runner.cleanup()
