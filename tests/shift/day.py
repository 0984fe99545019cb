"""One day at the desk: all of Tandem as the program builds it, and a clock that a story may hurry on."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
from slack_sdk.web.async_client import AsyncWebClient

from bot import parts as composition
from bot.clock import SystemClock
from bot.opening import open_database, open_records
from bot.parts import Parts, Role
from bot.pipeline import worker
from bot.service import Service
from bot.settings import Settings, load
from bot.store import clocks, gauging, lanes
from bot.store.shared_clock import SharedClock
from simulator.telegram import FakeTelegram
from simulator.telegram_server import running as running_telegram
from tests.fakes.slack import APP_TOKEN, SECRET
from tests.fakes.slack_rules import nodes, visible
from tests.peers.npm import running as running_peer
from tests.ports import free_port
from tests.shift.front import Front
from tests.shift.people import OnTelegram, OnTheSite, Person

Json = dict[str, Any]
GROUP = "S0AGENTS"
#: Seconds for something to happen on a busy machine.
SOON = 40.0
_SETTINGS = """
[desk]
leads = ["{lead}"]

[[teams]]
name = "returns"
slack_channel = "{returns}"
topics = ["nothing comes here by itself"]

[[teams]]
name = "care"

[[promises]]
name = "everybody"
first_response = "1h"
resolution = "2d"
"""


class StoryClock(SharedClock):
    """The service's clock, which a story may hurry on."""

    ahead = timedelta()

    def now(self) -> datetime:
        """Return the moment in the story."""
        return super().now() + self.ahead


@dataclass(kw_only=True)
class Day:
    """A shift: the program, Slack, and everybody who takes part."""

    parts: Parts
    clock: StoryClock
    front: Front
    telegram: FakeTelegram
    alice: Person
    bob: Person
    carol: Person
    #: a colleague who is no agent
    mallory: Person
    hannah: OnTelegram
    tom: OnTheSite
    care: str
    returns: str
    #: messages that could not be delivered, as the story wanted
    undelivered: int = 0
    #: what happened so far, a line for each step
    story: list[str] = field(default_factory=list)

    def step(self, line: str) -> None:
        """Begin the next step; whoever reads a failure finds the story above it."""
        self.story.append(line)
        sys.stdout.write(f"{len(self.story):3}. {line}\n")

    async def settles(self) -> None:
        """Let everything come to an end that was begun, as fast as the limits of the channels let it."""
        async with asyncio.timeout(SOON):
            while not await self._is_quiet():
                self.hurry(0.5)
                await asyncio.sleep(0.02)

    async def passes(self, **time: float) -> None:
        """Let so many `seconds`, `minutes`, `hours` pass, and what comes of it happen."""
        self.clock.ahead += timedelta(**time)
        # Two looks of the worker's at what is due, and more where it is busy.
        await asyncio.sleep(3 * worker.SWEEP_EVERY)
        async with asyncio.timeout(SOON):
            while await self.parts.database.read(clocks.due, self.clock.now(), 1):  # noqa: ASYNC110 - the worker tells nobody
                await asyncio.sleep(0.02)
        await self.settles()

    async def offered(self, person: Person, said: str) -> None:
        """Wait until somebody may take back what is said so; the clock is not hurried on meanwhile."""
        async with asyncio.timeout(SOON):
            await _until(lambda: bool(person.told and said in person.told[-1] and person.told[-1].endswith("Undo")))

    def hurry(self, seconds: float) -> None:
        """Hurry the clock on, and look at once at what is ready then."""
        self.clock.ahead += timedelta(seconds=seconds)
        for hint in (self.parts.hints.inbox, self.parts.hints.outbox, self.parts.hints.desk):
            hint.give()

    async def _is_quiet(self) -> bool:
        if self.telegram.waiting():
            return False
        await self.parts.background.idle()
        loads = await self.parts.database.read(gauging.look, self.parts.clock.now())
        counts = [load.counts for load in loads.values()]
        assert sum(count["dead"] for count in counts) <= self.undelivered, counts
        return not any(count[state] for count in counts for state in lanes.OPEN)

    # ---- what Slack shows

    async def card(self, number: int, channel: str = "") -> Json:
        """Return a ticket's card; raises `AssertionError` when there is none in the channel, or two."""
        posts = await self.front.look(channel or self.care)
        found = [post for post in posts if visible(post).startswith(f"#{number} ·")]
        assert len(found) == 1, [visible(post) for post in posts]
        return found[0]

    async def card_says(self, number: int, *words: str, channel: str = "") -> Json:
        """Return a ticket's card once it is known to say all these words."""
        card = await self.card(number, channel)
        shown = visible(card) + _marked(card)
        assert all(word in shown for word in words), (words, shown)
        return card

    async def thread(self, card: Json) -> list[Json]:
        """Return what stands below a card."""
        return [post for post in await self.front.look(card["channel"], card["ts"]) if post["ts"] != card["ts"]]

    async def below(self, card: Json, words: str) -> Json:
        """Return the one post below a card that says the words; raises `AssertionError` otherwise."""
        posts = await self.thread(card)
        found = [post for post in posts if words in visible(post)]
        assert len(found) == 1, (words, [visible(post) for post in posts])
        return found[0]

    async def signs(self, card: Json, ts: str) -> set[str]:
        """Return the names of the reactions on a message of a thread."""
        post = next(post for post in await self.thread(card) if post["ts"] == ts)
        return {reaction["name"] for reaction in post.get("reactions", ())}


