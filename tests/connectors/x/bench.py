"""What the tests of X stand on: a fake X on a port, and the connectors that speak to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain.channels import ChannelAddress
from bot.domain.connectors import SendAttachment, SendText, WebhookRequest
from bot.domain.messages import Attachment, AttachmentKind
from connectors.x.connector import Office, XAccount, XConnector, XMentionsConnector
from connectors.x.oauth import Credentials
from tests.fakes.cursors import MemoryCursors
from tests.fakes.media import MemoryMedia
from tests.fakes.x import CONSUMER_KEY, CONSUMER_SECRET, JANE, TOKEN, TOKEN_SECRET, US, FakeX, running

CREDENTIALS: dict[str, str] = {
    "consumer_key": CONSUMER_KEY,
    "consumer_secret": CONSUMER_SECRET,
    "token": TOKEN,
    "token_secret": TOKEN_SECRET,
}


@dataclass(kw_only=True)
class Bench:
    """A running X, our two connectors, what they keep, and the pauses they asked for."""

    x: FakeX
    account: XAccount
    cursors: MemoryCursors
    media: MemoryMedia
    now: datetime
    pauses: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._open()

    def _open(self) -> None:
        office = Office(self.account, self.media, self.cursors, self.sleep, lambda: self.now)
        self.messages, self.mentions = XConnector(office), XMentionsConnector(office)

    async def restart(self) -> None:
        """Begin anew."""
        await self.messages.close()
        self._open()

    def shake_hands(self, token: str) -> bytes:
        """Answer a challenge of X's."""
        request = WebhookRequest(method="GET", headers={}, query={"crc_token": token}, body=b"")
        answer = self.messages.challenge(request)
        assert answer is not None
        return answer.body

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.pauses.append(seconds)
        self.now += timedelta(seconds=seconds)

    def text(self, text: str) -> SendText:
        """Return the call that writes to the customer."""
        address = ChannelAddress(channel=self.messages.channel, account=self.messages.account, external_id=JANE)
        return SendText(address=address, text=text)

    def answer(self, text: str, post: str = "5001", **context: str) -> SendText:
        """Return the call that answers the customer in public."""
        self.x.summoning.add(post)
        address = ChannelAddress(
            channel=self.mentions.channel, account=self.mentions.account, external_id=f"{post}:{JANE}"
        )
        return SendText(address=address, text=text, reply_context={"in_reply_to": post, "summoned": "yes"} | context)

    async def file(self, operation: SendText, content: bytes, media_type: str) -> SendAttachment:
        """Return the call that shows a file in place of a text."""
        kind = AttachmentKind(media_type.partition("/")[0])
        kept = await self.media.put(content, Attachment(kind=kind, name="file", media_type=media_type))
        context = operation.reply_context
        return SendAttachment(address=operation.address, attachment=kept, reply_context=context)

    @property
    def seen(self) -> list[str]:
        """What the customer got by direct message."""
        return [shown.text for shown in self.x.messages.get(JANE, [])]


@asynccontextmanager
async def bench(public_url: str = "https://care.example.com", **more: Any) -> AsyncIterator[Bench]:
    """Run a fake X and connectors to it, at a moment that stands."""
    made: list[Bench] = []
    start = datetime(2026, 11, 22, 9, tzinfo=UTC)
    async with running(lambda: made[0].now if made else start) as x:
        credentials = Credentials(**CREDENTIALS | more.pop("credentials", {}))
        base: dict[str, Any] = {"base_url": x.url, "webhook_url": f"{public_url}/webhooks/x/{US}"}
        account = XAccount(credentials=credentials, **base | more)
        stand = Bench(x=x, account=account, cursors=MemoryCursors(), media=MemoryMedia(size_max=20_000_000), now=start)
        made.append(stand)
        x.door = stand.shake_hands
        yield stand
        await stand.messages.close()
        await stand.mentions.close()
