"""Our connectors with a Discord that nobody here wrote (PyPI `simcord`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from pydantic import SecretStr

from bot.domain.channels import ChannelAddress
from bot.domain.connectors import SendAttachment, SendText, Sent
from bot.domain.messages import Attachment, AttachmentKind, Choice, InboundEvent, InboundMessage, Reaction, Withdrawal
from connectors.discord.connector import DiscordChannelsConnector, DiscordConnector, DiscordSettings
from connectors.setup import Facilities
from tests.fakes.cursors import MemoryCursors
from tests.fakes.media import MemoryMedia
from tests.peers import pypi


@pytest.fixture(scope="module")
def peer() -> Iterator[pypi.Peer]:
    """The other Discord; it takes seconds to start."""
    made = pypi.Peer("discord", "server.py")
    yield made
    made.close()


class Stand:
    """The other Discord, our connectors, and what they heard."""

    def __init__(self, peer: pypi.Peer, here: dict[str, str]) -> None:
        self.peer, self.here, self.media = peer, here, MemoryMedia()
        settings = DiscordSettings(
            token=SecretStr("a.b.c"),
            application_id=here["bot"],
            channels=(here["support"],),
            base_url=f"{here['url']}/api/v10",
        )
        made = settings.connectors(Facilities(public_url=None, media=self.media, cursors=MemoryCursors()))
        assert isinstance(made[0], DiscordConnector)
        assert isinstance(made[1], DiscordChannelsConnector)
        self.connector, self.public = made[0], made[1]
        self.address = ChannelAddress(
            channel=self.connector.channel, account=self.connector.account, external_id=here["direct"]
        )
        self.events: list[InboundEvent] = []
        self._heard = asyncio.Event()

    async def commit(self, events: list[InboundEvent]) -> None:
        """Take a batch."""
        self.events += events
        self._heard.set()

    async def hears(self, count: int) -> list[InboundEvent]:
        """Wait for that many events."""
        async with asyncio.timeout(10):
            while len(self.events) < count:
                self._heard.clear()
                await self._heard.wait()
        return self.events

    async def seen(self) -> list[dict[str, Any]]:
        """Return the messages of the bot that are shown now."""
        shown: list[dict[str, Any]] = await self.peer.ask({"seen": True})
        return shown


@asynccontextmanager
async def polled(stand: Stand) -> AsyncIterator[None]:
    """Poll beside the block."""
    task = asyncio.create_task(stand.connector.poll(stand.commit))
    try:
        # The other Discord tells nobody that a session has begun, but the first message.
        while not stand.events:
            await stand.peer.ask({"write": "hello?"})
            with suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await stand.hears(1)
        stand.events.clear()
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def stand(peer: pypi.Peer) -> AsyncIterator[Stand]:
    """The other Discord, polled."""
    made = Stand(peer, await peer.ask("where"))
    async with polled(made):
        yield made
    await made.connector.close()


async def test_what_customers_do(stand: Stand) -> None:
    """Messages, edits, reactions, deletions and posts on a server come as what they are."""
    number = await stand.peer.ask({"write": "Where is my order?"})
    await stand.peer.ask({"react": "👍"})
    await stand.peer.ask({"edit": "Where is my tea?"})
    await stand.peer.ask({"delete": True})
    await stand.peer.ask({"post": "Do you ship to Cork?"})
    written, liked, edited, gone, posted = await stand.hears(5)

    assert isinstance(written, InboundMessage)
    assert (written.text, written.external_id, written.address) == ("Where is my order?", number, stand.address)
    assert written.display_name == "Jane Doe"
    assert isinstance(liked, Reaction)
    assert (liked.emoji, liked.of_external_id) == ("👍", number)
    assert isinstance(edited, InboundMessage)
    assert (edited.text, edited.edits) == ("Where is my tea?", number)
    assert isinstance(gone, Withdrawal)
    assert gone.of_external_id == number
    assert isinstance(posted, InboundMessage)
    assert posted.address.external_id == f"{stand.here['support']}:{stand.here['jane']}"
    answer = SendText(address=posted.address, text="We do!", reply_context=posted.reply_context)
    assert isinstance(await stand.public.send(answer, "p1"), Sent)
    assert (await stand.seen())[-1]["message_reference"]["message_id"] == posted.external_id


async def test_what_we_do(stand: Stand) -> None:
    """Texts, buttons, taps, files, edits and deletions of ours are understood."""
    choices = (Choice(title="Yes", payload="c_1"), Choice(title="No", payload="c_2"))
    before = len(await stand.seen())
    asked = SendText(address=stand.address, text="Shall I cancel it?", choices=choices)
    sent = await stand.connector.send(asked, "k1")
    assert isinstance(sent, Sent)
    tap = await stand.peer.ask({"tap": "c_1"})
    (tapped,) = await stand.hears(1)
    assert isinstance(tapped, InboundMessage)
    assert (tapped.choice, tapped.external_id) == ("c_1", tap)

    assert (
        await stand.connector.edit(SendText(address=stand.address, text="It is cancelled."), sent.external_id, "k2")
        == sent
    )
    kept = await stand.media.put(b"%PDF", Attachment(kind=AttachmentKind.FILE, name="receipt.pdf"))
    filed = await stand.connector.send(SendAttachment(address=stand.address, attachment=kept), "k3")
    assert isinstance(filed, Sent)
    shown = {each["id"]: each for each in await stand.seen()}
    assert len(shown) == before + 2
    assert shown[sent.external_id]["content"] == "It is cancelled."
    assert [each["filename"] for each in shown[filed.external_id]["attachments"]] == ["receipt.pdf"]
    assert await stand.connector.unsend(stand.address, filed.external_id, "k4") == filed
    assert await stand.connector.unsend(stand.address, filed.external_id, "k4") == filed
    assert filed.external_id not in {each["id"] for each in await stand.seen()}
