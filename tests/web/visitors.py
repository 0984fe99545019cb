"""Visitors of a site with the chat, without a page."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from tests.webchat_site import ChatSite

SHOP = "https://shop.example.com"


@dataclass
class Visitor:
    """A browser without a page."""

    http: httpx.AsyncClient
    token: str
    visitor: str

    async def write(self, client_id: str, text: str, **more: object) -> httpx.Response:
        """Send a message."""
        return await self.http.post("/chat/messages", json={"id": client_id, "text": text, **more})

    @asynccontextmanager
    async def stream(self, after: int = 0) -> AsyncIterator[AsyncIterator[str]]:
        """Open the feed and give its frames."""
        async with self.http.stream("GET", f"/chat/events?after={after}") as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            yield frames(answer)


async def frames(answer: httpx.Response) -> AsyncIterator[str]:
    """Yield a stream's frames."""
    text = ""
    async for piece in answer.aiter_text():
        text += piece
        *whole, text = text.split("\n\n")
        for frame in whole:
            yield frame


async def entries(stream: AsyncIterator[str], count: int) -> list[tuple[int, str]]:
    """Return the next entries of a stream, as number and text."""
    found: list[tuple[int, str]] = []
    async for frame in stream:
        if frame.startswith("id: "):
            number, data = frame.removeprefix("id: ").split("\ndata: ")
            found.append((int(number), json.loads(data)["text"]))
        if len(found) == count:
            break
    return found


@asynccontextmanager
async def arrived(site: ChatSite) -> AsyncIterator[Visitor]:
    """Give a visitor with a session."""
    async with httpx.AsyncClient(base_url=site.url, timeout=10) as http:
        answer = await http.post("/chat/session")
        assert answer.status_code == 201
        token, name = answer.json()["token"], answer.json()["visitor"]
        http.headers["authorization"] = f"Bearer {token}"
        yield Visitor(http=http, token=token, visitor=name)
