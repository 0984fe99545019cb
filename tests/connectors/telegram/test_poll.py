from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

from bot.domain.connectors import Polling, Sent
from bot.domain.messages import Choice, InboundEvent, InboundMessage, Reaction, Unsupported
from connectors.telegram.connector import TelegramAccount, TelegramConnector
from simulator.telegram import FakeTelegram
from simulator.telegram_server import running
from simulator.telegram_values import Fault, Webhook
from tests.connectors.telegram.bench import JANE, Bench, bench
from tests.fakes.media import MemoryMedia


@dataclass
class Inbox:
    """Commits what is polled; fails to when told so."""

    stand: Bench
    events: list[InboundEvent] = field(default_factory=list)
    failure_count: int = 0
    #: offsets that Telegram had seen when each batch was committed
    offsets: list[object] = field(default_factory=list)

    async def commit(self, events: list[InboundEvent]) -> None:
        """Take a batch."""
        self.offsets.append(self.stand.telegram.calls[-1][1].get("offset"))
        if self.failure_count:
            self.failure_count -= 1
            raise ConnectionError("the database is away")
        self.events += events
        self.stand.telegram.tell()

    async def texts(self, count: int) -> list[str]:
        """Wait for that many events and return their texts."""
        await self.stand.telegram.until(lambda: len(self.events) >= count)
        return [event.kind if isinstance(event, Unsupported) else getattr(event, "text", "") for event in self.events]


@asynccontextmanager
async def polling(stand: Bench) -> AsyncIterator[Inbox]:
    """Poll beside the block."""
    inbox = Inbox(stand)
    task = asyncio.create_task(stand.connector.poll(inbox.commit))
    try:
        yield inbox
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def stand() -> AsyncIterator[Bench]:
    """A fake Telegram, a customer and our connector."""
    async with bench() as made:
        yield made


async def test_order_and_confirmation(stand: Bench) -> None:
    """Everything comes once and in order, and is confirmed at Telegram after the commit."""
    assert isinstance(stand.connector, Polling)
    texts = [f"message {n}" for n in range(250)]
    for text in texts:
        stand.jane.writes(text)
    async with polling(stand) as inbox:
        assert await inbox.texts(250) == texts
        await stand.telegram.until(lambda: not stand.telegram.waiting())


async def test_signs_come_too(stand: Bench) -> None:
    """A sign that a customer puts to a message of ours, or takes away, names that message as our call's answer did."""
    sent = await stand.connector.send(stand.text("It left today"), "k")
    assert isinstance(sent, Sent)
    async with polling(stand) as inbox:
        for sign in ("👍", ""):
            stand.jane.reacts(stand.jane.seen[-1].message_id, sign)
        await inbox.texts(2)
    signs = [event for event in inbox.events if isinstance(event, Reaction)]
    assert [(each.emoji, each.of_external_id) for each in signs] == [("👍", sent.external_id), ("", sent.external_id)]


async def test_not_confirmed_before_the_commit(stand: Bench) -> None:
    """While the commit runs, Telegram still keeps the batch: a crash there loses nothing."""
    stand.jane.writes("one")
    reached, waiting_then = asyncio.Event(), []

    async def never_commits(_events: list[InboundEvent]) -> None:
        waiting_then.extend(stand.telegram.waiting())
        reached.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(stand.connector.poll(never_commits))
    await reached.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    async with polling(stand) as inbox:
        assert await inbox.texts(1) == ["one"]
    assert len(waiting_then) == 1


async def test_killed_after_the_commit(stand: Bench) -> None:
    """What was committed but not confirmed comes again with the same ids, so that the inbox can drop it."""
    stand.jane.writes("one")
    async with polling(stand) as first:
        await first.texts(1)
    async with polling(stand) as second:
        await second.texts(1)

    assert first.events == second.events


async def test_failed_commit(stand: Bench) -> None:
    """A failed commit confirms nothing: the same batch comes again after a pause."""
    stand.jane.writes("one")
    async with polling(stand) as inbox:
        inbox.failure_count = 3
        assert await inbox.texts(1) == ["one"]

    assert stand.pauses == [1.0, 2.0, 4.0]
    assert inbox.offsets == [None] * 4


async def test_numbers_jump_back(stand: Bench) -> None:
    """After a quiet week Telegram goes on from a random, lower number: nothing is swallowed."""
    stand.jane.writes("before")
    async with polling(stand) as inbox:
        await inbox.texts(1)
        await stand.telegram.until(lambda: stand.telegram.calls[-1][1].get("offset") is not None)
        await _quiet_poll(stand)
        stand.telegram.next_update_id = 17
        stand.jane.writes("after")
        assert await inbox.texts(2) == ["before", "after"]


