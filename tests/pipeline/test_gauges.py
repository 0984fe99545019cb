from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, select, text

from bot import metrics
from bot.pipeline.gauges import Gauges
from bot.pipeline.worker import LEASE_FOR
from bot.store import gauging
from bot.store.database import Database
from bot.store.schema import inbox as inbox_table
from tests.fakes.connector import KILLED_AFTER, message
from tests.pipeline.rig import Rig, handoff


def _value(name: str, **labels: str) -> float | None:
    return metrics.REGISTRY.get_sample_value(name, labels)


async def test_the_oldest_message_that_waits_is_shown_until_it_is_answered(rig: Rig) -> None:
    """For each box and channel it is seen for how long somebody has waited, and nothing is shown when nobody does."""
    gauges = Gauges(rig.database)
    await gauges.measure(rig.clock.now())
    assert _value("tandem_oldest_seconds", box="inbox", channel="any") == 0
    await rig.bring(message(rig.connector, "ann", "in-1", "hello"))
    rig.clock.pass_(seconds=42)
    await gauges.measure(rig.clock.now())
    assert _value("tandem_oldest_seconds", box="inbox", channel="fake") == 42
    assert _value("tandem_rows", box="inbox", state="pending") == 1
    await rig.settle()
    await gauges.measure(rig.clock.now())
    assert _value("tandem_oldest_seconds", box="inbox", channel="fake") == 0
    assert _value("tandem_rows", box="inbox", state="pending") == 0


async def test_posts_of_the_desk_are_told_from_customers_messages(rig: Rig) -> None:
    """What waits for the desk has a figure of its own: a desk that hangs is not a channel that hangs."""
    rig.engine.by_text["help"] = handoff()
    await rig.bring(message(rig.connector, "ann", "in-1", "help"))
    await rig.converse_once()
    loads = await rig.database.read(gauging.look, rig.clock.now())
    assert set(loads["outbox"].oldest) == {"fake", gauging.DESK}


async def test_what_may_have_left_and_what_lost_its_worker_is_counted(rig: Rig) -> None:
    """A worker that dies in a call leaves a lease that ends, and then a row that may have been sent already."""
    rig.connector.script.append(KILLED_AFTER)
    await rig.bring(message(rig.connector, "ann", "in-1", "hello"))
    await rig.converse_once()
    await rig.deliver_once()
    assert (await rig.database.read(gauging.look, rig.clock.now()))["outbox"].lapsed_count == 0
    rig.clock.pass_(seconds=LEASE_FOR.total_seconds() + 1)
    assert (await rig.database.read(gauging.look, rig.clock.now()))["outbox"].lapsed_count == 1
    await rig.sweep()
    load = (await rig.database.read(gauging.look, rig.clock.now()))["outbox"]
    assert (load.lapsed_count, load.ambiguous_count) == (0, 1)


async def test_counting_costs_the_same_however_much_is_stored(database: Database, rig: Rig) -> None:
    """The databases read what waits and what was given up by indexes, and never all rows that there are."""
    await rig.bring(message(rig.connector, "ann", "in-1", "hello"))
    await database.write(_store_much)

    def plans(connection: Connection) -> list[str]:
        explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
        wanted = ("state = 'pending'", "state = 'claimed'", "state IN ('dead', 'held')")
        found = []
        for where in wanted:
            rows = connection.execute(text(f"{explain}SELECT count(*) FROM inbox WHERE {where}"))  # noqa: S608
            found.append(" ".join(str(row) for row in rows))
        return found

    for plan in await database.read(plans):
        assert "ix_inbox" in plan or "uq_inbox" in plan, plan
    now = rig.clock.now() + timedelta(seconds=5)
    assert (await database.read(gauging.look, now))["inbox"].counts == {
        "pending": 1,
        "claimed": 0,
        "dead": 0,
        "held": 0,
    }


def _store_much(connection: Connection) -> None:
    """Make thousands of rows that are done, after the likeness of the one that waits."""
    row = dict(connection.execute(select(inbox_table)).mappings().one())
    done = {name: value for name, value in row.items() if name != "id"} | {"state": "done"}
    connection.execute(inbox_table.insert(), [done | {"external_id": f"done-{number}"} for number in range(5000)])
    connection.execute(text("ANALYZE inbox"))
