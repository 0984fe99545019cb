"""The whole program on loopback, with all its doors open, and callers who speak to them without manners."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import psutil

from simulator.telegram import FakeTelegram
from simulator.telegram_server import running
from tests.fakes.slack import BOT_TOKEN, SECRET, FakeSlack
from tests.fakes.slack_api import QUEUE
from tests.faults.running import Program

Json = dict[str, Any]
SHOP = "https://shop.example.com"
WEBHOOK_SECRET = "a-secret-of-Telegram_7"
NESTED = b"[" * 100_000 + b"]" * 100_000
NO_HEADERS: Mapping[str, str | bytes] = {}
#: Seconds for something to happen in another process on a busy machine.
SOON = 20.0
_numbers = itertools.count(1)


@dataclass(kw_only=True)
class House:
    """The running program."""

    program: Program
    telegram: FakeTelegram
    slack: FakeSlack
    http: httpx.AsyncClient
    #: what nobody may find in the logs: secrets, and what customers wrote
    unloggable: set[str] = field(default_factory=set)

    @property
    def telegram_path(self) -> str:
        """Where Telegram calls us."""
        return f"/webhooks/telegram/{self.telegram.me['id']}"

    async def post(self, path: str, body: bytes, headers: Mapping[str, str | bytes] = NO_HEADERS) -> httpx.Response:
        """Post bytes; headers may be any bytes as well."""
        given = {
            name.encode(): value if isinstance(value, bytes) else value.encode() for name, value in headers.items()
        }
        return await self.http.post(path, content=body, headers=given)

    async def telegram_says(self, body: bytes) -> httpx.Response:
        """Post bytes as Telegram does."""
        return await self.post(self.telegram_path, body, {"x-telegram-bot-api-secret-token": WEBHOOK_SECRET})

    async def visitor(self) -> Visitor:
        """Return a new visitor of the web chat."""
        session = (await self.http.post("/chat/session")).json()
        self.unloggable.add(session["token"])
        return Visitor(house=self, token=session["token"], name=session["visitor"])

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return what the database holds now."""
        connection = sqlite3.connect(f"file:{self.program.state_dir}/tandem.db?mode=ro", uri=True)
        try:
            return connection.execute(query, values).fetchall()
        finally:
            connection.close()

    def kept(self) -> int:
        """Return how many events of channels and agents were ever kept."""
        return int(self.rows("SELECT count(*) FROM inbox")[0][0])

    def processes(self) -> list[psutil.Process]:
        """Return the service and what it started."""
        service = psutil.Process(self.program.life.pid)
        return [service, *service.children(recursive=True)]

    def logged(self) -> str:
        """Return all that was printed."""
        return self.program.log_path.read_text(encoding="utf-8")


@dataclass(kw_only=True)
class Visitor:
    """A customer on the web chat."""

    house: House
    token: str
    name: str

    @property
    def headers(self) -> dict[str, str]:
        """What proves who is asking."""
        return {"authorization": f"Bearer {self.token}"}

    async def send(self, **members: object) -> httpx.Response:
        """Post a message."""
        body = json.dumps({"id": f"message-{next(_numbers):06d}", **members}).encode()
        return await self.house.post("/chat/messages", body, self.headers)

    async def upload(self, content: bytes, name: str | bytes = "a.txt", kind: str = "text/plain") -> httpx.Response:
        """Post a file."""
        headers: dict[str, str | bytes] = {**self.headers, "x-file-name": name, "content-type": kind}
        return await self.house.post("/chat/files", content, headers)

    async def feed(self) -> list[Json]:
        """Return everything the page shows."""
        answer = await self.house.http.get("/chat/history", headers=self.headers)
        events: list[Json] = answer.json()["events"]
        return events

    async def hears(self, text: str = "", **members: object) -> list[Json]:
        """Write, wait for the first answer, and return all answers to this."""
        before = len(await self.feed())
        answer = await self.send(**({"text": text} if text else {}), **members)
        assert answer.status_code == 202, answer.text
        async with asyncio.timeout(SOON):
            while not (said := [entry for entry in (await self.feed())[before:] if entry["author"] != "customer"]):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return said

    def turns(self) -> list[Json]:
        """Return what was made of each of their messages."""
        rows = self.house.rows(
            "SELECT turns.intent, turns.events FROM turns JOIN conversations ON conversations.id = conversation_id"
            " WHERE address LIKE ? ORDER BY number",
            f"%{self.name}",
        )
        return [{"intent": intent, "events": json.loads(events)} for intent, events in rows]


@asynccontextmanager
async def open_house(folder: Path, model: Path) -> AsyncIterator[House]:
    """Run the program with Telegram by webhook, Slack over HTTP, the local desk and the web chat, until the end."""
    async with running(FakeTelegram()) as telegram, FakeSlack() as slack:
        environ = {
            "TANDEM_ENGINE__MODEL": str(model),
            "TANDEM_SERVICE__DATABASE": f"sqlite:///{folder}/tandem.db",
            "TANDEM_SERVICE__PUBLIC_URL": "https://care.example.com",
            "TANDEM_WEBCHAT__ALLOWED_ORIGINS": SHOP,
            "TANDEM_TELEGRAM__TOKEN": telegram.token,
            "TANDEM_TELEGRAM__WEBHOOK_SECRET": WEBHOOK_SECRET,
            "TANDEM_TELEGRAM__BASE_URL": telegram.url,
            "TANDEM_SLACK__BOT_TOKEN": BOT_TOKEN,
            "TANDEM_SLACK__SIGNING_SECRET": SECRET,
            "TANDEM_SLACK__CHANNEL": QUEUE,
            "TANDEM_SLACK__BASE_URL": slack.base_url,
        }
        program = Program(command="run", state_dir=folder, environ=environ)
        await program.start()
        try:
            async with aiohttp.ClientSession() as session:
                await program.until_ready(session)
            async with httpx.AsyncClient(base_url=program.url, timeout=SOON) as http:
                yield House(program=program, telegram=telegram, slack=slack, http=http)
        finally:
            await program.end()


async def until(is_so: Callable[[], object]) -> None:
    """Wait until `is_so`."""
    async with asyncio.timeout(SOON):
        while not is_so():  # noqa: ASYNC110 - other processes do what is waited for
            await asyncio.sleep(0.05)


async def spoken(port: int, sent: bytes) -> bytes:
    """Return what the server says to these very bytes, until it closes or has said its first part."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        async with asyncio.timeout(SOON):
            return await reader.read(65_536)
    finally:
        writer.close()


def update(number: int, text: str = "are you open on sunday", **members: object) -> Json:
    """Return an update of Telegram: a private message of customer 1."""
    chat = {"id": 1, "type": "private", "first_name": "Jane"}
    message = {"message_id": number, "date": 1_790_000_000, "chat": chat, "from": {"id": 1}, "text": text, **members}
    return {"update_id": number, "message": message}


def signed(body: bytes, age: float = 0, secret: str = SECRET) -> dict[str, str | bytes]:
    """Return the headers with which Slack sends a body."""
    stamp = str(int(time.time() - age))
    digest = hmac.new(secret.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
    return {
        "content-type": "application/json",
        "x-slack-request-timestamp": stamp,
        "x-slack-signature": f"v0={digest}",
    }
