from __future__ import annotations

import asyncio
from datetime import timedelta

from sqlalchemy import Connection, select

from bot.domain.conversations import Owner
from bot.store.schema import timers
from tests.pipeline.rig import Rig, handoff, reminder, turn


class TestTimers:
    """Intents that are triggered later."""

    async def test_a_timer_fires_once(self, rig: Rig) -> None:
        """At its moment a timer becomes one turn, however many sweeps look."""
        at = rig.clock.now() + timedelta(minutes=5)
        rig.engine.by_text["later"] = turn("ok", reminders=(reminder("check", at, "follow_up"),))
        await rig.writes("later")
        await rig.wait_out(minutes=4)
        assert rig.seen() == ["ok"]
        rig.clock.pass_(minutes=2)
        await asyncio.gather(*(rig.sweep() for _ in range(5)))
        await rig.settle()
        assert rig.seen() == ["ok", "re: /follow_up"]
        meaning = rig.engine.requests[-1].meaning
        assert meaning is not None
        assert meaning.entities == {"a": "b"}

    async def test_every_timer_fires(self, rig: Rig) -> None:
        """A timer set after another one fired fires too."""
        for n in range(3):
            at = rig.clock.now() + timedelta(minutes=1)
            rig.engine.by_text["later"] = turn("ok", reminders=(reminder("check", at, f"follow_up_{n}"),))
            await rig.writes("later")
            await rig.wait_out(minutes=2)
        assert [said for said in rig.seen() if said != "ok"] == [f"re: /follow_up_{n}" for n in range(3)]

    async def test_a_timer_is_replaced_and_dropped(self, rig: Rig) -> None:
        """A second timer of the same name takes the first one's place; dropping one, or all, silences them."""
        at = rig.clock.now() + timedelta(minutes=1)
        for words, reminders in {
            "first": (reminder("a", at, "old"), reminder("b", at, "b"), reminder("c", at, "c")),
            "second": (reminder("a", at, "new"), reminder("b", None)),
        }.items():
            rig.engine.by_text[words] = turn("ok", reminders=reminders)
            await rig.writes(words)
        await rig.wait_out(minutes=2)
        assert sorted(rig.seen()) == ["ok", "ok", "re: /c", "re: /new"]
        rig.engine.by_text["third"] = turn("ok", reminders=(reminder("a", rig.clock.now(), "x"), reminder(None, None)))
        await rig.writes("third")
        await rig.wait_out(minutes=1)
        assert "re: /x" not in rig.seen()

    async def test_a_timer_leaves_an_agent_alone(self, rig: Rig) -> None:
        """A timer that fires while people have the conversation says nothing."""
        at = rig.clock.now() + timedelta(minutes=1)
        rig.engine.by_text["person"] = handoff(reminders=(reminder("a", at, "follow_up"),))
        await rig.writes("person")
        await rig.wait_out(minutes=2)
        assert "re: /follow_up" not in rig.seen()
        assert (await rig.conversation()).owner is Owner.QUEUE

    async def test_a_timer_of_nobody_harms_no_other(self, rig: Rig) -> None:
        """A timer whose conversation is gone is dropped, and the others fire."""
        at = rig.clock.now()
        rig.engine.by_text["later"] = turn("ok", reminders=(reminder("a", at, "follow_up"),))
        await rig.writes("later")

        def orphan(connection: Connection) -> None:
            row = connection.execute(select(timers)).mappings().one()
            connection.execute(timers.insert().values({**row, "id": row["id"] + 1, "conversation_id": "gone"}))

        await rig.database.write(orphan)
        await rig.wait_out(minutes=0.5)
        assert rig.seen() == ["ok", "re: /follow_up"]
