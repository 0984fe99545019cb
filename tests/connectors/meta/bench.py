"""What the tests of Meta's channels stand on: a fake Graph API on a port and the connectors that speak to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from bot.domain.channels import ChannelAddress
from bot.domain.connectors import SendAttachment, SendText
from bot.domain.messages import Attachment, AttachmentKind, Choice
from connectors.meta.instagram import InstagramAccount, InstagramConnector
from connectors.meta.messenger import MessengerAccount, MessengerConnector
from connectors.meta.whatsapp import WhatsAppAccount, WhatsAppConnector
from connectors.meta.whatsapp_payloads import Template
from simulator.graph import FakeGraph, Person
from simulator.graph_server import GraphServer, running
from tests.fakes.media import MemoryMedia

CHANNELS = ("messenger", "instagram", "whatsapp")
#: One customer on each channel.
JANE = {"messenger": "24680135791113", "instagram": "987650001112223", "whatsapp": "GB.13491208655302741918"}

MetaConnector = MessengerConnector | InstagramConnector | WhatsAppConnector


@dataclass(kw_only=True)
class Bench:
    """A running fake, a customer and our connector."""

    channel: str
    server: GraphServer
    connector: MetaConnector
    media: MemoryMedia
    #: pauses that the connector asked for, in seconds; none of them is waited
    pauses: list[float] = field(default_factory=list)

    @property
    def graph(self) -> FakeGraph:
        """The fake."""
        return self.server.graph

    @property
    def jane(self) -> Person:
        """The customer."""
        return self.graph.person(JANE[self.channel])

    @property
    def address(self) -> ChannelAddress:
        """Where the customer is."""
        return ChannelAddress(
            channel=self.connector.channel, account=self.connector.account, external_id=JANE[self.channel]
        )

    def text(self, text: str, *choices: Choice, **more: Any) -> SendText:
        """Return the call that shows the customer a text."""
        return SendText(address=self.address, text=text, choices=choices, **more)

    async def file(self, content: bytes, media_type: str, name: str = "file") -> SendAttachment:
        """Keep a file and return the call that shows it."""
        top = media_type.partition("/")[0]
        kind = AttachmentKind(top) if top in {"image", "audio", "video"} else AttachmentKind.FILE
        kept = await self.media.put(content, Attachment(kind=kind, name=name, media_type=media_type))
        return SendAttachment(address=self.address, attachment=kept)

    def sent(self) -> list[dict[str, Any]]:
        """Return the messages that were sent, as Meta got them."""
        return [body for _, path, body in self.graph.calls if path.endswith("/messages") and "status" not in body]


def connector_of(
    channel: str,
    graph: FakeGraph,
    media: MemoryMedia,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    **more: Any,
) -> MetaConnector:
    """Return the connector of a channel to the fake's account."""
    common: dict[str, Any] = {
        "token": graph.token,
        "app_secret": graph.app_secret,
        "verify_token": "verify-token-of-the-test",
        "app_id": graph.app_id,
        "base_url": graph.url,
        "webhook_url": f"https://care.example.com/webhooks/{channel}",
    }
    common |= more
    match channel:
        case "messenger":
            of_page: dict[str, Any] = {"id": graph.page_id, "has_human_agent": True} | common
            return MessengerConnector(MessengerAccount(**of_page), media, sleep)
        case "instagram":
            own: dict[str, Any] = {"id": graph.instagram_id, "page": graph.page_id, "has_human_agent": True} | common
            return InstagramConnector(InstagramAccount(**own), media, sleep)
        case _:
            template = Template(name="follow_up", language="en_GB")
            number: dict[str, Any] = {"id": graph.number_id, "business_account_id": graph.business_id}
            return WhatsAppConnector(WhatsAppAccount(**{"template": template} | number | common), media, sleep)


@asynccontextmanager
async def bench(channel: str, **more: Any) -> AsyncIterator[Bench]:
    """Run a fake Graph API with one customer, and a connector to it."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(running(FakeGraph()))
        media = MemoryMedia(size_max=20_000_000)
        connector = connector_of(channel, server.graph, media, sleep, **more)
        stack.push_async_callback(connector.close)
        made = Bench(channel=channel, server=server, connector=connector, media=media, pauses=pauses)
        assert made.jane.seen == []
        yield made
