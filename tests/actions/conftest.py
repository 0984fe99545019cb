from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.domain.assurance import Assurance
from bot.domain.conversations import ConversationId
from bot.domain.customers import OrderNumber
from bot.domain.ports import CustomerDirectory
from bot.store.customer_mapping import load_mapping
from bot.store.customers.directory import SqlCustomerDirectory
from bot.store.sample_shop.shop import open_sample_shop
from tests.dialogue.people import TODAY

NOW = datetime(2026, 11, 23, 10, 15, tzinfo=UTC)


@dataclass
class Held:
    """The assurance of every conversation."""

    assurance_held: Assurance = field(default_factory=Assurance)
    #: orders and proofs
    guessed: set[str] = field(default_factory=set)

    async def assurance(self, conversation_id: ConversationId) -> Assurance:
        """Return what is held."""
        del conversation_id
        return self.assurance_held

    async def is_guessed_at(self, number: OrderNumber, proof: str, now: datetime) -> bool:
        """Return whether a test says that they are guessed at."""
        del now
        return number in self.guessed or proof in self.guessed


@dataclass
class SetClock:
    """A clock that shows what it is set to."""

    at: datetime = NOW

    def now(self) -> datetime:
        """Return the moment it shows."""
        return self.at


@dataclass
class SampleSources:
    """The sample shop's records, an assurance that a test sets, and a clock."""

    directory: CustomerDirectory
    assurances: Held
    clock: SetClock


@pytest.fixture
async def sources(tmp_path: Path) -> AsyncIterator[SampleSources]:
    """Return the sources of actions over a new sample shop, with nobody known."""
    shop = await open_sample_shop(tmp_path / "shop.db", TODAY)
    directory = SqlCustomerDirectory(shop.url, load_mapping(None))
    yield SampleSources(directory=directory, assurances=Held(), clock=SetClock())
    await directory.close()
    await shop.close()
