"""What the LINE tests stand on: a fake LINE on a port and the connector that speaks to it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from bot.domain.channels import ChannelAddress
from bot.domain.connectors import SendText, WebhookRequest
from bot.domain.messages import Attachment, AttachmentKind, Choice, InboundEvent, InboundMessage
from connectors.line.connector import LineConnector, LineSettings, signature
from simulator.line import FakeLine, Json, Person
from simulator.line_server import LineServer, running

JANE = "U4af4980629ab5c2d0f5a4f2b7a3d1e0c"
PICTURE = Attachment(kind=AttachmentKind.IMAGE, reference="https://example.com/tea.png", name="tea.png")


@dataclass(kw_only=True)
class Bench:
    """A running fake, a customer and our connector."""

    server: LineServer
    connector: LineConnector
    #: pauses that the connector asked for, in seconds; none of them is waited
    pauses: list[float] = field(default_factory=list)

    @property
    def line(self) -> FakeLine:
        """What both sides did."""
        return self.server.line

    @property
    def jane(self) -> Person:
        """The customer."""
        return self.line.person(JANE)

    def text(self, text: str, *choices: Choice, answers: InboundMessage | None = None, **more: Any) -> SendText:
        """Return the call that shows the customer a text, as an answer to a message or out of the blue."""
        context = answers.reply_context if answers else {}
        address = ChannelAddress(channel=self.connector.channel, account=self.connector.account, external_id=JANE)
        return SendText(address=address, text=text, choices=choices, reply_context=context, **more)

    def read(self, *events: Json) -> list[InboundEvent]:
        """Return what the connector makes of a call with these events."""
        return self.connector.parse(request_of(self.line, *events))

    def hears(self, text: str) -> InboundMessage:
        """Return what the customer just wrote, as the connector reads it."""
        (event,) = self.read(self.line.writes(self.jane, text))
        assert isinstance(event, InboundMessage)
        return event

    def paths(self) -> list[str]:
        """Return the last word of each path that was called."""
        return [path.rpartition("/")[2] for _, path, _, _ in self.line.calls]


def request_of(line: FakeLine, *events: Json) -> WebhookRequest:
    """Return the call that brings these events."""
    body = json.dumps(line.envelope(*events)).encode()
    headers = {"x-line-signature": signature(body, line.channel_secret.encode()).decode()}
    return WebhookRequest(method="POST", headers=headers, query={}, body=body)


@asynccontextmanager
async def bench(**settings: Any) -> AsyncIterator[Bench]:
    """Run a fake LINE with one customer at a clock that stands still, and a connector to it."""
    now = [1_795_400_000.0]
    line = FakeLine(clock=lambda: now[0])
    line.person(JANE)
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds

    async with running(line) as server:
        given: dict[str, Any] = {
            "token": SecretStr(line.token),
            "channel_secret": SecretStr(line.channel_secret),
            "channel_id": line.channel_id,
            "base_url": line.url,
            "data_url": line.url,
        }
        account = LineSettings(**(given | settings))
        url = f"https://care.example.com/webhooks/line/{line.channel_id}"
        connector = LineConnector(account, url, sleep, clock=lambda: now[0])
        try:
            yield Bench(server=server, connector=connector, pauses=pauses)
        finally:
            await connector.close()
