from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from bot import metrics
from bot.domain.channels import AccountId
from bot.domain.connectors import Retry
from bot.pipeline.worker import LEASE_FOR
from bot.store.schema import outbox
from tests.fakes.connector import LOST_CALL, FakeConnector, message, refused
from tests.pipeline.rig import Rig

DOWN = refused(Retry(reason="502 Bad Gateway"))
SLOW_DOWN = refused(Retry(reason="429 Too Many Requests", after=timedelta(seconds=5)))
PEOPLE = [f"p{number}" for number in range(8)]


@pytest.fixture
def also() -> tuple[FakeConnector, ...]:
    """Connect a second account."""
    return (FakeConnector(account=AccountId("second")),)


async def everybody_writes(rig: Rig) -> None:
    """Let each of eight people have an answer that waits to be sent."""
    await rig.bring(*(message(rig.connector, each, f"{each}-1", "hello") for each in PEOPLE))
    while await rig.converse_once():
        pass


async def test_an_account_that_nothing_goes_through_to_is_left_alone(rig: Rig) -> None:
    """In an outage hardly a call is made, none counts against a message, and all arrive once when it is over."""
    await everybody_writes(rig)
    rig.connector.script.extend([DOWN] * 10_000)
    await rig.wait_out(minutes=20)
    # Three that open it, a few while pauses grow, and one in half a minute from then on.
    assert len(rig.connector.calls) <= 3 + 5 + 40
    rows = await rig.database.read(lambda connection: connection.execute(select(outbox.c.attempt_count)).all())
    assert max(row.attempt_count for row in rows) <= 1
    rig.connector.script.clear()
    await rig.wait_out(minutes=2)
    assert [rig.seen(each) for each in PEOPLE] == [["re: hello"]] * len(PEOPLE)


async def test_while_an_account_is_away_no_row_of_it_is_taken(rig: Rig, also: tuple[FakeConnector, ...]) -> None:
    """What waits for it costs nothing, and what goes elsewhere goes."""
    await everybody_writes(rig)
    rig.connector.script.extend([DOWN] * 100)
    await rig.deliver_once()
    assert metrics.REGISTRY.get_sample_value("tandem_breaker", {"what": "fake/brand"}) == 2
    assert list(rig.breakers.alarming()) == ["fake/brand"]
    call_count = len(rig.connector.calls)
    await rig.bring(message(also[0], "zoe", "zoe-1", "hello"))
    while await rig.converse_once():
        pass
    _, outgoing, _ = rig.worker._boxes()
    claimed = await rig.worker._claiming(outgoing).claim(rig.clock.now(), LEASE_FOR, 20)
    assert [row.address for row in claimed] == [str(also[0].address("zoe"))]
    assert len(rig.connector.calls) == call_count == 3


async def test_one_customer_whose_messages_fail_holds_up_nobody(rig: Rig) -> None:
    """What fails for one alone says nothing about the account: its own attempts are counted, as ever."""
    rig.connector.script.extend([DOWN] * 10)
    await rig.writes("hello", "ann")
    await rig.wait_out(minutes=1)
    rig.connector.script.clear()
    await rig.writes("hello", "bob")
    assert rig.seen("bob") == ["re: hello"]
    assert rig.breakers.alarming() == {}


async def test_a_channel_that_asks_us_to_slow_down_is_not_away(rig: Rig) -> None:
    """It answers: each message waits as long as it is asked to, and no other."""
    await everybody_writes(rig)
    rig.connector.script.extend([SLOW_DOWN] * 6)
    await rig.deliver_once()
    assert rig.breakers.alarming() == {}
    assert sum(len(rig.seen(each)) for each in PEOPLE) == 2


async def test_an_outage_leaves_few_messages_in_doubt(rig: Rig) -> None:
    """Where calls break off and repeats would be seen, each call made puts a message in doubt: so few are made."""
    await everybody_writes(rig)
    rig.connector.script.extend([LOST_CALL] * 1_000)
    await rig.settle()
    assert (await rig.outbox_states())["held"] == 3
    rig.connector.script.clear()
    await rig.wait_out(minutes=1)
    assert sum(rig.seen(each) == ["re: hello"] for each in PEOPLE) == len(PEOPLE) - 3
