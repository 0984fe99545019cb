"""Meta's channels from a signed call over HTTP to what the customer sees, and back with reports."""

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
from simulator.graph import FakeGraph, Fault, Json, Person
from simulator.graph_server import GraphServer, running
from tests.connectors.meta.bench import CHANNELS, JANE, connector_of
from tests.fakes.media import MemoryMedia
from tests.pipeline.rig import Rig

OBJECTS = {"messenger": "page", "instagram": "instagram", "whatsapp": "whatsapp_business_account"}


@dataclass(kw_only=True)
class House:
    """The pipeline behind a real door that the fake calls."""

    rig: Rig
    channel: str
    server: GraphServer

    @property
    def graph(self) -> FakeGraph:
        """The fake."""
        return self.server.graph

    @property
    def jane(self) -> Person:
        """The customer."""
        return self.graph.person(JANE[self.channel])

    def call(self, *items: Json) -> Json:
        """Return the call that brings items of the customer's."""
        graph = self.graph
        if self.channel == "whatsapp":
            value: Json = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": graph.number_id}}
            for item in items:
                value.setdefault(item.pop("in"), []).append(item)
            changes = [{"field": "messages", "value": value}]
            return {"object": OBJECTS[self.channel], "entry": [{"id": graph.business_id, "changes": changes}]}
        account = graph.page_id if self.channel == "messenger" else graph.instagram_id
        people = {"sender": {"id": self.jane.id}, "recipient": {"id": account}}
        if any("message" in item and item["message"].get("is_echo") for item in items):
            people = {"sender": {"id": account}, "recipient": {"id": self.jane.id}}
        moment = int(self.rig.clock.now().timestamp() * 1000)
        messaging = [{"timestamp": moment} | people | item for item in items]
        return {"object": OBJECTS[self.channel], "entry": [{"id": account, "time": moment, "messaging": messaging}]}

    def text(self, text: str, number: int = 1) -> Json:
        """Return a message of the customer's, for a call."""
        self.jane.wrote_at = self.rig.clock.now().timestamp()
        if self.channel == "whatsapp":
            message_id = f"wamid.{self.jane.id}.{number}"
            moment = str(int(self.jane.wrote_at))
            body = {"id": message_id, "from_user_id": self.jane.id, "timestamp": moment, "type": "text"}
            return body | {"in": "messages", "text": {"body": text}}
        return {"message": {"mid": f"m_in_{number}", "text": text}}

    def report(self, message_id: str, key: str = "") -> Json:
        """Return a report that a message of ours was read."""
        if self.channel == "whatsapp":
            given = {"biz_opaque_callback_data": key} if key else {}
            return {"in": "statuses", "id": message_id, "status": "read", "recipient_user_id": self.jane.id} | given
        moment = int(self.rig.clock.now().timestamp() * 1000)
        return {"read": {"watermark": moment} if self.channel == "messenger" else {"mid": message_id}}

    async def brings(self, *items: Json) -> None:
        """Let Meta bring items, and see them through."""
        assert await self.server.deliver(self.call(*items)) == [200]
        await self.rig.settle()
        await self.rig.background.idle()

    async def conversation(self) -> Conversation:
        """Return the customer's conversation."""
        (webhook,) = self.graph.webhooks.values()
        channel, account = str(webhook["url"]).rsplit("/", 2)[1:]
        address = ChannelAddress.parse(f"{channel}/{account}/{self.jane.id}")
        found = await self.rig.database.read(conversations.find_by_address, address)
        assert found is not None
        return found

    async def lines(self) -> list[TranscriptLine]:
        """Return all that was said."""
        return await self.rig.database.read(transcript.last, (await self.conversation()).id, 100)


@asynccontextmanager
async def opened(rig: Rig, channel: str) -> AsyncIterator[House]:
    """Put a channel's connector into the pipeline, and a door before it."""
    graph = FakeGraph(clock=lambda: rig.clock.now().timestamp())
    async with running(graph) as server:
        connector = connector_of(channel, graph, MemoryMedia())
        registry = ConnectorRegistry(connectors=(connector,))
        parts = rig.worker._parts
        rig.worker = Worker(
            replace(
                parts,
                conversing=Conversing(replace(rig.converse_parts, connectors=registry)),
                delivering=Delivering(replace(rig.deliver_parts, connectors=registry)),
            )
        )
        receiver = Receiver(rig.database, rig.clock, rig.hints.inbox)
        app: Sanic[Any, Any] = Sanic(f"meta-{uuid4().hex[:8]}", configure_logging=False)
        app.blueprint(webhooks_blueprint(WebhookParts(connectors=registry, receive=receiver.receive)))
        bound = bind("127.0.0.1", 0, "service.port")
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/webhooks/{channel}/{connector.account}"
        graph.webhooks[OBJECTS[channel]] = {"url": url, "token": "verify-token-of-the-test", "fields": []}
        async with serve(app, bound):
            yield House(rig=rig, channel=channel, server=server)
        await connector.close()


