"""Customers on Telegram who keep the truth: what they wrote, when we said that we have it, and what they saw."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from benchmarks.rig.channels import SECRET, TOKEN
from benchmarks.rig.serving import serving
from tests.faults.history import Asked, History, Shown
from tests.faults.talking import NOTICES, Script

#: Seconds that an answer is waited for before the next question.
_PATIENCE = 60.0


@dataclass(kw_only=True)
class Asker:
    """One customer: a question about each product, in an order of their own."""

    number: int
    script: Script
    #: questions that they have asked
    count: int = 0
    #: told of each answer
    news: asyncio.Event = field(default_factory=asyncio.Event)


class Askers:
    """All customers, and the Telegram they use."""

    def __init__(self, session: aiohttp.ClientSession, seed: int = 1) -> None:
        """Begin with nobody."""
        self.history = History()
        #: seconds from the writing of a question to its acknowledgement, and to its answer
        self.acknowledged_after: list[float] = []
        self.answered_after: list[float] = []
        self.refused_count = 0
        #: where Tandem's webhook is
        self.webhook = ""
        #: where this Telegram is
        self.url = ""
        self._session = session
        self._dice = random.Random(seed)  # noqa: S311 - shuffles questions
        self._numbers = itertools.count(1)
        self._ids = itertools.count(1)
        self._askers: dict[int, Asker] = {}
        self._waiting: defaultdict[str, dict[int, float]] = defaultdict(dict)
        self._crowd: list[Asker] = []

    @property
    def waiting_count(self) -> int:
        """How many questions have no answer yet."""
        return sum(len(waiting) for waiting in self._waiting.values())

    def oldest(self) -> float:
        """Return for how many seconds the question has waited that has waited longest."""
        return time.monotonic() - min((at for each in self._waiting.values() for at in each.values()), default=1e18)

    def newcomer(self) -> Asker:
        """Return a customer who has written nothing yet."""
        number = next(self._numbers)
        self._askers[number] = Asker(number=number, script=Script.shuffled(self._dice))
        return self._askers[number]

    async def ask(self, asker: Asker, text: str | None = None) -> Asked:
        """Let a customer ask their next question, or say something that has no answer of its own."""
        number = next(self._ids)
        asker.count += text is None
        serial = asker.count if text is None else 0
        asked = Asked(
            conversation=str(asker.number),
            serial=serial,
            external_id=f"{asker.number}:{number}",
            written_at=time.monotonic(),
        )
        if text is None:
            self.history.asked.append(asked)
            self._waiting[asked.conversation][serial] = asked.written_at
        await self._bring(asker.number, number, text or asker.script.text(serial))
        asked.acknowledged_at = time.monotonic()
        self.acknowledged_after.append(asked.acknowledged_at - asked.written_at)
        return asked

    async def _bring(self, customer: int, number: int, text: str) -> None:
        """Call the webhook until it has the message, as Telegram does."""
        chat = {"id": customer, "type": "private", "first_name": "Customer"}
        message = {"message_id": number, "date": int(time.time()), "chat": chat, "from": chat, "text": text}
        headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
        while True:
            try:
                async with self._session.post(
                    self.webhook, json={"update_id": number, "message": message}, headers=headers
                ) as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            self.refused_count += 1
            await asyncio.sleep(0.2)

    async def steadily(self, rate: float, seconds: float, crowd_size: int = 400) -> None:
        """Let so many questions a second be asked, by customers in turn, whether or not they have their answers."""
        began, tasks = time.monotonic(), set[asyncio.Task[Asked]]()
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            task = asyncio.create_task(self.ask(self._in_turn(number, crowd_size)))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)

    def _in_turn(self, number: int, crowd_size: int) -> Asker:
        """Return who asks the question of that number; whoever has asked everything is followed by somebody new."""
        while len(self._crowd) < crowd_size:
            self._crowd.append(self.newcomer())
        place = number % crowd_size
        if self._crowd[place].count == len(self._crowd[place].script.names):
            self._crowd[place] = self.newcomer()
        return self._crowd[place]

    async def incessantly(self, at_once: int, seconds: float) -> float:
        """Let so many customers ask, each their next question when they have an answer; return answers a second."""
        before, began = len(self.answered_after), time.monotonic()

        async def keep_asking() -> None:
            asker = self.newcomer()
            while time.monotonic() < began + seconds:
                if asker.count == len(asker.script.names):
                    asker = self.newcomer()
                asker.news.clear()
                await self.ask(asker)
                async with asyncio.timeout(_PATIENCE):
                    await asker.news.wait()

        await asyncio.gather(*(keep_asking() for _ in range(at_once)))
        return (len(self.answered_after) - before) / (time.monotonic() - began)

    async def until_answered(self, within: float) -> None:
        """Wait until every question has its answer, or nothing has come for `within` seconds."""
        count, at = self.waiting_count, time.monotonic()
        while self.waiting_count and time.monotonic() - at < within:
            await asyncio.sleep(0.05)
            if self.waiting_count != count:
                count, at = self.waiting_count, time.monotonic()

    async def answer_call(self, request: web.Request) -> web.Response:
        """Answer a call of the Bot API."""
        if request.match_info["method"] != "sendMessage":
            return web.json_response({"ok": True, "result": True})
        given = await request.post()
        customer, text, now = int(str(given["chat_id"])), str(given["text"]), time.monotonic()
        asker = self._askers[customer]
        serial = asker.script.serial_of(text)
        if serial is None and text not in NOTICES:
            # An answer that names nothing: the engine did not understand. It can but be that to the oldest question.
            serial = min(self._waiting[str(customer)], default=None)
        if asker.count:
            self.history.shown.append(Shown(conversation=str(customer), serial=serial, text=text, at=now))
        written_at = self._waiting[str(customer)].pop(serial, None) if serial else None
        if written_at is not None:
            self.answered_after.append(now - written_at)
        asker.news.set()
        message = {"message_id": next(self._ids), "date": int(time.time()), "text": text}
        return web.json_response({"ok": True, "result": {**message, "chat": {"id": customer, "type": "private"}}})


@asynccontextmanager
async def askers(port: int) -> AsyncIterator[Askers]:
    """Serve a Telegram for Tandem at that port for as long as the context lasts, and customers who write on it."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as session:
        made = Askers(session)
        made.webhook = f"http://127.0.0.1:{port}/webhooks/telegram/{TOKEN.partition(':')[0]}"
        app = web.Application()
        app.router.add_post("/bot{token}/{method}", made.answer_call)
        async with serving(app) as made.url:
            yield made


def quantile(seconds: list[float], share: float) -> float:
    """Return the milliseconds that this share of the waits did not exceed; nought where there were none."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000 if ordered else 0.0
