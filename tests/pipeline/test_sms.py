"""SMS end to end: a fake Twilio before the real door, and the whole pipeline behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from sanic import Sanic

from bot.domain.acts import Reply
from bot.domain.channels import ChannelAddress
from bot.domain.connectors import ConnectorRegistry
from bot.domain.file_links import FileLinks
from bot.domain.messages import Attachment, AttachmentKind, DeliveryState, Meaning, TranscriptLine
from bot.pipeline.converse import Conversing
from bot.pipeline.deliver import Delivering
from bot.pipeline.receive import Receiver
from bot.pipeline.worker import Worker
from bot.store import conversations, tickets, transcript
from bot.web.files import FilesParts, files_blueprint
from bot.web.serving import bind, serve
from bot.web.webhooks import WebhookParts, webhooks_blueprint
from connectors.sms.connector import SmsConnector
from simulator.twilio import ACCOUNT_SID, NUMBER, FakeTwilio, Fault
from tests.connectors.sms.bench import JANE, bench
from tests.pipeline.rig import SAM, Rig, handoff, offer, turn


@dataclass(kw_only=True)
class House:
    """The pipeline behind a real door that the fake calls."""

    rig: Rig
    twilio: FakeTwilio
    connector: SmsConnector

    @property
    def address(self) -> ChannelAddress:
        """Where the customer is."""
        return ChannelAddress(channel=self.connector.channel, account=self.connector.account, external_id=JANE)

    async def lines(self) -> list[TranscriptLine]:
        """Return all that was said."""
        found = await self.rig.database.read(conversations.find_by_address, self.address)
        assert found is not None
        return await self.rig.database.read(transcript.last, found.id, 100)


@asynccontextmanager
async def opened(rig: Rig) -> AsyncIterator[House]:
    """Put the connector into the pipeline, and a door before it."""
    bound = bind("127.0.0.1", 0, "service.port")
    url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    links = FileLinks.of(url, "a secret")
    async with bench(public_url=url) as stand:
        registry = ConnectorRegistry(connectors=(stand.connector,))
        rig.worker = Worker(
            replace(
                rig.worker._parts,
                conversing=Conversing(replace(rig.converse_parts, connectors=registry)),
                delivering=Delivering(replace(rig.deliver_parts, connectors=registry, file_links=links)),
            )
        )
        receiver = Receiver(rig.database, rig.clock, rig.hints.inbox)
        app: Sanic[Any, Any] = Sanic(f"sms-{uuid4().hex[:8]}", configure_logging=False)
        app.blueprint(webhooks_blueprint(WebhookParts(connectors=registry, receive=receiver.receive)))
        app.blueprint(files_blueprint(FilesParts(links=links, media=rig.media, now=rig.clock.now)))
        async with serve(app, bound):
            await stand.connector.register()
            yield House(rig=rig, twilio=stand.twilio, connector=stand.connector)


@pytest.fixture
async def house(rig: Rig) -> AsyncIterator[House]:
    """The pipeline and its door."""
    async with opened(rig) as made:
        yield made


async def test_a_number_chooses(house: House) -> None:
    """A customer who texts the number of what was offered has chosen it; every call is answered with empty TwiML."""
    meaning = Meaning(intent="refund", entities={"order_number": "CL-104233"})
    house.rig.engine.by_text["broken cup"] = turn(offer("Which?", ("Voucher", replace(meaning)), ("Refund", meaning)))
    house.rig.engine.by_text["/refund"] = turn("Done.")
    for text in ("broken cup", "2"):
        status, content_type, body = await house.twilio.texts(JANE, text)
        assert (status, content_type) == (200, "text/xml; charset=utf-8")
        assert body.endswith(b"<Response/>")
        await house.rig.settle()

    assert [shown.text for shown in house.twilio.phones[JANE]] == ["Which?\n1. Voucher\n2. Refund", "Done."]
    assert [line.text for line in await house.lines()] == ["broken cup", "Which?", "2", "Done."]


async def test_a_file_arrives_as_a_link(house: House) -> None:
    """What an agent attaches comes as a link that the customer can open, and that is dead once the file is erased."""
    rig = house.rig
    rig.engine.by_text["a person"] = handoff()
    await house.twilio.texts(JANE, "a person")
    await rig.settle()
    kept = await rig.media.put(b"%PDF-1.7 invoice", Attachment(kind=AttachmentKind.FILE, name="invoice.pdf"))
    found = await rig.database.read(conversations.find_by_address, house.address)
    assert found is not None
    ticket = await rig.database.read(tickets.open_of, found.id)
    assert ticket is not None
    await rig.desk.do(ticket.id, SAM, Reply(text="Here it is.", attachments=(kept,)), "reply")
    await rig.settle()

    words, _, link = house.twilio.phones[JANE][-1].text.partition(" – ")
    assert words == "Here it is.\ninvoice.pdf"
    async with aiohttp.ClientSession() as phone:
        async with phone.get(link) as answer:
            assert await answer.read() == b"%PDF-1.7 invoice"
        assert await rig.media.erase_conversation(found.id) == 1
        async with phone.get(link) as answer:
            assert answer.status == 404


async def test_reports(house: House) -> None:
    """Reports that come late or twice move a message forward and never back."""
    await house.twilio.texts(JANE, "hello")
    await house.rig.settle()
    (shown,) = house.twilio.phones[JANE]
    for status in ("queued", "delivered", "sent", "delivered"):
        assert (await house.twilio.report(shown, JANE, status))[0] == 200
        await house.rig.settle()

    assert (await house.lines())[-1].delivery is DeliveryState.DELIVERED


async def test_lost_answer(house: House) -> None:
    """A message whose call broke off is not sent twice, and Twilio's report shows that it arrived."""
    house.twilio.faults.append(Fault(is_done=True, is_cut=True))
    await house.twilio.texts(JANE, "hello")
    await house.rig.settle()
    (shown,) = house.twilio.phones[JANE]
    assert (await house.lines())[-1].delivery is DeliveryState.FAILED

    await house.twilio.report(shown, JANE, "delivered")
    await house.rig.settle()
    assert (await house.lines())[-1].delivery is DeliveryState.DELIVERED
    assert len(house.twilio.phones[JANE]) == 1


