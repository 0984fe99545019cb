from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from bot.domain.messages import InboundEvent, InboundMessage
from simulator.twilio import ACCOUNT_SID, SERVICE, Fault
from tests.connectors.sms.bench import JANE, Bench, bench

CURSOR = "texts:sms/447700900123"


@pytest.fixture
async def stand() -> AsyncIterator[Bench]:
    """A fake Twilio and our connector."""
    async with bench() as made:
        yield made


async def look(stand: Bench, times: int = 1, *, refuses: int = 0) -> list[InboundEvent]:
    """Return what so many looks bring; the first of them are not kept."""
    events: list[InboundEvent] = []
    count = 0

    async def sleep(seconds: float) -> None:
        nonlocal count
        count += 1
        stand.pauses.append(seconds)
        if count == times:
            raise asyncio.CancelledError

    async def sink(batch: list[InboundEvent]) -> None:
        nonlocal refuses
        refuses -= 1
        if refuses >= 0:
            raise OSError("the disk is full")
        events.extend(batch)

    with suppress(asyncio.CancelledError):
        await stand.connector._missed.look(sink, sleep)
    return events


def texts(events: list[InboundEvent]) -> list[str]:
    """Return what the events say."""
    return [event.text for event in events if isinstance(event, InboundMessage)]


async def test_the_first_look_only_begins(stand: Bench) -> None:
    """What was texted before Tandem first ran is not answered."""
    stand.twilio.take(JANE, "long ago")
    assert await look(stand) == []
    assert stand.cursors.kept[CURSOR] == "2026-11-22T09:00:00+00:00"


async def test_what_no_call_has_brought(stand: Bench) -> None:
    """What was texted while nobody answered comes later, in order, under the id that its call would have had."""
    await look(stand)
    stand.twilio.page_size = 2
    await stand.connector._sleep(3600)
    sids = [stand.twilio.take(JANE, str(number)) for number in range(5)]
    await stand.connector._sleep(3600)
    events = await look(stand)

    assert texts(events) == ["0", "1", "2", "3", "4"]
    assert [event.external_id for event in events] == sids
    assert all(isinstance(event, InboundMessage) and event.address == stand.address for event in events)
    assert texts(await look(stand)) == []


async def test_the_place_is_kept_after_the_texts(stand: Bench) -> None:
    """What could not be kept comes again, with growing pauses until it can."""
    await look(stand)
    stand.twilio.take(JANE, "hello")
    stand.twilio.faults += [Fault(), Fault(status=429, code=20429)]
    stand.pauses.clear()
    events = await look(stand, 4, refuses=1)

    assert texts(events) == ["hello"]
    assert stand.pauses == [120, 240, 480, 60]


async def test_files(stand: Bench) -> None:
    """The files of an MMS are found where its call would have named them."""
    await look(stand)
    sid = stand.twilio.take(JANE, "", num_media="1")
    (event,) = await look(stand)
    assert isinstance(event, InboundMessage)
    (file,) = event.attachments
    url = f"{stand.twilio.url}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/{sid}/Media/ME1"
    assert (file.reference, file.media_type) == (url, "image/jpeg")


async def test_what_is_not_for_us(stand: Bench) -> None:
    """What we sent, and what was texted to other numbers of the account, is left alone."""
    await look(stand)
    stand.twilio.take(JANE, "ours", direction="outbound-api")
    stand.twilio.take(JANE, "elsewhere", to="+447700900999")
    assert await look(stand) == []


async def test_messaging_service() -> None:
    """With a messaging service all its numbers are ours, and what Twilio answers itself is left to it."""
    async with bench(messaging_service=SERVICE) as stand:
        await look(stand)
        stand.twilio.take(JANE, "hello", to="+447700900999", messaging_service_sid=SERVICE)
        stand.twilio.take(JANE, " Stop ", messaging_service_sid=SERVICE)
        stand.twilio.take(JANE, "elsewhere", to="+447700900888")
        assert texts(await look(stand)) == ["hello"]
