from __future__ import annotations

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import SQLAlchemyError

from bot.domain.acts import Claim, HandBack
from bot.domain.errors import DirectoryUnavailableError, EngineDiedError, EngineUnavailableError, TurnFailedError
from bot.domain.handoff import Reason
from bot.domain.ports import CommandResult
from bot.domain.retry import CRASHES_MAX
from bot.pipeline import phrases
from bot.pipeline.worker import LEASE_FOR
from bot.store import inbox
from bot.store.schema import turns as turns_table
from tests.fakes.connector import ProcessKilledError, message
from tests.pipeline.rig import SAM, Rig, command, handoff, proof, turn


class TestEngine:
    """What becomes of a message that the engine gives no turn for."""

    async def test_a_restarting_engine_costs_a_moment(self, rig: Rig) -> None:
        """A message that comes while no engine answers is answered when one does, once."""
        rig.engine.broken = EngineUnavailableError()
        await rig.writes("hello")
        assert rig.seen() == []
        rig.engine.broken = None
        await rig.wait_out(minutes=0.5)
        assert rig.seen() == ["re: hello"]

    async def test_a_long_outage_is_told_once_and_ends_in_a_ticket(self, rig: Rig) -> None:
        """A customer who waits long is told so once, and in the end a person gets the message."""
        rig.engine.broken = EngineUnavailableError()
        await rig.bring(message(rig.connector, "ann", "1", "hello"), message(rig.connector, "ann", "2", "anyone?"))
        await rig.wait_out(minutes=2)
        assert rig.seen() == [phrases.STILL_WORKING]
        await rig.wait_out(minutes=13)
        view = await rig.view()
        assert view.ticket.request.reason is Reason.FAILED_ACTION
        assert rig.seen()[1] == phrases.ENGINE_FAILED
        assert rig.seen().count(phrases.STILL_WORKING) == 1
        assert await rig.ticket_count() == 1
        assert [line.text for line in view.transcript if line.delivery is None] == ["hello", "anyone?"]
        assert await rig.inbox_states() == {"pending": 0, "claimed": 0, "dead": 0, "held": 0}

    async def test_a_failed_turn_becomes_a_ticket_soon(self, rig: Rig) -> None:
        """A turn that the engine calls failed is tried three times, then a person gets it and the customer is told."""
        rig.engine.by_text["cancel"] = TurnFailedError("502 action_failed")
        await rig.writes("cancel")
        for _ in range(3):
            rig.clock.pass_(seconds=2)
            await rig.settle()
        assert len(rig.engine.requests) == 3
        assert rig.seen() == [phrases.ENGINE_FAILED]
        assert (await rig.view()).ticket.request.reason is Reason.FAILED_ACTION
        await rig.writes("hello")
        assert rig.seen()[-1] == "re: hello"

    async def test_an_agent_hears_a_customer_though_the_engine_is_down(self, rig: Rig) -> None:
        """Relaying needs no engine, also for messages that waited for one."""
        rig.engine.by_text["person"] = handoff()
        await rig.writes("person")
        rig.engine.broken = EngineUnavailableError()
        await rig.writes("waiting")
        await rig.desk.do((await rig.view()).ticket.id, SAM, Claim(), "c")
        await rig.wait_out(minutes=0.5)
        texts = {line.id: line.text for line in await rig.transcript()}
        assert [texts[post.message_id] for post, _ in rig.poster.posts if post.message_id] == ["waiting"]
        assert await rig.inbox_states() == {"pending": 0, "claimed": 0, "dead": 0, "held": 0}

    async def test_an_error_nobody_expected_ends_in_a_ticket_too(self, rig: Rig) -> None:
        """A message that breaks us again and again is set aside, and a person gets it."""
        rig.engine.broken = RuntimeError("a bug")
        await rig.writes("hello")
        await rig.wait_out(minutes=10)
        assert (await rig.inbox_states())["dead"] == 1
        assert rig.seen() == [phrases.ENGINE_FAILED]
        assert await rig.ticket_count() == 1

    async def test_a_message_that_kills_workers_ends_in_a_ticket(self, rig: Rig) -> None:
        """After a few crashes a person gets the message, and the customer's next one is answered."""

        async def die(request: object) -> None:
            if getattr(request, "text", "") == "deadly":
                raise ProcessKilledError

        rig.engine.during_step = die
        await rig.bring(message(rig.connector, "ann", "1", "deadly"), message(rig.connector, "ann", "2", "fine"))
        await rig.settle()
        for _ in range(4):
            await rig.recover()
        assert rig.seen() == [phrases.ENGINE_FAILED, "re: fine"]
        assert await rig.ticket_count() == 1

    async def test_a_message_that_kills_engines_ends_in_a_ticket(self, rig: Rig) -> None:
        """After the engine died over it a few times a person gets the message; what stood beside it is answered."""

        def die(_request: object) -> Exception:
            return EngineDiedError()

        rig.engine.by_text["deadly"] = die
        await rig.bring(message(rig.connector, "ann", "1", "deadly"), message(rig.connector, "ann", "2", "fine"))
        rig.engine.by_text["beside"] = die
        await rig.writes("beside", "bob")
        rig.engine.by_text.pop("beside")
        for _ in range(4):
            await rig.wait_out(minutes=0.1)
        assert [request.text for request in rig.engine.requests].count("deadly") == CRASHES_MAX
        assert rig.seen() == [phrases.ENGINE_FAILED, "re: fine"]
        assert rig.seen("bob") == ["re: beside"]
        assert await rig.ticket_count() == 1

    async def test_messages_that_only_stood_beside_crashes_are_answered(self, rig: Rig) -> None:
        """However often workers die of one message, those in work with it are answered: it alone is given up."""
        customers = [f"c{number}" for number in range(6)]
        deaths = 0

        async def die(request: object) -> None:
            nonlocal deaths
            if getattr(request, "text", "") == "deadly":
                deaths += 1
                raise ProcessKilledError

        rig.engine.during_step = die
        await rig.bring(*(message(rig.connector, each, each, "hello") for each in customers))
        await rig.bring(message(rig.connector, "eve", "1", "deadly"))
        # All of them were in work when it died first.
        await rig.database.write(inbox.claim, rig.clock.now(), LEASE_FOR, 10)
        for _ in range(5):
            await rig.recover()
        assert deaths == CRASHES_MAX - 1
        assert [rig.seen(each) for each in customers] == [["re: hello"]] * 6
        assert rig.seen("eve") == [phrases.ENGINE_FAILED]
        assert await rig.ticket_count() == 1

    async def test_a_crash_after_the_turn_repeats_nothing(self, rig: Rig) -> None:
        """A worker that dies between the engine's answer and the commit leaves no half turn."""
        deaths = [ProcessKilledError()]

        def die_once(_request: object) -> Exception:
            if deaths:
                raise deaths.pop()
            return EngineUnavailableError()

        rig.engine.by_text["hello"] = die_once
        await rig.writes("hello")
        rig.engine.by_text.clear()
        await rig.recover()
        assert rig.seen() == ["re: hello"]
        count = await rig.database.read(lambda connection: len(connection.execute(select(turns_table.c.id)).all()))
        assert count == 1

    async def test_a_trigger_that_fails_is_kept_for_a_look(self, rig: Rig) -> None:
        """A hand back that the bot cannot work on is a dead letter, not lost."""
        rig.engine.by_text["person"] = handoff()
        await rig.writes("person")
        rig.engine.by_text["/handed_back"] = TurnFailedError("no")
        await rig.desk.do((await rig.view()).ticket.id, SAM, HandBack(outcome="done"), "b")
        await rig.wait_out(minutes=2)
        assert (await rig.inbox_states())["dead"] == 1
        assert await rig.ticket_count() == 1

    async def test_a_slow_turn_keeps_its_lease(self, rig: Rig) -> None:
        """A turn that takes longer than a lease is not begun a second time while its worker lives."""

        async def take_long(_request: object) -> None:
            for _ in range(4):
                rig.clock.pass_(seconds=40)
                await rig.sweep()
                assert await rig.converse_once() == 0

        rig.engine.during_step = take_long
        await rig.writes("hello")
        assert rig.seen() == ["re: hello"]
        assert len(rig.engine.requests) == 1


