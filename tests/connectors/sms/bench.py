"""What the tests of SMS stand on: a fake Twilio on a port, and the connector that speaks to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr

from bot.domain.channels import ChannelAddress
from bot.domain.connectors import SendText
from connectors.setup import Facilities
from connectors.sms.connector import SmsConnector, SmsSettings
from simulator.twilio import ACCOUNT_SID, AUTH_TOKEN, NUMBER, FakeTwilio, running
from tests.fakes.cursors import MemoryCursors
from tests.fakes.media import MemoryMedia

JANE = "+447700900456"


@dataclass(kw_only=True)
class Bench:
    """A running Twilio, our connector, and the pauses it asked for."""

    twilio: FakeTwilio
    connector: SmsConnector
    cursors: MemoryCursors
    now: datetime
    pauses: list[float] = field(default_factory=list)

    @property
    def address(self) -> ChannelAddress:
        """Where the customer is."""
        return ChannelAddress(channel=self.connector.channel, account=self.connector.account, external_id=JANE)

    def text(self, text: str) -> SendText:
        """Return the call that shows the customer a text."""
        return SendText(address=self.address, text=text)

    @property
    def texts(self) -> list[str]:
        """What the customer's phone shows."""
        return [shown.text for shown in self.twilio.phones.get(JANE, [])]


@asynccontextmanager
async def bench(public_url: str = "https://care.example.com", **more: Any) -> AsyncIterator[Bench]:
    """Run a fake Twilio and a connector to it."""
    made: list[Bench] = []

    async def sleep(seconds: float) -> None:
        made[0].pauses.append(seconds)
        made[0].now += timedelta(seconds=seconds)

    def clock() -> float:
        return made[0].now.timestamp()

    async with running(lambda session: FakeTwilio(session=session)) as twilio:
        base: dict[str, Any] = {"account_sid": ACCOUNT_SID, "auth_token": SecretStr(AUTH_TOKEN), "number": NUMBER}
        urls = {"base_url": twilio.url, "messaging_url": twilio.url}
        cursors = MemoryCursors()
        facilities = Facilities(public_url=public_url, media=MemoryMedia(), cursors=cursors)
        connector = SmsConnector(SmsSettings(**base | urls | more), facilities, sleep, lambda: made[0].now)
        now = datetime(2026, 11, 22, 9, tzinfo=UTC)
        made.append(Bench(twilio=twilio, connector=connector, cursors=cursors, now=now))
        twilio.clock = clock
        yield made[0]
        await connector.close()