def _marked(post: Json) -> str:
    """Return what stands in the elements that Slack reads mark-up in."""
    return " ".join(node["text"] for node in nodes(post.get("blocks")) if node.get("type") == "mrkdwn")


@asynccontextmanager
async def open_day(folder: Path, model: Path, *, is_socket: bool) -> AsyncIterator[Day]:
    """Run Tandem with its desk in the emulator, Telegram and the web chat, until the shift is over."""
    async with AsyncExitStack() as stack:
        telegram = await stack.enter_async_context(running_telegram(FakeTelegram()))
        front = await stack.enter_async_context(Front())
        events = f"{front.url}/api/events"
        front.emulator = await stack.enter_async_context(running_peer("slack", "server.mjs", events))
        cast = await _cast(front)
        settings = _settings(folder, front, telegram, cast, is_socket=is_socket)
        stack.enter_context(patch.object(worker, "SWEEP_EVERY", 0.2))
        stack.enter_context(patch.object(worker, "LOOK_EVERY", 0.1))
        database = await stack.enter_async_context(open_database(settings))
        clock = StoryClock(database, SystemClock())
        stack.enter_context(patch.object(composition, "SharedClock", lambda *_: clock))
        brand = await stack.enter_async_context(open_records(settings, clock))
        parts = Parts(settings, Role.WEB | Role.WORKER, database, brand)
        await stack.enter_async_context(Service(parts).serving(model))
        url = f"http://127.0.0.1:{settings.service.port}"
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=url))
        await _open(parts, front, telegram, url, is_socket=is_socket)
        hannah = OnTelegram(phone=telegram.customer(1, "Hannah", "Lewis"))
        given: dict[str, Any] = {"parts": parts, "clock": clock, "front": front, "telegram": telegram, **cast}
        yield Day(**given, hannah=hannah, tom=OnTheSite(http=http))


async def _cast(front: Front) -> dict[str, Any]:
    """Return the people and channels of the workspace."""

    def client(token: str) -> AsyncWebClient:
        return AsyncWebClient(token, base_url=f"{front.emulator}/api/")

    bot = client("xoxb-desk")
    front.team = str((await bot.auth_test())["team_id"])
    care = next(entry["id"] for entry in (await bot.conversations_list())["channels"] if entry["name"] == "care")
    returns = str((await bot.conversations_create(name="returns"))["channel"]["id"])
    await bot.conversations_join(channel=care)
    people: dict[str, Any] = {}
    for name in ("alice", "bob", "carol", "mallory"):
        own = client(f"xoxp-{name}")
        await own.users_profile_set(profile={"display_name": name.capitalize()})
        people[name] = Person(front=front, client=own, user=str((await own.auth_test())["user_id"]))
        for channel in (care, returns):
            await own.conversations_join(channel=channel)
    front.groups[GROUP] = [people[name].user for name in ("alice", "bob", "carol")]
    return {**people, "care": care, "returns": returns}


def _settings(folder: Path, front: Front, telegram: FakeTelegram, cast: dict[str, Any], *, is_socket: bool) -> Settings:
    file = folder / "tandem.toml"
    file.write_text(_SETTINGS.format(lead=cast["carol"].user, returns=cast["returns"]), encoding="utf-8")
    way = (
        {"TANDEM_SLACK__APP_TOKEN": APP_TOKEN}
        if is_socket
        else {
            "TANDEM_SLACK__SIGNING_SECRET": SECRET,
            "TANDEM_SERVICE__PUBLIC_URL": "https://care.example.com",
            "TANDEM_TELEGRAM__WEBHOOK_SECRET": "a-secret-of-Telegram_7",
        }
    )
    return load(
        {
            "TANDEM_SERVICE__STATE_DIR": str(folder),
            "TANDEM_SERVICE__PORT": str(free_port()),
            "TANDEM_SERVICE__INTERNAL_PORT": str(free_port()),
            "TANDEM_TELEGRAM__TOKEN": telegram.token,
            "TANDEM_TELEGRAM__BASE_URL": telegram.url,
            "TANDEM_SLACK__BOT_TOKEN": "xoxb-desk",
            "TANDEM_SLACK__CHANNEL": cast["care"],
            "TANDEM_SLACK__USER_GROUP": GROUP,
            "TANDEM_SLACK__BASE_URL": front.base_url,
            **way,
        },
        file,
    )


async def _open(parts: Parts, front: Front, telegram: FakeTelegram, url: str, *, is_socket: bool) -> None:
    """Wait until everybody can be heard."""
    async with asyncio.timeout(SOON):
        await parts.engine.wait_until_ready()
        if is_socket:
            await front.connections.get()
        else:
            front.events_url = f"{url}/slack/events"
            await _until(lambda: telegram.webhook is not None)
            assert telegram.webhook is not None
            # The address that the brand's proxy would pass on to us.
            telegram.webhook.url = f"{url}/webhooks/telegram/{telegram.me['id']}"


async def _until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110 - other processes do what is waited for
        await asyncio.sleep(0.02)