async def _quiet_poll(stand: Bench) -> None:
    """End the poll in flight, let one bring nothing, and wait for the one after it."""
    stand.telegram.fail(Fault(method="getUpdates", code=200, body=b'{"ok": true, "result": []}'))
    call_count = len(stand.telegram.calls)
    stand.telegram.end_poll()
    await stand.telegram.until(lambda: len(stand.telegram.calls) > call_count)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(method="getUpdates", code=500),
        Fault(method="getUpdates", code=502, body=b"<html>"),
        Fault(method="getUpdates", code=200, body=b"<html>"),
        Fault(method="getUpdates", code=200, body=b'{"ok": true, "result": {"update_id": 1}}'),
        Fault(method="getUpdates", code=200, body=b'{"ok": true, "result": [{"no": "number"}]}'),
        Fault(method="getUpdates", is_done=True, cut_after=0),
        Fault(method="getUpdates", is_done=True, cut_after=150),
    ],
)
async def test_failures_are_waited_out(stand: Bench, fault: Fault) -> None:
    """A failed round is tried again after a pause, and nothing is lost or doubled by it."""
    stand.telegram.fail(fault, fault)
    stand.jane.writes("one")
    async with polling(stand) as inbox:
        assert await inbox.texts(1) == ["one"]

    assert stand.pauses == [1.0, 2.0]


@pytest.mark.parametrize(
    ("fault", "pause"),
    [
        (Fault(method="getUpdates", code=429, retry_after=33), 33.0),
        (Fault(method="getUpdates", code=409, description="Conflict: can't use getUpdates"), 60.0),
        (Fault(method="getUpdates", code=401, description="Unauthorized"), 300.0),
    ],
)
async def test_long_pauses(stand: Bench, fault: Fault, pause: float, capsys: pytest.CaptureFixture[str]) -> None:
    """A flood is waited out to the second; what a person has to mend is said clearly, and tried again rarely."""
    stand.telegram.fail(fault)
    stand.jane.writes("one")
    async with polling(stand) as inbox:
        await inbox.texts(1)

    assert stand.pauses == [pause]
    assert "telegram_waits" in capsys.readouterr().out


async def test_webhook_left_over(stand: Bench) -> None:
    """A webhook that a former start left is removed before the first request for updates, however often that takes."""
    stand.telegram.webhook = Webhook(url="http://127.0.0.1:1/", secret="")
    stand.telegram.fail(Fault(method="deleteWebhook", code=502))
    stand.jane.writes("one")
    async with polling(stand) as inbox:
        assert await inbox.texts(1) == ["one"]

    assert stand.pauses == [1.0]


async def test_pauses_grow_up_to_a_minute(stand: Bench) -> None:
    """Pauses double up to a minute, and start small again after a success."""
    stand.telegram.fail(*[Fault(method="getUpdates")] * 9)
    stand.jane.writes("one")
    async with polling(stand) as inbox:
        await inbox.texts(1)
        assert stand.pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]

        stand.telegram.fail(Fault(method="getUpdates"))
        stand.jane.writes("two")
        await inbox.texts(2)
        stand.jane.writes("three")
        await inbox.texts(3)
    assert stand.pauses[9:] == [1]


async def test_telegram_away() -> None:
    """An outage of Telegram is waited out, and what customers wrote during it arrives."""
    telegram = FakeTelegram()
    async with running(telegram):
        port = int(telegram.url.rpartition(":")[2])
    is_tried = asyncio.Event()

    async def sleep(_seconds: float) -> None:
        is_tried.set()
        await asyncio.sleep(0)

    connector = TelegramConnector(TelegramAccount(token=telegram.token, base_url=telegram.url), MemoryMedia(), sleep)
    stand = Bench(telegram=telegram, connector=connector, media=MemoryMedia())
    async with polling(stand) as inbox:
        await is_tried.wait()
        stand.jane.writes("during")
        async with running(telegram, port):
            assert await inbox.texts(1) == ["during"]
    await connector.close()


async def test_one_bad_update(stand: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """An update we cannot read is logged and confirmed: it holds up neither the others nor the bot."""
    stand.jane.writes("one")
    stand.telegram.add_update("message", {"message_id": "?"}, "chat 1")
    stand.jane.writes("two")
    async with polling(stand) as inbox:
        assert await inbox.texts(3) == ["one", "malformed", "two"]
        await stand.telegram.until(lambda: not stand.telegram.waiting())

    assert isinstance(inbox.events[1], Unsupported)
    assert "telegram_update_unreadable" in capsys.readouterr().out


async def test_everything_a_customer_does(stand: Bench) -> None:
    """Texts, edits and taps come as what they are, and only what we asked for comes at all."""
    await stand.connector.send(stand.text("Well?", *_choices()), "key")
    async with polling(stand) as inbox:
        number = stand.jane.writes("helo")
        await inbox.texts(1)
        stand.jane.edits(number, "hello")
        tap_id = stand.jane.taps("Yes")
        stand.telegram.add_update("poll_answer", {}, "chat 1")
        await inbox.texts(3)

    written, edited, tapped = inbox.events
    assert isinstance(written, InboundMessage)
    assert isinstance(edited, InboundMessage)
    assert isinstance(tapped, InboundMessage)
    assert (edited.text, edited.edits) == ("hello", written.external_id)
    assert tapped.choice == "yes-key"
    await stand.connector.acknowledge(tapped)
    assert tap_id not in stand.telegram.busy_taps
    await stand.connector.acknowledge(tapped)  # too late: Telegram says no, and nobody minds
    await stand.connector.acknowledge(written)
    assert written.address.external_id == str(JANE)


def _choices() -> tuple[Choice, ...]:
    return (Choice(title="Yes", payload="yes-key"), Choice(title="No", payload="no-key"))
