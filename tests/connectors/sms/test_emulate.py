"""SMS against the Twilio of emulate, which nobody here wrote (https://www.npmjs.com/package/emulate)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr
from sanic import Sanic

from bot.domain.channels import ChannelAddress
from bot.domain.connectors import Connector, ConnectorRegistry, Permanent, SendText, Sent, WebhookRequest
from bot.domain.messages import InboundEvent, InboundMessage, Receipt, ReceiptKind
from bot.web.serving import bind, serve
from bot.web.webhooks import WebhookParts, webhooks_blueprint
from connectors.setup import Facilities
from connectors.sms.connector import SmsConnector, SmsSettings
from simulator.twilio import ACCOUNT_SID, AUTH_TOKEN, NUMBER, SERVICE
from tests.fakes.cursors import MemoryCursors
from tests.fakes.media import MemoryMedia
from tests.peers import npm

JANE = "+447700900456"


@dataclass(kw_only=True)
class Stand:
    """The peer, our connector behind a real door, and what came in by it."""

    url: str
    connector: SmsConnector
    events: list[InboundEvent] = field(default_factory=list)

    async def receive(self, connector: Connector, request: WebhookRequest) -> None:
        """Take what a call brings."""
        connector.verify(request)
        self.events += connector.parse(request)

    async def simulate(self, what: str, **form: str) -> None:
        """Let the peer's network do something."""
        async with httpx.AsyncClient(auth=(ACCOUNT_SID, AUTH_TOKEN)) as client:
            (await client.post(f"{self.url}/_twilio/simulate/{what}", data=form)).raise_for_status()

    def text(self, text: str) -> SendText:
        """Return the call that shows the customer a text."""
        account = self.connector.account
        address = ChannelAddress(channel=self.connector.channel, account=account, external_id=JANE)
        return SendText(address=address, text=text)


@asynccontextmanager
async def standing(mode: str, **more: Any) -> AsyncIterator[Stand]:
    """Run the peer, and our door before a connector to it."""
    async with npm.running("slack", "../twilio/server.mjs", mode) as url:
        bound = bind("127.0.0.1", 0, "service.port")
        public_url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        facilities = Facilities(public_url=public_url, media=MemoryMedia(), cursors=MemoryCursors())
        base: dict[str, Any] = {"account_sid": ACCOUNT_SID, "auth_token": SecretStr(AUTH_TOKEN), "number": NUMBER}
        urls = {"base_url": url, "messaging_url": f"{url}/messaging"}
        connector = SmsConnector(SmsSettings(**base | urls | more), facilities)
        stand = Stand(url=url, connector=connector)
        app: Sanic[Any, Any] = Sanic(f"peer-{uuid4().hex[:8]}", configure_logging=False)
        parts = WebhookParts(connectors=ConnectorRegistry(connectors=(connector,)), receive=stand.receive)
        app.blueprint(webhooks_blueprint(parts))
        async with serve(app, bound):
            yield stand
        await connector.close()


@pytest.mark.parametrize(
    ("mode", "more"), [("number", {}), ("service", {"messaging_service": SERVICE})], ids=["number", "service"]
)
async def test_both_ways(mode: str, more: dict[str, Any]) -> None:
    """The peer takes our registration, its signed calls are genuine to us, and its reports find what we sent."""
    async with standing(mode, **more) as stand:
        await stand.connector.register()
        assert "Copperleaf" in await stand.connector.check()

        text = "Where is my order? £5 & 10% – Grüße 🎉+"
        await stand.simulate("inbound-message", To=NUMBER, From=JANE, Body=text)
        (message,) = stand.events
        assert isinstance(message, InboundMessage)
        assert (message.text, message.address.external_id) == (text, JANE)

        stand.events.clear()
        result = await stand.connector.send(stand.text("On its way: 1 & 2 🎉"), "turn:1:0")
        assert isinstance(result, Sent)
        for status in ("sent", "delivered", "undelivered"):
            await stand.simulate("message-status", MessageSid=result.external_id, Status=status)
        receipts = [event for event in stand.events if isinstance(event, Receipt)]
        assert [each.kind for each in receipts] == [
            *(ReceiptKind.SENT, ReceiptKind.SENT, ReceiptKind.DELIVERED, ReceiptKind.FAILED)
        ]
        assert {(each.of_external_id, each.of_key) for each in receipts} == {(result.external_id, "turn:1:0")}


async def test_refusals() -> None:
    """What the peer refuses is certainly not sent."""
    async with standing("number", auth_token=SecretStr("another")) as stand:
        result = await stand.connector.send(stand.text("hi"), "k")
        assert isinstance(result, Permanent)
        assert result.is_account