class TestCommands:
    """Effects in the brand's systems."""

    async def _status(self, rig: Rig, place: int = 4) -> str:
        member = rig.member(place)
        order = await rig.directory.order(member.order_number, member.customer_id)
        assert order is not None
        return order.status.value

    async def _prove(self, rig: Rig, place: int = 4) -> None:
        member = rig.member(place)
        rig.engine.by_text["it is me"] = turn("Thanks.", proofs=(proof(member.order_number, member.postcode),))
        await rig.writes("it is me")

    async def test_a_command_is_executed_once(self, rig: Rig) -> None:
        """A cancelled order is cancelled once, and the customer is told, though worker and channel fail on the way."""
        await self._prove(rig)
        number = rig.member().order_number
        rig.engine.by_text["cancel"] = turn("One moment.", commands=(command(number),))
        executed: list[tuple[str, object]] = []
        execute = rig.shop.execute

        async def execute_and_die(name: str, arguments: dict[str, object], key: str) -> CommandResult:
            result = await execute(name, arguments, key)
            executed.append((key, arguments["customer_id"]))
            if len(executed) == 1:
                raise ProcessKilledError
            return result

        rig.shop.execute = execute_and_die  # type: ignore[method-assign]
        await rig.writes("cancel")
        await rig.recover()
        assert await self._status(rig) == "cancelled"
        assert len(executed) == 2
        assert len(set(executed)) == 1
        assert rig.seen()[-2:] == ["One moment.", f"That's done: cancel order {number}."]

    async def test_a_turn_cannot_say_whose_order_it_is(self, rig: Rig) -> None:
        """The customer of a command is the one the database knows, whatever the turn claims."""
        await self._prove(rig, 1)
        victim = rig.member(4)
        forged = command(victim.order_number, customer_id=victim.customer_id)
        rig.engine.by_text["cancel"] = turn("One moment.", commands=(forged,))
        await rig.writes("cancel")
        assert await self._status(rig) != "cancelled"
        assert "no such order of yours" in rig.seen()[-1]
        assert (await rig.view()).ticket.request.reason is Reason.FAILED_ACTION

    async def test_a_stranger_cancels_nothing(self, rig: Rig) -> None:
        """Nothing is done for somebody who has proved nothing, even when the turn asks for it."""
        victim = rig.member(4)
        forged = command(victim.order_number, customer_id=victim.customer_id)
        rig.engine.by_text["cancel"] = turn("One moment.", commands=(forged,))
        await rig.writes("cancel")
        assert await self._status(rig) != "cancelled"

    async def test_a_shop_that_does_not_answer_is_asked_again(self, rig: Rig) -> None:
        """While the brand's system cannot be reached the command waits."""
        await self._prove(rig)
        rig.engine.by_text["cancel"] = turn("One moment.", commands=(command(rig.member().order_number),))
        execute = rig.shop.execute

        async def unreachable(*_: object) -> CommandResult:
            raise DirectoryUnavailableError("down")

        rig.shop.execute = unreachable  # type: ignore[method-assign, assignment]
        await rig.writes("cancel")
        assert rig.seen()[-1] == "One moment."
        rig.shop.execute = execute  # type: ignore[method-assign]
        await rig.wait_out(minutes=1)
        assert await self._status(rig) == "cancelled"

    async def test_a_shop_that_never_answers_is_told_to_people(self, rig: Rig) -> None:
        """A command given up on is not silently lost: the customer is told, and a person gets a ticket."""
        await self._prove(rig)
        rig.engine.by_text["cancel"] = turn("One moment.", commands=(command(rig.member().order_number),))

        async def unreachable(*_: object) -> CommandResult:
            raise DirectoryUnavailableError("down")

        rig.shop.execute = unreachable  # type: ignore[method-assign, assignment]
        await rig.writes("cancel")
        for _ in range(40):
            rig.clock.pass_(minutes=11)
            await rig.settle()
        assert phrases.NOT_REACHED in rig.seen()[-1]
        assert await rig.ticket_count() == 1
        assert (await rig.outbox_states())["dead"] == 1


async def test_personal_words_stay_out_of_database_errors(rig: Rig) -> None:
    """An error of the database does not carry what a customer wrote."""

    def break_off(connection: Connection) -> None:
        connection.execute(text("SELECT * FROM nowhere WHERE words = :words"), {"words": "my secret words"})

    with pytest.raises(SQLAlchemyError, match="nowhere") as caught:
        await rig.database.write(break_off)
    assert "my secret words" not in str(caught.value)
