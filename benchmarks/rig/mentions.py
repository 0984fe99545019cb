"""People who name the brand on X, where everybody reads it, and what they were answered there."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import itertools
import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from benchmarks.rig.serving import serving
from tests.fakes.x import CONSUMER_KEY, CONSUMER_SECRET, TOKEN, TOKEN_SECRET, FakeX, Json, RefusedError, Shown

#: What people say of a brand in trouble, with how often of a hundred: questions that all may read the answer to,
#: complaints, praise, and words that want nothing.
WORDS = (
    (35, "@copperleaf how much is delivery?"),
    (25, "@copperleaf what's your return policy?"),
    (15, "@copperleaf this is awful, my parcel has never arrived and nobody answers"),
    (15, "@copperleaf love the new blend, thank you!"),
    (10, "@copperleaf @jane_doe lol"),
)
_FIRST_AUTHOR = 5_000_000_000_000_000_000
#: Settings of Tandem's by which it comes to this X.
SETTINGS = {
    "TANDEM_X__CONSUMER_KEY": CONSUMER_KEY,
    "TANDEM_X__CONSUMER_SECRET": CONSUMER_SECRET,
    "TANDEM_X__ACCESS_TOKEN": TOKEN,
    "TANDEM_X__ACCESS_TOKEN_SECRET": TOKEN_SECRET,
}


@dataclass(kw_only=True)
class CrowdedX(FakeX):
    """An X that many people are on: what it looks up takes as long however much was said."""

    #: seconds of the monotonic clock at which each mention was written, and answered, by its id
    written_at: dict[str, float] = field(default_factory=dict)
    answered_at: dict[str, float] = field(default_factory=dict)
    #: mentions that Tandem said it has
    acknowledged: set[str] = field(default_factory=set)
    doubled: list[str] = field(default_factory=list)
    refused_count: int = 0
    webhook: str = ""

    def __post_init__(self) -> None:
        """Answer challenges by ourselves: the address that Tandem is known by is not on this machine."""
        super().__post_init__()
        self.door = _challenge
        self._dice = random.Random(1)  # noqa: S311 - chooses words
        self._authors = itertools.count(_FIRST_AUTHOR)

    async def write(self) -> None:
        """Let somebody new name us, and X tell us of it until we have it."""
        (text,) = self._dice.choices([text for _, text in WORDS], [share for share, _ in WORDS])
        event, author = self.mention(text), str(next(self._authors))
        event["payload"]["author_id"] = author
        post_id = str(event["payload"]["id"])
        self.written_at[post_id] = time.monotonic()
        body = json.dumps({"data": event}).encode()
        headers = {"x-twitter-webhooks-signature": _signature(body)}
        while True:
            try:
                async with self.session.post(self.webhook, data=body, headers=headers) as answer:
                    if answer.status == 200:
                        break
            except aiohttp.ClientError:
                pass
            self.refused_count += 1
            await asyncio.sleep(0.5)
        self.acknowledged.add(post_id)

    def _post(self, said: Json) -> Json:
        answers, text = str(said["reply"]["in_reply_to_tweet_id"]), str(said.get("text", ""))
        if answers not in self.summoning:
            raise RefusedError(403, "Reply to this conversation is not allowed because you have not been mentioned.")
        if answers in self.answered_at:
            self.doubled.append(answers)
        self.answered_at[answers] = time.monotonic()
        shown = Shown(id=self.new_id(), text=text, answers=answers)
        return {"data": {"id": shown.id, "text": text, "edit_history_tweet_ids": [shown.id]}}


def _signature(content: bytes) -> str:
    digest = hmac.new(CONSUMER_SECRET.encode(), content, hashlib.sha256).digest()
    return "sha256=" + base64.b64encode(digest).decode()


def _challenge(token: str) -> bytes:
    return json.dumps({"response_token": _signature(token.encode())}).encode()


@asynccontextmanager
async def crowded(port: int) -> AsyncIterator[CrowdedX]:
    """Serve an X for the Tandem at that port for as long as the context lasts."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as session:
        made = CrowdedX(session=session, clock=time.time)
        made.webhook = f"http://127.0.0.1:{port}/webhooks/x/{TOKEN.partition('-')[0]}"
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", made.handle)
        async with serving(app) as made.url:
            yield made
