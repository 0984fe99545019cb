"""The connector with a Bot API that nobody here wrote (npm `telegram-test-api`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from bot.domain.connectors import SendOperation, Sent
from bot.domain.messages import Author, Choice, InboundEvent, InboundMessage, OutboundMessage
from connectors.telegram.connector import TelegramAccount, TelegramConnector
from tests.connectors.telegram.bench import address_of, door
from tests.fakes.media import MemoryMedia
from tests.peers.npm import running

TOKEN = "666:token-of_the-emulator"
CHAT = 42


@dataclass
class Stage:
    """The emulator, our connector, and what came of both."""

    url: str
    connector: TelegramConnector
    session: aiohttp.ClientSession
    events: list[InboundEvent] = field(default_factory=list)
    #: set whenever something arrived
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def customer(self, what: str, **members: object) -> None:
        """Let the customer do something: `sendMessage`, `sendCommand`, `sendCallback`."""
        person = {"id": CHAT, "first_name": "Jane", "is_bot": False}
        chat = {"id": CHAT, "first_name": "Jane", "type": "private"}
        body = {"botToken": TOKEN, "date": 1_795_400_000, "from": person, "chat": chat} | members
        async with self.session.post(f"{self.url}/{what}", json=body) as answer:
            assert (await answer.json())["ok"]

    async def seen(self) -> list[dict[str, Any]]:
        """Return what the bot sent to the customer since the last look."""
        async with self.session.post(f"{self.url}/getUpdates", json={"token": TOKEN, "chatId": CHAT}) as answer:
            return [each["message"] for each in (await answer.json())["result"]]

    async def arrived(self, count: int) -> list[InboundMessage]:
        """Wait for that many events in all."""
        async with asyncio.timeout(10):
            while len(self.events) < count:
                await self.news.wait()
                self.news.clear()
        return [event for event in self.events if isinstance(event, InboundMessage)]


Way = Callable[[aiohttp.ClientSession, str], AbstractAsyncContextManager[Stage]]


@asynccontextmanager
async def _polling(session: aiohttp.ClientSession, url: str) -> AsyncIterator[Stage]:
    account = TelegramAccount(token=TOKEN, base_url=url, poll_for=timedelta(seconds=1))
    stage = Stage(url, TelegramConnector(account, MemoryMedia()), session)

    async def commit(events: list[InboundEvent]) -> None:
        stage.events += events
        stage.news.set()

    await stage.connector.register()
    task = asyncio.create_task(stage.connector.poll(commit))
    try:
        yield stage
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await stage.connector.close()


@asynccontextmanager
async def _webhook(session: aiohttp.ClientSession, url: str) -> AsyncIterator[Stage]:
    async with door() as opened:
        account = TelegramAccount(token=TOKEN, base_url=url, webhook_url=opened.url, webhook_secret="shh-its_a-secret")
        connector = TelegramConnector(account, MemoryMedia())
        opened.connector = connector
        await connector.register()
        yield Stage(url, connector, session, opened.events, opened.news)
        assert set(opened.statuses) == {200}
        await connector.close()


@pytest.fixture(params=[_polling, _webhook], ids=["polling", "webhook"])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """The emulator with our connector on either way."""
    way: Way = request.param
    async with (
        running("telegram", "server.js") as url,
        aiohttp.ClientSession() as session,
        way(session, url) as made,
    ):
        yield made


async def test_conversation(stage: Stage) -> None:
    """Command, text, buttons, a tap and an edit pass both ways."""
    assert "@peer_bot (666)" in await stage.connector.check()
    await stage.customer("sendCommand", text="/start", entities=[{"offset": 0, "length": 6, "type": "bot_command"}])
    await stage.customer("sendMessage", text="wheres my order 🙄")
    command, text = await stage.arrived(2)
    assert [command.text, text.text] == ["/start", "wheres my order 🙄"]
    assert text.address == address_of(stage.connector, CHAT)

    await stage.connector.show_typing(text.address)
    (operation,) = _plan(stage)
    result = await stage.connector.send(operation, "key")
    (shown,) = await stage.seen()
    assert isinstance(result, Sent)
    assert shown["text"] == "Which order?"
    buttons = [row[0] for row in shown["reply_markup"]["inline_keyboard"]]
    assert [button["text"] for button in buttons] == ["CL-104233", "CL-104250"]

    chat = {"id": CHAT, "first_name": "Jane", "type": "private"}
    message = {"message_id": int(result.external_id.rpartition(":")[2]), "date": 1_795_400_001, "chat": chat}
    await stage.customer("sendCallback", data=buttons[1]["callback_data"], message=message)
    tap = (await stage.arrived(3))[2]
    assert tap.choice == "key-2"
    await stage.connector.acknowledge(tap)

    message_id = int(text.external_id.rpartition(":")[2])
    await stage.customer("sendMessage", text="where is my order", message_id=message_id, edit_date=1_795_400_009)
    edit = (await stage.arrived(4))[3]
    assert (edit.text, edit.edits) == ("where is my order", text.external_id)


async def test_order(stage: Stage) -> None:
    """Twenty messages in quick succession arrive in order, each once."""
    for n in range(20):
        await stage.customer("sendMessage", text=f"message {n}")

    texts = [message.text for message in await stage.arrived(20)]
    assert texts == [f"message {n}" for n in range(20)]
    assert len({message.external_id for message in await stage.arrived(20)}) == 20


def _plan(stage: Stage) -> tuple[SendOperation, ...]:
    choices = (Choice(title="CL-104233", payload="key-1"), Choice(title="CL-104250", payload="key-2"))
    message = OutboundMessage(author=Author.BOT, text="Which order?", choices=choices)
    operations = stage.connector.plan(message, address_of(stage.connector, CHAT))
    assert isinstance(operations, tuple)
    return operations
