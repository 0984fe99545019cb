"""A served site with the chat on it, real storage below, and a scripted bot in the pipeline's place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from sanic import HTTPResponse, Request, Sanic, response

from bot.clock import SystemClock
from bot.domain.channels import AccountId, ChannelAddress
from bot.domain.connectors import Connector, SendOperation, WebhookRequest
from bot.domain.messages import Author, Choice, InboundMessage, OutboundMessage, Receipt
from bot.pipeline.receive import Receiver
from bot.store.customer_mapping import load_mapping
from bot.store.customers.directory import SqlCustomerDirectory
from bot.store.database import Database, open_engine
from bot.store.feeds import StoredFeed
from bot.store.hints import Hint
from bot.store.media import StoredMedia
from bot.store.migrating import migrate
from bot.store.sample_shop.cast import cast
from bot.store.sample_shop.shop import open_sample_shop
from bot.web.callers import Network
from bot.web.limits import Rate
from bot.web.serving import bind, serve
from bot.web.site.pages import SiteParts, site_blueprint
from bot.web.streams import FeedHub
from bot.web.webchat import WebChatLimits, WebChatParts, webchat_blueprint
from connectors.webchat.connector import VisitorKeys, WebChatConnector

ORDERS = Choice(title="Where is my order?", payload="c-orders")
HOURS = Choice(title="Opening hours", payload="c-hours")
GENEROUS = Rate(burst=1000, every=0.001)


@dataclass
class ScriptedBot:
    """Answers as told: `script` turns a message into answers; what came in is kept."""

    connector: WebChatConnector
    receiver: Receiver
    messages: list[InboundMessage] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    script: Callable[[InboundMessage], list[OutboundMessage]] = field(default=lambda message: say(message.text))
    #: while set, nothing is stored
    is_broken: bool = False
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def receive(self, connector: Connector, request: WebhookRequest) -> None:
        """Store, as the pipeline does, then answer each new message once."""
        if self.is_broken:
            raise RuntimeError("the disk is full")
        await self.receiver.receive(connector, request)
        known = {message.external_id for message in self.messages}
        for event in connector.parse(request):
            if isinstance(event, Receipt):
                self.receipts.append(event)
            if isinstance(event, InboundMessage) and event.external_id not in known:
                self.messages.append(event)
                task = asyncio.create_task(self._answer(event))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _answer(self, message: InboundMessage) -> None:
        await self.connector.show_typing(message.address)
        for n, answer in enumerate(self.script(message)):
            await self.tell(message.address, answer, f"{message.external_id}/{n}")

    async def tell(self, address: ChannelAddress, message: OutboundMessage, key: str | None = None) -> None:
        """Send a message as the pipeline would."""
        operations: tuple[SendOperation, ...] = self.connector.plan(message, address)
        for n, operation in enumerate(operations):
            await self.connector.send(operation, f"{key or uuid4().hex}/{n}")


@dataclass
class ChatSite:
    """The site while it is served."""

    url: str
    #: the same pages as those of another site, which may embed the chat
    brand_url: str
    bot: ScriptedBot
    hub: FeedHub
    feed: StoredFeed
    media: StoredMedia
    database: Database
    keys: VisitorKeys


def say(text: str, *choices: Choice, author: Author = Author.BOT, name: str | None = None) -> list[OutboundMessage]:
    """Return one answer."""
    return [OutboundMessage(author=author, text=text, choices=choices, author_name=name)]


@asynccontextmanager
async def chat_site(
    folder: Path,
    *,
    limits: WebChatLimits | None = None,
    origins: frozenset[str] = frozenset(),
    trusted_proxies: tuple[Network, ...] = (),
) -> AsyncIterator[ChatSite]:
    """Serve the sample brand's page and the chat on a free loopback port, with state below `folder`."""
    clock = SystemClock()
    database = Database(open_engine(f"sqlite:///{folder / 'test.db'}"))
    migrate(database.engine)
    shop = await open_sample_shop(folder / "shop.db", clock.now().date())
    directory = SqlCustomerDirectory(shop.url, load_mapping(None))
    hub = FeedHub()
    feed = StoredFeed(database, clock, hub.wake, hub.typing)
    media = StoredMedia(database, clock, folder / "media")
    keys = VisitorKeys(secret=b"s" * 32)
    connector = WebChatConnector(account=AccountId("site"), keys=keys, feed=feed, clock=clock)
    bound = bind("127.0.0.1", 0, "service.port")
    port = bound.getsockname()[1]
    scripted = ScriptedBot(connector=connector, receiver=Receiver(database, clock, Hint()))
    many = WebChatLimits(messages=GENEROUS, files=GENEROUS, reads=GENEROUS, sessions=GENEROUS)
    parts = WebChatParts(
        connector=connector,
        receive=scripted.receive,
        feed=feed,
        hub=hub,
        media=media,
        allowed_origins=origins | {f"http://localhost:{port}"},
        limits=limits or many,
        trusted_proxies=trusted_proxies,
    )
    app: Sanic[Any, Any] = Sanic(f"chat-site-{uuid4().hex[:8]}", configure_logging=False)
    app.blueprint(webchat_blueprint(parts))
    app.blueprint(site_blueprint(SiteParts(directory=directory, cast=cast, clock=clock)))
    site = ChatSite(
        url=f"http://127.0.0.1:{port}",
        brand_url=f"http://localhost:{port}",
        bot=scripted,
        hub=hub,
        feed=feed,
        media=media,
        database=database,
        keys=keys,
    )
    _add_bare_page(app)
    async with serve(app, bound):
        yield site
    await directory.close()
    await shop.close()
    await database.close()


def _add_bare_page(app: Sanic[Any, Any]) -> None:
    """Add `/bare`: a page with hostile styles of its own, its widget dressed by the query."""

    @app.get("/bare")
    async def bare(request: Request) -> HTTPResponse:
        given = {name: values[0] for name, values in request.args.items()}
        base = given.pop("base", "")
        attributes = "".join(f' data-{name}="{value}"' for name, value in given.items())
        body = (
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A bare page</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            "<style>* { color: red !important; font-size: 40px; } button { display: none; }</style></head><body>"
            f'<main><h1>Bare</h1></main><script src="{base}/chat/widget.js" defer{attributes}></script></body></html>'
        )
        return response.html(body)
