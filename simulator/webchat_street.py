"""The web chat with visitors who write to the shop; their browsers send again what may not have arrived."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import aiohttp

from simulator.phones import Errands, wrote
from simulator.truth import Chat, Seen
from simulator.weather import Weather

CHANNEL = "webchat"
_SITE = "site"
#: Seconds between two looks of an open page at its feed, and before something is sent again.
_LOOKS_EVERY, _TRIES_AGAIN_AFTER = 0.4, 0.5


@dataclass(kw_only=True)
class WebChatPhone:
    """One browser; the widget lets nobody edit, take back or put signs."""

    street: WebChatStreet
    chat: Chat = field(default_factory=lambda: Chat(address=""))
    headers: dict[str, str] = field(default_factory=dict)

    async def write(self, text: str) -> None:
        """Send a text."""
        await self._send(text, {"text": text})

    async def tap(self, title: str, payload: str) -> None:
        """Tap a choice."""
        await self._send(title, {"text": title, "choice": payload})

    async def edit(self, text: str) -> None:
        """Do nothing."""

    async def withdraw(self) -> None:
        """Do nothing."""

    async def react(self, sign: str) -> None:
        """Do nothing."""

    async def _send(self, text: str, members: dict[str, str]) -> None:
        if not self.headers:
            await self._open()
        client_id = str(UUID(int=self.street.dice.getrandbits(128)))
        visitor = self.chat.address.rpartition("/")[2]
        written = wrote(self.chat, f"{visitor}:{client_id}", text)
        written.offered_at = time.monotonic()
        body = {"id": client_id, **members}
        await self.street.post("messages", body, self.headers)
        written.acknowledged_at = time.monotonic()
        if self.street.dice.random() < self.street.weather.repeats:
            self.street.errands.run(self._again(body))

    async def _again(self, body: dict[str, str]) -> None:
        await self.street.post("messages", body, self.headers)

    async def _open(self) -> None:
        session = await self.street.post("session", {}, {})
        self.headers = {"Authorization": f"Bearer {session['token']}"}
        self.chat.address = f"{CHANNEL}/{_SITE}/{session['visitor']}"
        self.street.open_pages.append(self)

    async def look(self) -> None:
        """Note what stands in the feed."""
        known = {each.external_id for each in self.chat.seen}
        for entry in await self.street.history(self.headers):
            if entry.get("type") == "message" and entry["author"] != "customer" and entry["id"] not in known:
                choices = tuple((each["title"], each["payload"]) for each in entry["choices"])
                seen = Seen(external_id=entry["id"], text=entry["text"], at=time.monotonic(), choices=choices)
                self.chat.seen.append(seen)


@dataclass(kw_only=True)
class WebChatStreet:
    """The brand's site and its visitors."""

    weather: Weather
    dice: random.Random
    session: aiohttp.ClientSession
    #: where Tandem is, once it runs
    url: str = ""
    errands: Errands = field(default_factory=Errands)
    open_pages: list[WebChatPhone] = field(default_factory=list)
    environ: dict[str, str] = field(default_factory=dict)

    def phone(self, number: int, name: str) -> WebChatPhone:  # noqa: ARG002 - visitors have no names
        """Return the browser of a new visitor."""
        return WebChatPhone(street=self)

    async def post(self, path: str, body: dict[str, str], headers: dict[str, str]) -> dict[str, Any]:
        """Post until Tandem has it, as the widget does."""
        while True:
            try:
                async with self.session.post(f"{self.url}/chat/{path}", json=body, headers=headers) as answer:
                    if answer.status in {201, 202}:
                        done: dict[str, Any] = await answer.json()
                        return done
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(_TRIES_AGAIN_AFTER)

    async def history(self, headers: dict[str, str]) -> list[dict[str, Any]]:
        """Return what stands in a visitor's feed."""
        try:
            async with self.session.get(f"{self.url}/chat/history", headers=headers) as answer:
                events: list[dict[str, Any]] = (await answer.json())["events"] if answer.ok else []
                return events
        except (aiohttp.ClientError, TimeoutError):
            return []

    async def watch(self) -> None:
        """Keep all open pages up to date, until cancelled."""
        while True:
            for page in self.open_pages:
                await page.look()
            await asyncio.sleep(_LOOKS_EVERY)

    async def idle(self) -> None:
        """Return once nothing is on its way."""
        await self.errands.done()


@asynccontextmanager
async def street(weather: Weather, dice: random.Random) -> AsyncIterator[WebChatStreet]:
    """Open the site until the context ends."""
    async with aiohttp.ClientSession() as session:
        opened = WebChatStreet(weather=weather, dice=dice, session=session)
        watching = asyncio.create_task(opened.watch())
        try:
            yield opened
        finally:
            watching.cancel()
            await opened.errands.stop()
