"""Public messages against the real engine: what is said to everybody, and what is left to people."""

from __future__ import annotations

import random
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import Connection, select

from actions.server import ActionServer, build_actions
from bot.domain.channels import ChannelAddress, ChannelName
from bot.domain.connectors import ConnectorRegistry
from bot.domain.doorways import doorways
from bot.domain.public import PublicRules
from bot.domain.rules import Rules
from bot.domain.triage import Treatment
from bot.pipeline.background import Background
from bot.pipeline.converse import ConverseParts, Conversing
from bot.pipeline.deliver import Delivering, DeliverParts
from bot.pipeline.receive import Receiver
from bot.public_texts import SAMPLE_TEXTS, load
from bot.store import conversations, inbox, outbox
from bot.store.conversations import StoredAssurances
from bot.store.customer_mapping import load_mapping
from bot.store.customers.directory import SqlCustomerDirectory
from bot.store.database import Database, open_engine
from bot.store.hints import Hint
from bot.store.media import StoredMedia
from bot.store.sample_shop.shop import open_sample_shop
from bot.store.schema import triages
from tests.dialogue.conftest import NOW, PROJECT
from tests.dialogue.people import TODAY, people
from tests.dialogue.pipeline_driver import InProcessEngine
from tests.dialogue.world import BreakableDirectory, LocalActions, TableClock
from tests.fakes.connector import FakeConnector, message

MESSAGES = yaml.safe_load((Path(__file__).parent / "public_messages.yml").read_text(encoding="utf-8"))
#: Of a hundred messages, so many at least get exactly what they are to get.
RIGHT_MIN = 0.9
_LEASE_FOR = timedelta(minutes=1)
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning"),
]


@dataclass(frozen=True, kw_only=True)
class Sorted:
    """What came of a public message."""

    treatment: Treatment
    #: of the approved answer
    intent: str | None
    #: what everybody reads then
    shown: tuple[str, ...]


class Square:
    """A public channel beside a private one, over the real engine and the sample brand's own texts."""

    def __init__(self, database: Database, engine: InProcessEngine, directory: Any, folder: Path) -> None:
        """Connect both."""
        self.public = FakeConnector(channel=ChannelName("fake-comments"), is_public=True, text_max=1000)
        self.private = FakeConnector(invites_at="https://fake.example/?", text_max=1000)
        self._database = database
        self._clock = TableClock(NOW)
        self._numbers = count(1)
        registry = ConnectorRegistry(connectors=(self.private, self.public))
        public = PublicRules(
            doorways=doorways(registry.connectors), texts=load(PROJECT / SAMPLE_TEXTS), names=("Copperleaf",)
        )
        shared: Any = {
            "database": database,
            "clock": self._clock,
            "connectors": registry,
            "desk": None,
            "rules": replace(Rules(), public=public),
            "dice": random.Random(1),
        }
        media = StoredMedia(database, self._clock, folder)
        self._conversing = Conversing(
            ConverseParts(engine=engine, directory=directory, media=media, background=Background(), **shared)
        )
        self._delivering = Delivering(DeliverParts(commands=None, poster=None, **shared))  # type: ignore[arg-type]
        self._receiver = Receiver(database, self._clock, Hint())

    async def write(self, channel: FakeConnector, text: str, customer: str, **more: Any) -> None:
        """Let somebody write, and see it through."""
        wrote = message(channel, customer, f"in-{next(self._numbers)}", text, **more)
        await self._receiver.receive(channel, channel.request([wrote]))
        while True:
            arrived = await self._database.write(inbox.claim, self._clock.now(), _LEASE_FOR, 8)
            for row in arrived:
                await self._conversing.converse(row)
            leaving = await self._database.write(outbox.claim, self._clock.now(), _LEASE_FOR, 8)
            for sending in leaving:
                await self._delivering.deliver(sending)
            if not arrived and not leaving:
                return

    async def comment(self, text: str, customer: str, *, is_to_us: bool = True) -> Sorted:
        """Write in public, and return what came of it."""
        await self.write(self.public, text, customer, is_to_us=is_to_us)
        row = await self._database.read(_sorted_at, self.public.address(customer))
        return Sorted(treatment=Treatment(row.treatment), intent=row.intent, shown=tuple(self.public.seen_by(customer)))


