"""X end to end: a fake X before the real door, and the whole pipeline behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pytest
from sanic import Sanic

from bot.domain.channels import ChannelAddress
from bot.domain.connectors import ConnectorRegistry
from bot.domain.conversations import Conversation, Owner
from bot.domain.messages import Author, DeliveryState, TranscriptLine
from bot.pipeline.converse import Conversing
from bot.pipeline.deliver import Delivering
from bot.pipeline.receive import Receiver
from bot.pipeline.worker import Worker
from bot.store import conversations, transcript
from bot.web.serving import bind, serve
from bot.web.webhooks import WebhookParts, webhooks_blueprint
from tests.connectors.x.bench import Bench, bench
from tests.fakes.x import JANE, US, Fault
from tests.pipeline.rig import Rig


@dataclass(kw_only=True)
class House:
    """The pipeline behind a real door that X calls."""

    rig: Rig
    stand: Bench

    async def brings(self, *activities: dict[str, Any]) -> None:
        """Let X call us with events, and see them through."""
        assert await self.stand.x.deliver(*activities) == 200
        await self.rig.settle()

    async def conversation(self, address: ChannelAddress) -> Conversation:
        """Return the conversation of an address."""
        found = await self.rig.database.read(conversations.find_by_address, address)
        assert found is not None
        return found

    async def lines(self, address: ChannelAddress) -> list[TranscriptLine]:
        """Return all that was said there."""
        return await self.rig.database.read(transcript.last, (await self.conversation(address)).id, 100)


@asynccontextmanager
async def opened(rig: Rig) -> AsyncIterator[House]:
    """Put the connectors into the pipeline, and a door before them."""
    bound = bind("127.0.0.1", 0, "service.port")
    async with bench(public_url=f"http://127.0.0.1:{bound.getsockname()[1]}") as stand:
        stand.x.door = None
        registry = ConnectorRegistry(connectors=(stand.messages, stand.mentions))
        rig.worker = Worker(
            replace(
                rig.worker._parts,
                conversing=Conversing(replace(rig.converse_parts, connectors=registry)),
                delivering=Delivering(replace(rig.deliver_parts, connectors=registry)),
            )
        )
        receiver = Receiver(rig.database, rig.clock, rig.hints.inbox)
        app: Sanic[Any, Any] = Sanic(f"x-{uuid4().hex[:8]}", configure_logging=False)
        app.blueprint(webhooks_blueprint(WebhookParts(connectors=registry, receive=receiver.receive)))
        async with serve(app, bound):
            await stand.messages.register()
            yield House(rig=rig, stand=stand)


@pytest.fixture
async def house(rig: Rig) -> AsyncIterator[House]:
    """The pipeline and its door, with which X has shaken hands."""
    async with opened(rig) as made:
        yield made


async def test_messages(house: House) -> None:
    """Messages are answered once however often X brings them, and in order; X's echo of an answer is no news."""
    events = [house.stand.x.message(text) for text in ("one", "two")]
    for event in (*events, *events):
        await house.brings(event)
    assert house.stand.seen == ["re: one", "re: two"]

    shown = house.stand.x.messages[JANE][0]
    await house.brings(house.stand.x.message(shown.text, sender=US, recipient=JANE, message_id=shown.id))
    address = house.stand.text("").address
    assert [line.text for line in await house.lines(address)] == ["one", "re: one", "two", "re: two"]
    assert (await house.conversation(address)).display_name == "Jane"
    assert (await house.conversation(address)).owner is Owner.BOT


async def test_somebody_answers_on_x(house: House) -> None:
    """What a person of the brand writes on X itself silences the bot."""
    await house.brings(house.stand.x.message("hello"))
    await house.brings(house.stand.x.message("Sam here, I am on it.", sender=US, recipient=JANE))
    await house.brings(house.stand.x.message("thanks"))

    assert house.stand.seen == ["re: hello"]
    said = (await house.lines(house.stand.text("").address))[2]
    assert (said.author, said.text) == (Author.AGENT, "Sam here, I am on it.")


async def test_fifteen(house: House) -> None:
    """What X takes no more waits for exactly as long as X says, and then goes out."""
    for number in range(16):
        await house.brings(house.stand.x.message(str(number)))
    assert len(house.stand.seen) == 15
    house.stand.now = house.stand.now.replace(minute=15, second=2)
    house.rig.clock.pass_(seconds=890)
    await house.rig.settle()
    assert len(house.stand.seen) == 15
    house.rig.clock.pass_(seconds=15)
    await house.rig.settle()
    assert house.stand.seen[-1] == "re: 15"


async def test_lost_answer(house: House) -> None:
    """A message whose call broke off is not sent twice."""
    house.stand.x.faults.append(Fault(call="messages", is_done=True, is_cut=True))
    await house.brings(house.stand.x.message("hello"))
    await house.rig.recover()

    assert house.stand.seen == ["re: hello"]
    assert (await house.lines(house.stand.text("").address))[-1].delivery is DeliveryState.FAILED


async def test_a_mention_is_a_conversation_of_its_own(house: House) -> None:
    """What is said in public comes by the same webhook, and stands by itself, with what an answer has to carry."""
    mention = house.stand.x.mention("@copperleaf where is my order?")
    await house.brings(mention, house.stand.x.message("hello"))

    post = mention["payload"]["id"]
    address = house.stand.answer("", post).address
    conversation = await house.conversation(address)
    assert conversation.reply_context == {"in_reply_to": post, "summoned": "yes"}
    assert (await house.lines(address))[0].text == "where is my order?"
    assert conversation.id != (await house.conversation(house.stand.text("").address)).id
