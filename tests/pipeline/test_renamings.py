"""Customers whom a channel comes to know by another id: one conversation, wherever they write from."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from bot.domain.acts import Claim, Reply
from bot.domain.assurance import Level
from bot.domain.customers import CustomerId
from bot.domain.messages import Author, Receipt, ReceiptKind, Renaming
from bot.store import conversations
from bot.store.schema import conversations as conversations_table
from tests.pipeline.rig import Rig, handoff


@pytest.fixture
def moving(rig: Rig) -> Rig:
    """A channel on which people change their ids."""
    rig.connector.has_renamings = True
    return rig


def renamed(rig: Rig, former: str, new: str) -> Renaming:
    """Return what the channel tells of somebody's new id."""
    return Renaming(address=rig.connector.address(new), external_id=f"{former}>{new}", former=former)


async def count(rig: Rig) -> int:
    """Return how many conversations there are."""
    found = await rig.database.read(lambda connection: connection.execute(select(conversations_table)).all())
    return len(found)


async def test_a_new_id_goes_on_where_the_old_one_was(moving: Rig) -> None:
    """What is written from a new id is in the same conversation, and is answered at the new id; a repeat is nothing."""
    await moving.writes("hello", "GB.1")
    for _ in range(2):
        await moving.bring(renamed(moving, "GB.1", "GB.2"))
    await moving.writes("it is me", "GB.2")
    assert await count(moving) == 1
    assert moving.seen("GB.1") == ["re: hello"]
    assert moving.seen("GB.2") == ["re: it is me"]
    lines = await moving.transcript("GB.1")
    assert [line.text for line in lines if line.author is Author.CUSTOMER] == ["hello", "it is me"]


async def test_a_new_id_proves_nothing(moving: Rig) -> None:
    """Whoever goes on under another id has to prove anew who they are."""
    await moving.writes("hello", "GB.1")
    conversation = await moving.conversation("GB.1")
    now = moving.clock.now()
    await moving.database.write(conversations.bind_customer, conversation.address, CustomerId("c1"), "order", now)
    assert (await moving.database.read(conversations.read_assurance, conversation.id)).level_at(now) > Level.L0
    await moving.bring(renamed(moving, "GB.1", "GB.2"))
    assert (await moving.database.read(conversations.read_assurance, conversation.id)).level_at(now) is Level.L0


async def test_ids_change_again(moving: Rig) -> None:
    """From change to change the conversation stays one, and its newest id is written to; reports find it by any."""
    await moving.writes("hello", "GB.1")
    await moving.bring(renamed(moving, "GB.1", "GB.2"))
    await moving.bring(renamed(moving, "GB.2", "GB.3"))
    await moving.writes("late, from the second", "GB.2")
    assert moving.seen("GB.3") == ["re: late, from the second"]
    (shown,) = [each for each in moving.connector.shown if each.customer == "GB.3"]
    report = Receipt(
        address=moving.connector.address("GB.3"),
        external_id="r1",
        of_external_id=shown.external_id,
        kind=ReceiptKind.READ,
    )
    await moving.bring(report)
    await moving.settle()
    line = (await moving.transcript("GB.1"))[-1]
    assert line.delivery == "read"
    assert await count(moving) == 1


async def test_a_number_gets_a_user_id(moving: Rig) -> None:
    """Somebody known by a number only is the same when they have a user id beside it, and is written to by that."""
    await moving.writes("hello", "353861")
    await moving.writes("me again", "GB.1", also=("353861",))
    assert await count(moving) == 1
    assert moving.seen("GB.1") == ["re: me again"]


async def test_two_conversations_of_one_customer(moving: Rig) -> None:
    """Who turns out to have written under both ids goes on where people have them, and else where they were."""
    moving.engine.by_text["a person"] = handoff("I'll ask.")
    await moving.writes("hello", "353861")
    await moving.writes("hi", "GB.1")
    await moving.writes("still me", "GB.1", also=("353861",))
    assert moving.seen("GB.1")[-1] == "re: still me"

    await moving.writes("a person", "353862")
    await moving.act(Claim(), customer="353862")
    await moving.writes("hi", "GB.2")
    await moving.writes("any news?", "GB.2", also=("353862",))
    await moving.act(Reply(text="Yes!"), customer="353862")
    await moving.settle()
    assert moving.seen("GB.2") == ["re: hi", "Yes!"]
    assert [line.text for line in await moving.transcript("353862")][-2:] == ["any news?", "Yes!"]


async def test_a_number_that_passed_to_somebody_else(moving: Rig) -> None:
    """Whoever gets another customer's old number is nobody's customer yet: user ids tell them apart."""
    await moving.writes("hello", "353861")
    await moving.writes("me again", "GB.1", also=("353861",))
    await moving.writes("who is this", "MX.7", also=("353861",))
    assert await count(moving) == 2
    assert moving.seen("MX.7") == ["re: who is this"]


async def test_what_nobody_knows_is_not_joined(moving: Rig) -> None:
    """A stranger's new id, and one from which somebody has written, join nothing."""
    await moving.bring(renamed(moving, "GB.8", "GB.9"))
    await moving.writes("hello", "GB.9")
    await moving.writes("hi", "GB.1")
    await moving.bring(renamed(moving, "GB.1", "GB.9"))
    await moving.writes("still me", "GB.9")
    assert await count(moving) == 2
    assert moving.seen("GB.9") == ["re: hello", "re: still me"]


async def test_other_channels_look_for_nobody(rig: Rig) -> None:
    """On a channel whose ids stay, another id is another person."""
    await rig.writes("hello", "a")
    await rig.bring(renamed(rig, "a", "b"))
    await rig.writes("hello", "b")
    assert await count(rig) == 2