def _sorted_at(connection: Connection, address: ChannelAddress) -> Any:
    conversation = conversations.find_by_address(connection, address)
    assert conversation is not None
    return connection.execute(select(triages).where(triages.c.conversation_id == conversation.id)).one()


@pytest.fixture
async def square(
    engine: tuple[Any, LocalActions], shop_file: Path, migrated_sqlite: Path, tmp_path: Path
) -> AsyncIterator[Square]:
    """Return the square, empty."""
    own, kept = tmp_path / "shop.db", tmp_path / "tandem.db"
    shutil.copyfile(shop_file, own)
    shutil.copyfile(migrated_sqlite, kept)
    database = Database(open_engine(f"sqlite:///{kept}"))
    shop = await open_sample_shop(own, TODAY)
    directory: Any = BreakableDirectory(SqlCustomerDirectory(shop.url, load_mapping(None)))
    engine[1].server = ActionServer(build_actions(directory, StoredAssurances(database), TableClock(NOW)))
    yield Square(database, InProcessEngine(engine[0]), directory, tmp_path / "media")
    await database.close()
    await directory.close()
    await shop.close()


def _expected() -> Iterator[tuple[str, bool, Treatment, str | None]]:
    """Yield each message: its text, whether it speaks to us, what is to come of it, and what answers it."""
    for intent, texts in MESSAGES["answer"].items():
        yield from ((text, True, Treatment.ANSWER, intent) for text in texts)
    for kind in ("thank", "invite", "leave"):
        yield from ((text, True, Treatment(kind), None) for text in MESSAGES[kind])
    for kind, texts in MESSAGES["about_us"].items():
        yield from ((text, False, Treatment(kind), None) for text in texts)


async def test_public_messages_get_what_they_are_to_get(square: Square) -> None:
    """Nine of ten get exactly that; none gets a word that nobody approved, and no complaint and question is lost."""
    texts = load(PROJECT / SAMPLE_TEXTS)
    wrong, lost = [], []
    expected = list(_expected())
    for number, (text, is_to_us, treatment, intent) in enumerate(expected):
        found = await square.comment(text, f"post:{number}", is_to_us=is_to_us)
        assert all(texts.allows(said) for said in found.shown), (text, found)
        assert len(found.shown) <= 1, (text, found)
        if (found.treatment, found.intent) != (treatment, intent):
            wrong.append((text, found.treatment.value, found.intent, treatment.value))
        if treatment in {Treatment.INVITE, Treatment.TICKET} and found.treatment in {Treatment.LEAVE, Treatment.THANK}:
            lost.append((text, found.treatment.value))
    assert not lost
    assert len(wrong) <= (1 - RIGHT_MIN) * len(expected), wrong


async def test_from_a_public_question_to_a_private_answer(square: Square) -> None:
    """Who asks in public where their order is follows the link, proves it in private, and reads it there alone."""
    priya = people(TODAY)["priya"]
    await square.comment("@copperleaf where is my order?", "post:priya")
    (invitation,) = square.public.seen_by("post:priya")
    await square.write(square.private, "/start", "priya", referral=invitation.rpartition("?")[2])
    welcome, question = square.private.seen_by("priya")
    assert "where is my order?" in welcome
    assert "order number" in question
    await square.write(square.private, f"{priya['order']} {priya['postcode']}", "priya")
    assert any("Evri" in text for text in square.private.seen_by("priya"))
    assert square.public.seen_by("post:priya") == [invitation]


async def test_account_data_typed_in_public_tells_nobody_anything(square: Square) -> None:
    """Even a whole proof in a public message gets an invitation, and proves nothing."""
    priya = people(TODAY)["priya"]
    found = await square.comment(f"where is {priya['order']}? my postcode is {priya['postcode']}", "post:priya")
    assert found.treatment is Treatment.INVITE
    (said,) = found.shown
    assert priya["order"] not in said
