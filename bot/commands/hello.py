"""Listens on one account for a first message that names a code, and answers it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from bot.domain.connectors import Connector, ConnectorRegistry, Polling, Refusal, SendResult, Sent, WebhookRequest
from bot.domain.messages import Author, InboundEvent, InboundMessage, OutboundMessage
from bot.pipeline.receive import Receiver
from bot.settings import Settings
from bot.web.public import PublicParts, public_app
from bot.web.serving import bind, serve
from bot.web.webhooks import WebhookParts, webhooks_blueprint


@dataclass(kw_only=True)
class Ear:
    """Keeps everything that comes, and listens for the code in it."""

    registry: ConnectorRegistry
    #: what comes while we listen is kept as always: it is answered when Tandem starts
    receiver: Receiver
    code: str
    _heard: asyncio.Queue[InboundMessage] = field(default_factory=asyncio.Queue)

    async def receive(self, connector: Connector, request: WebhookRequest) -> None:
        """Take a webhook call."""
        connector.verify(request)
        await self.take(connector, connector.parse(request))

    async def take(self, connector: Connector, events: list[InboundEvent]) -> None:
        """Keep events, then look for the code."""
        await self.receiver.take(connector, events)
        for event in events:
            if isinstance(event, InboundMessage) and self.code in event.text:
                self._heard.put_nowait(event)

    async def hears(self, within: float) -> InboundMessage | None:
        """Return the message with the code; none when it does not come within so many seconds."""
        try:
            return await asyncio.wait_for(self._heard.get(), within)
        except TimeoutError:
            return None


@asynccontextmanager
async def listening(settings: Settings, ear: Ear) -> AsyncIterator[None]:
    """Be where the channel calls, or poll it, until the context ends; raises `SettingsError` when the port is taken."""
    polled = [
        _poll(ear, each, each) for each in ear.registry.connectors if isinstance(each, Polling) and each.is_polled
    ]
    async with AsyncExitStack() as stack:
        if len(polled) < len(ear.registry.connectors):
            parts = WebhookParts(connectors=ear.registry, receive=ear.receive)
            app = public_app(PublicParts(blueprints=(webhooks_blueprint(parts),), find_unready=_find_none))
            bound = bind(settings.service.host, settings.service.port, "service.port")
            await stack.enter_async_context(serve(app, bound))
        polling = [asyncio.create_task(each) for each in polled]
        try:
            yield
        finally:
            for task in polling:
                task.cancel()
            await asyncio.gather(*polling, return_exceptions=True)


async def answer(registry: ConnectorRegistry, message: InboundMessage, text: str) -> SendResult | Refusal:
    """Answer a message on the account it came to, and return what the channel says to that."""
    connector = registry.find(message.address.channel, message.address.account)
    if connector is None:
        return Refusal(reason="it came to another account")
    wanted = OutboundMessage(author=Author.SYSTEM, text=text, reply_context=message.reply_context)
    operations = connector.plan(wanted, message.address)
    if isinstance(operations, Refusal):
        return operations
    result: SendResult = Sent(external_id="")
    for n, operation in enumerate(operations):
        result = await connector.send(operation, f"connect:{message.external_id}:{n}")
        if not isinstance(result, Sent):
            return result
    return result


async def _poll(ear: Ear, connector: Connector, polling: Polling) -> None:
    await polling.poll(lambda events: ear.take(connector, events))


async def _find_none() -> dict[str, str]:
    return {}
