"""What agents see of tickets, from the database."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.desk.words import customer_name
from bot.domain.assurance import Level
from bot.domain.customers import CustomerId
from bot.domain.rules import Rules, Team
from bot.domain.tickets import TeamName
from bot.store import conversations
from tests.pipeline.rig import Rig, handoff


@pytest.fixture
def rules() -> Rules:
    """Return one team that has a title."""
    return Rules(teams=(Team(name=TeamName("care"), title="Customer care"),))


@pytest.fixture
async def queued(rig: Rig) -> Rig:
    """Return the pipeline with Ann in the queue."""
    rig.engine.by_text["person please"] = handoff()
    await rig.writes("person please")
    return rig


async def test_lists_and_tickets_name_the_team_by_its_title(queued: Rig) -> None:
    """Wherever a ticket is shown, its team is called as people call it."""
    (waiting,), _ = await queued.desk.waiting(0, 5)
    (found,) = await queued.desk.find("1")
    assert {view.team_title for view in (waiting, found, await queued.view())} == {"Customer care"}


async def test_when_a_proof_was_made_is_known_after_it_lapsed(queued: Rig) -> None:
    """The level falls with time; when the customer proved it stays on the ticket."""
    proved_at = queued.clock.now()
    assert (await queued.view()).proved_at is None
    address = (await queued.conversation()).address
    await queued.database.write(conversations.bind_customer, address, CustomerId("1"), "order and postcode", proved_at)
    view = await queued.view()
    assert (view.level, view.proved_at) == (Level.L1, proved_at)
    queued.clock.moment += timedelta(days=1)
    view = await queued.view()
    assert (view.level, view.proved_at) == (Level.L0, proved_at)


async def test_a_visitor_without_a_name_is_found_by_what_they_are_called(queued: Rig) -> None:
    """The beginning of the conversation's id, which stands in for a name, finds its ticket and no other."""
    await queued.writes("person please", "bob")
    called = (await queued.conversation("bob")).id[:12]
    assert [view.ticket.number for view in await queued.desk.find(called.upper())] == [2]


async def test_a_list_carries_no_more_than_it_shows(queued: Rig) -> None:
    """Of a thousand tickets in a list only the last line of each is read; the ticket itself has everything."""
    await queued.writes("are you there?")
    (entry,) = await queued.desk.open_tickets()
    assert (entry.team_title, len(entry.transcript), entry.events) == ("Customer care", 1, ())
    assert len((await queued.view()).transcript) > 1


async def test_a_list_calls_those_who_proved_who_they_are_by_name(queued: Rig) -> None:
    """A visitor whom the channel gives no name has the one of their record, once they proved whose it is."""
    (entry,) = await queued.desk.open_tickets()
    assert entry.record is None
    member = queued.member()
    address, now = (await queued.conversation()).address, queued.clock.now()
    await queued.database.write(
        conversations.bind_customer, address, CustomerId(member.customer_id), "order and postcode", now
    )
    (entry,) = await queued.desk.open_tickets()
    assert customer_name(entry) == member.name