@pytest.fixture(params=CHANNELS)
async def house(rig: Rig, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    """The pipeline with each of the channels."""
    async with opened(rig, request.param) as made:
        yield made


async def test_handshake(house: House) -> None:
    """Meta finds that the address is ours; whoever signs with another secret is turned away and nothing is kept."""
    object_name = OBJECTS[house.channel]
    assert await house.server.shake_hands(object_name)

    house.graph.app_secret = "of-another-app"
    statuses = await house.server.deliver(house.call(house.text("hello")))
    assert set(statuses) == {403}


async def test_question_and_answer(house: House) -> None:
    """A question is answered once, however often the call comes, and each side learns that the other has read."""
    house.jane.profile = {"first_name": "Aoife", "last_name": "O'Brien", "name": "Aoife O'Brien"}
    question = house.text("where is my order")
    for _ in range(3):
        await house.brings(dict(question))

    (seen,) = house.jane.seen
    assert seen.text == "re: where is my order"
    assert house.jane.signs in (["mark_seen"], [f"read wamid.{house.jane.id}.1"])
    house.rig.clock.pass_(seconds=2)
    await house.brings(house.report(seen.message_id))
    assert [(line.author, line.delivery) for line in await house.lines()] == [
        (Author.CUSTOMER, None),
        (Author.BOT, DeliveryState.READ),
    ]
    if house.channel != "whatsapp":
        assert (await house.conversation()).display_name == "Aoife O'Brien"


async def test_batch(house: House) -> None:
    """Every message of one call is heard, in order; what a customer has written in a row is answered at once."""
    said = [f"message {number}" for number in range(5)]
    await house.brings(*(house.text(text, number) for number, text in enumerate(said)))

    assert [seen.text for seen in house.jane.seen] == ["re: " + "\n".join(said)]


async def test_report_that_overtakes_the_answer(rig: Rig) -> None:
    """A message whose answer was cut off is held; WhatsApp's report by our key shows that it arrived."""
    async with opened(rig, "whatsapp") as house:
        house.graph.fail(Fault(cut_after=0, is_done=True))
        await house.brings(house.text("hello"))
        (seen,) = house.jane.seen
        (line,) = [line for line in await house.lines() if line.author is Author.BOT]
        assert line.delivery is DeliveryState.FAILED

        await house.brings(house.report(seen.message_id, seen.given))
        assert next(each for each in await house.lines() if each.id == line.id).delivery is DeliveryState.READ


@pytest.mark.parametrize("channel", ["messenger", "instagram"])
async def test_echoes(rig: Rig, channel: str) -> None:
    """Echoes of our own answers change nothing; the echo of a person silences the bot."""
    async with opened(rig, channel) as house:
        await house.brings(house.text("hello"))
        (seen,) = house.jane.seen
        given = {"metadata": seen.given} if seen.given else {}
        ours = {"message": {"mid": seen.message_id, "is_echo": True, "text": seen.text, **given}}
        await house.brings(ours)
        assert (await house.conversation()).owner is Owner.BOT

        await house.brings({"message": {"mid": "m_inbox", "is_echo": True, "text": "Jo here, I have it."}})
        assert (await house.conversation()).owner is not Owner.BOT
        await house.brings(house.text("thanks", 2))
        assert len(house.jane.seen) == 1


async def test_day_later(house: House) -> None:
    """What the bot could not send for a day is not sent late, and people hear why."""
    house.graph.fail(Fault(status=429, headers={"Retry-After": "86399"}))
    await house.brings(house.text("hello"))
    house.rig.clock.pass_(hours=25)
    await house.rig.settle()

    assert house.jane.seen == []
    assert (await house.conversation()).owner is Owner.QUEUE


async def test_revoked_token(house: House) -> None:
    """However many messages a revoked token stops, it is one alarm, and it ends by itself."""
    token, house.graph.token = house.graph.token, "EAAGanother"
    for number in range(3):
        await house.brings(house.text("hello", number))
    accounts = house.rig.deliver_parts.accounts
    assert [reason for reason in accounts.alarming().values() if "access token" in reason]
    assert len(accounts.alarming()) == 1

    house.graph.token = token
    await house.brings(house.text("hello again", 9))
    assert accounts.alarming() == {}
