"""Customers who keep asking while things break: on web chat as the widget does it, and on Telegram."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

import aiohttp

from simulator.telegram import FakeTelegram
from simulator.telegram_values import Json
from tests.faults.history import Asked, History, Shown
from tests.faults.talking import Script

#: Seconds between two messages of a customer, at random up to twice that.
PACE = 1.0
#: Who waits for so many answers asks nothing more, so that a slow machine is never behind by more. An answer is waited
#: for so many seconds: people may have the message.
_WAITS_FOR_MAX, _WAITS_AT_MOST = 5, 20.0
#: The widget's own pauses before it tries again, shortened: the load must not fade while the service is away.
_TRY_AGAIN_FIRST, _TRY_AGAIN_LONGEST = 0.1, 0.5
_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5)


@dataclass
class Moments:
    """Lets a test strike exactly when something happens."""

    _armed: dict[str, Callable[[], None]] = field(default_factory=dict)

    def arm(self, kind: str, strike: Callable[[], None]) -> None:
        """Call `strike`, once, when the next moment of that kind comes."""
        self._armed[kind] = strike

    def disarm(self) -> None:
        """Forget what has not come."""
        self._armed.clear()

    def come(self, kind: str) -> None:
        """Say that such a moment is now."""
        strike = self._armed.pop(kind, None)
        if strike is not None:
            strike()


@dataclass(kw_only=True)
class Street:
    """What all customers share."""

    history: History
    moments: Moments
    dice: random.Random
    #: no new messages once it is set
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    #: how often which HTTP status answered a message
    statuses: Counter[int] = field(default_factory=Counter)
    #: when each message was written that has no answer, by conversation and number
    _open: dict[str, dict[int, float]] = field(default_factory=dict)

    async def pause(self, conversation: str) -> None:
        """Wait until the customer writes again."""
        await asyncio.sleep(self.dice.uniform(0, 2 * PACE))
        while self._waits_for_count(conversation) >= _WAITS_FOR_MAX:  # noqa: ASYNC110 - grows old without an event
            await asyncio.sleep(0.1)

    def _waits_for_count(self, conversation: str) -> int:
        since = time.monotonic() - _WAITS_AT_MOST
        return sum(written_at > since for written_at in self._open.get(conversation, {}).values())

    def writes(self, conversation: str, serial: int, external_id: str) -> Asked:
        """Note a message that a customer writes now, and return it, not yet acknowledged."""
        asked = Asked(conversation=conversation, serial=serial, external_id=external_id, written_at=time.monotonic())
        self.history.asked.append(asked)
        self._open.setdefault(conversation, {})[serial] = asked.written_at
        return asked

    def saw(self, conversation: str, script: Script, text: str) -> None:
        """Note a message of ours that a customer sees now."""
        serial = script.serial_of(text)
        if serial is not None:
            self._open.get(conversation, {}).pop(serial, None)
        self.history.shown.append(Shown(conversation=conversation, serial=serial, text=text, at=time.monotonic()))


class WebVisitor:
    """One browser: it keeps each message until the service has it, and shows each entry of its feed once."""

    def __init__(self, street: Street, session: aiohttp.ClientSession, url: str) -> None:
        self._street = street
        self._session = session
        self._url = url
        self._script = Script.shuffled(street.dice)
        self._headers: dict[str, str] = {}
        self.visitor = ""
        #: numbers of the feed's entries that it has shown, and the ids of its own messages among them
        self.cursor = 0
        self.echoes: list[str] = []

    async def open(self) -> None:
        """Open the chat: ask for a session."""
        opened = await self._insist("session", None)
        self.visitor = str(opened["visitor"])
        self._headers = {"Authorization": f"Bearer {opened['token']}"}

    async def write(self) -> None:
        """Write the whole script, or until the street closes."""
        for serial in range(1, len(self._script.names) + 1):
            await self._street.pause(self.visitor)
            if self._street.closing.is_set():
                return
            await self.ask(serial)

    async def ask(self, serial: int) -> Asked:
        """Write the message of that number and return it, acknowledged."""
        client_id = str(uuid4())
        asked = self._street.writes(self.visitor, serial, f"{self.visitor}:{client_id}")
        asked.is_on_web_chat = True
        await self._insist("messages", {"id": client_id, "text": self._script.text(serial)})
        asked.acknowledged_at = time.monotonic()
        self._street.moments.come("acknowledged")
        return asked

    async def _insist(self, path: str, body: Json | None) -> Json:
        """Post until the service has it, as the widget does."""
        pause = _TRY_AGAIN_FIRST
        while True:
            try:
                async with self._session.post(
                    f"{self._url}/chat/{path}", json=body, headers=self._headers, timeout=_TIMEOUT
                ) as answer:
                    self._street.statuses[answer.status] += 1
                    if answer.status in {201, 202}:
                        done: Json = await answer.json()
                        return done
                    assert answer.status == 429 or answer.status >= 500, f"{answer.status} {await answer.text()}"
                    pause = max(pause, float(answer.headers.get("Retry-After", 0)))
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(pause)
            pause = min(pause * 2, _TRY_AGAIN_LONGEST)

    async def read(self) -> None:
        """Show what comes, until cancelled."""
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                await self._follow()
            await asyncio.sleep(_TRY_AGAIN_FIRST)

    async def _follow(self) -> None:
        timeout = aiohttp.ClientTimeout(total=None, connect=5, sock_read=60)
        async with self._session.get(
            f"{self._url}/chat/events", params={"after": self.cursor}, headers=self._headers, timeout=timeout
        ) as stream:
            if stream.status != 200:
                return
            number = 0
            async for line in stream.content:
                field_name, _, value = line.decode().strip().partition(": ")
                if field_name == "id":
                    number = int(value)
                elif field_name == "data" and number:
                    self._show(number, json.loads(value))
                elif not field_name:
                    number = 0

    def _show(self, number: int, entry: Json) -> None:
        if number <= self.cursor:
            return
        self.cursor = number
        if entry["author"] == "customer":
            self.echoes.append(entry["id"])
        else:
            self._street.saw(self.visitor, self._script, entry["text"])


class WatchedTelegram(FakeTelegram):
    """A fake Telegram that says when a message of the bot arrives."""

    def watch(self, street: Street) -> None:
        """Say it on this street."""
        self._street = street
        self.scripts: dict[int, Script] = {}

    async def call(self, method: str, parameters: Json) -> object:
        """Return the result of a call; raises `RefusedError`."""
        if method != "sendMessage":
            return await super().call(method, parameters)
        self._street.moments.come("before a send")
        result = await super().call(method, parameters)
        chat = int(parameters["chat_id"])
        self._street.saw(str(chat), self.scripts[chat], str(parameters["text"]))
        self._street.moments.come("after a send")
        return result


class TelegramChat:
    """One person on Telegram."""

    def __init__(self, street: Street, telegram: WatchedTelegram, number: int) -> None:
        self._street = street
        self._telegram = telegram
        self._number = number
        self._script = Script.shuffled(street.dice)
        telegram.scripts[number] = self._script

    async def write(self) -> None:
        """Write the whole script, or until the street closes."""
        customer = self._telegram.customer(self._number)
        for serial in range(1, len(self._script.names) + 1):
            await self._street.pause(str(self._number))
            if self._street.closing.is_set():
                return
            message_id = customer.writes(self._script.text(serial))
            asked = self._street.writes(str(self._number), serial, f"{self._number}:{message_id}")
            # Telegram shows the message as sent at once: from here on the customer counts on it.
            asked.acknowledged_at = time.monotonic()


@dataclass(kw_only=True)
class Crowd:
    """So many customers at a time; whoever has asked everything is followed by somebody new."""

    street: Street
    session: aiohttp.ClientSession
    url: str
    telegram: WatchedTelegram
    visitors: list[WebVisitor] = field(default_factory=list)

    async def stay(self, web_count: int, telegram_count: int) -> None:
        """Keep customers coming until the street closes, and their pages open until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(web_count):
                tasks.create_task(self._on_web_chat(tasks))
            for place in range(1, telegram_count + 1):
                tasks.create_task(self._on_telegram(10_000 * place))

    async def _on_web_chat(self, tasks: asyncio.TaskGroup) -> None:
        while not self.street.closing.is_set():
            visitor = WebVisitor(self.street, self.session, self.url)
            await visitor.open()
            self.visitors.append(visitor)
            tasks.create_task(visitor.read())
            await visitor.write()

    async def _on_telegram(self, number: int) -> None:
        while not self.street.closing.is_set():
            number += 1
            await TelegramChat(self.street, self.telegram, number).write()
