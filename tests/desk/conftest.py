from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.desk.slack.app import SlackAccount, SlackDesk
from bot.desk.slack.envelope import Json
from bot.desk.slack.parts import Resources
from bot.domain.channels import ChannelAddress
from bot.store.macros import StoredMacros
from tests.desk.floor import Floor, open_floor
from tests.desk.serving import serve
from tests.fakes.media import MemoryMedia
from tests.fakes.slack import APP_TOKEN, BOT_TOKEN, SECRET, FakeSlack
from tests.fakes.slack_api import QUEUE
from tests.fakes.slack_rules import visible


@dataclass
class Inbox:
    """What was made durable, each event once."""

    rows: dict[str, tuple[ChannelAddress, Json]] = field(default_factory=dict)
    #: calls, repeats included
    count: int = 0
    #: calls that will fail
    failing: int = 0

    async def persist(self, external_id: str, address: ChannelAddress, raw: Json) -> bool:
        """Keep the event unless it is there; return whether it is new."""
        if self.failing:
            self.failing -= 1
            raise ConnectionError("the database is down")
        self.count += 1
        is_new = external_id not in self.rows
        self.rows.setdefault(external_id, (address, raw))
        return is_new

    def take(self) -> list[Json]:
        """Return the events that wait, as a worker claims them."""
        raws = [raw for _, raw in self.rows.values()]
        self.rows.clear()
        return raws


@dataclass
class Desk:
    """A desk on a fake workspace."""

    slack: FakeSlack
    acts: Floor
    media: MemoryMedia
    inbox: Inbox
    app: SlackDesk
    macros: StoredMacros

    async def work(self) -> None:
        """Handle what came in and post what has to go out."""
        for raw in self.inbox.take():
            await self.app.handle(raw)
        await self.acts.drain(self.app.poster)

    async def post_card(self) -> str:
        """Open a ticket, post what belongs to it and return its card's `ts`."""
        ticket_id = self.acts.open()
        await self.work()
        reference = self.acts.views[ticket_id].ticket.desk_reference
        assert reference is not None
        return reference.rpartition(":")[2]

    @property
    def told(self) -> list[tuple[str, str]]:
        """What single persons were told, but for offers to take something back: who, and what."""
        shown = [(message["user"], visible(message)) for message in self.slack.ephemerals]
        return [(user, text) for user, text in shown if not text.endswith("Undo")]

    async def reply(self, user: str, card: str, text: str) -> None:
        """Write a reply into the modal, look at what the customer will see, and send it."""
        await self.slack.click(user, card, "tandem_reply")
        await self.slack.submit(user, self.slack.views[-1], text)
        await self.slack.submit(user, self.slack.views[-1])


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    """Return a workspace that listens on the loopback."""
    async with FakeSlack() as fake:
        yield fake


@pytest.fixture
async def floor(migrated_sqlite: Path, tmp_path: Path) -> AsyncIterator[Floor]:
    """Return the desk behind every surface, with no ticket yet."""
    async with open_floor(migrated_sqlite, tmp_path) as opened:
        yield opened


@pytest.fixture
async def desk(slack: FakeSlack, floor: Floor) -> AsyncIterator[Desk]:
    """Return a desk connected to the workspace over HTTP."""
    media, inbox = MemoryMedia(), Inbox()
    account = SlackAccount(
        bot_token=BOT_TOKEN, channel=QUEUE, signing_secret=SECRET, app_token=APP_TOKEN, base_url=slack.base_url
    )
    macros = StoredMacros(floor.database, floor.clock)
    app = SlackDesk(account, floor, media, inbox.persist, Resources(macros=macros, now=lambda: floor.clock.moment))
    async with serve(app.blueprint()) as url:
        slack.events_url = f"{url}/slack/events"
        yield Desk(slack, floor, media, inbox, app, macros)