async def test_undelivered(house: House) -> None:
    """What the network gave up is marked with the reason, for a person to read."""
    await house.twilio.texts(JANE, "hello")
    await house.rig.settle()
    await house.twilio.report(house.twilio.phones[JANE][0], JANE, "undelivered", "30005")
    await house.rig.settle()

    line = (await house.lines())[-1]
    assert line.delivery is DeliveryState.FAILED
    assert "does not exist any more" in line.delivery_detail


async def test_unsubscribed(house: House) -> None:
    """Who has texted STOP is not written to; a person is told why."""
    house.twilio.stopped.add(JANE)
    await house.twilio.texts(JANE, "STOP")
    await house.rig.settle()

    assert JANE not in house.twilio.phones
    line = (await house.lines())[-1]
    assert "texting STOP" in line.delivery_detail
    conversation = await house.rig.database.read(conversations.find_by_address, house.address)
    assert conversation is not None
    assert await house.rig.database.read(tickets.open_of, conversation.id) is not None


async def test_missed(house: House) -> None:
    """A text that no call could bring is answered once it is found, and once only if its call comes after all."""

    async def once(_seconds: float) -> None:
        raise asyncio.CancelledError

    async def look() -> None:
        with suppress(asyncio.CancelledError):
            await house.connector._missed.look(lambda events: receiver.take(house.connector, events), once)

    receiver = Receiver(house.rig.database, house.rig.clock, house.rig.hints.inbox)
    await look()
    sid = house.twilio.take(JANE, "hello")
    await look()
    await house.rig.settle()
    about = {"MessageSid": sid, "AccountSid": ACCOUNT_SID, "From": JANE, "To": NUMBER, "Body": "hello"}
    assert (await house.twilio.deliver(house.twilio.webhook_url, about))[0] == 200
    await house.rig.settle()

    assert [shown.text for shown in house.twilio.phones[JANE]] == ["re: hello"]


async def test_handled_stop(house: House) -> None:
    """A STOP that Twilio has answered itself is acknowledged, and nothing is said to it."""
    assert (await house.twilio.texts(JANE, "STOP", OptOutType="STOP"))[0] == 200
    await house.rig.settle()

    assert house.rig.engine.requests == []
