from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import SQLAlchemyError

from bot.domain.acts import Claim, HandBack
from bot.domain.assurance import BARRED_FOR, GUESSES_MAX, IDLE_FOR, LASTS_FOR, MAX_FAILURES, Act, Level
from bot.domain.conversations import Owner
from bot.domain.customers import OrderNumber
from bot.domain.errors import DirectoryUnavailableError, EngineDiedError, EngineUnavailableError, TurnFailedError
from bot.domain.handoff import Reason
from bot.domain.ports import CommandResult
from bot.domain.retry import CRASHES_MAX
from bot.pipeline import phrases
from bot.pipeline.worker import LEASE_FOR
from bot.store import inbox
from bot.store.conversations import StoredAssurances
from bot.store.schema import timers
from bot.store.schema import turns as turns_table
from tests.fakes.connector import ProcessKilledError, message
from tests.pipeline.rig import SAM, Rig, command, handoff, proof, reminder, turn


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


class TestProofs:
    """Who somebody is, is what the brand's records say."""

    async def _assurance(self, rig: Rig) -> tuple[str | None, Level]:
        held = await StoredAssurances(rig.database).assurance((await rig.conversation()).id)
        return held.customer_id, held.level_at(rig.clock.now())

    async def test_a_proof_that_fits_binds_the_customer(self, rig: Rig) -> None:
        """Order number and postcode of the same order make the writer known, and the desk shows the record."""
        member = rig.member()
        rig.engine.by_text["me"] = turn("Thanks.", proofs=(proof(member.order_number, member.postcode.lower()),))
        rig.engine.by_text["person"] = handoff()
        await rig.writes("me")
        assert await self._assurance(rig) == (member.customer_id, Level.L1)
        await rig.writes("person")
        record = (await rig.view()).record
        assert record is not None
        assert record.customer.name == member.name

    @pytest.mark.parametrize("given", ["", "SW1A 1AA", "BS6 5TB"])
    async def test_a_forged_proof_binds_nobody(self, rig: Rig, given: str) -> None:
        """A turn that says a proof succeeded is not believed: the records are asked, and count it as failed."""
        number = rig.member(4).order_number
        rig.engine.by_text["me"] = turn("Thanks.", proofs=(proof(number, given),))
        await rig.writes("me")
        assert await self._assurance(rig) == (None, Level.L0)
        held = await StoredAssurances(rig.database).assurance((await rig.conversation()).id)
        assert held.failure_count == 1

    async def test_nobody_is_bound_while_the_records_cannot_be_read(self, rig: Rig) -> None:
        """Without records a proof neither binds nor counts as failed."""
        member = rig.member()
        rig.engine.by_text["me"] = turn("Thanks.", proofs=(proof(member.order_number, member.postcode),))

        async def unavailable(_number: OrderNumber, _proof: str) -> None:
            raise DirectoryUnavailableError

        rig.directory.find_order = unavailable  # type: ignore[method-assign, assignment]
        await rig.writes("me")
        held = await StoredAssurances(rig.database).assurance((await rig.conversation()).id)
        assert (held.customer_id, held.failure_count) == (None, 0)

    async def test_guessing_is_barred(self, rig: Rig) -> None:
        """After five failed proofs even a right one is not believed, until an hour has passed."""
        member = rig.member()
        rig.engine.by_text["guess"] = turn("No.", proofs=(proof(member.order_number, "AB1 2CD", succeeded=False),))
        rig.engine.by_text["me"] = turn("Thanks.", proofs=(proof(member.order_number, member.postcode),))
        for _ in range(MAX_FAILURES):
            await rig.writes("guess")
        held = await StoredAssurances(rig.database).assurance((await rig.conversation()).id)
        assert held.is_barred_at(rig.clock.now())
        await rig.writes("me")
        assert await self._assurance(rig) == (None, Level.L0)
        rig.clock.pass_(seconds=(BARRED_FOR + timedelta(seconds=1)).total_seconds())
        await rig.writes("me")
        assert await self._assurance(rig) == (member.customer_id, Level.L1)
        held = await StoredAssurances(rig.database).assurance((await rig.conversation()).id)
        assert held.failure_count == 0

    async def test_guessing_from_ever_new_conversations_is_barred(self, rig: Rig) -> None:
        """An order, or a postcode, that too many proofs fail with is looked at for nobody, until an hour has passed."""
        member, other = rig.member(), rig.member(1)
        assurances = StoredAssurances(rig.database)
        tries = [proof(member.order_number, f"AB{n} 2CD", succeeded=False) for n in range(GUESSES_MAX)]
        tries += [proof(f"CL-90000{n}", other.postcode.lower(), succeeded=False) for n in range(GUESSES_MAX)]
        for n, attempt in enumerate(tries):
            rig.engine.by_text[f"guess {n}"] = turn("No.", proofs=(attempt,))
            await rig.writes(f"guess {n}", f"visitor-{n}")

        async def is_guessed_at(number: str, given: str) -> bool:
            return await assurances.is_guessed_at(OrderNumber(number), given, rig.clock.now())

        assert await is_guessed_at(member.order_number, member.postcode)
        assert await is_guessed_at(other.order_number, other.postcode)
        assert not await is_guessed_at(other.order_number, other.email)
        rig.clock.pass_(seconds=BARRED_FOR.total_seconds() + 1)
        assert not await is_guessed_at(member.order_number, member.postcode)

    async def test_a_silence_ends_the_assurance(self, rig: Rig) -> None:
        """Who comes back after a long silence has to prove anew who they are, also while they go on writing."""
        member = rig.member()
        rig.engine.by_text["me"] = turn("Thanks.", proofs=(proof(member.order_number, member.postcode),))
        await rig.writes("me")
        for _ in range(3):
            rig.clock.pass_(seconds=IDLE_FOR.total_seconds())
            await rig.writes("still here")
            assert (await self._assurance(rig))[1] is Level.L1
        rig.clock.pass_(seconds=IDLE_FOR.total_seconds() + 1)
        await rig.writes("somebody")
        assert (await self._assurance(rig))[1] is Level.L0
        rig.engine.by_text["cancel"] = turn("One moment.", commands=(command(member.order_number),))
        await rig.writes("cancel")
        assert "no such order of yours" in rig.seen()[-1]

    async def test_no_assurance_lasts_for_ever(self, rig: Rig) -> None:
        """Even somebody who writes all day proves anew who they are after half a day."""
        member = rig.member()
        rig.engine.by_text["me"] = turn("Thanks.", proofs=(proof(member.order_number, member.postcode),))
        await rig.writes("me")
        for _ in range(int(LASTS_FOR / IDLE_FOR) + 1):
            rig.clock.pass_(seconds=IDLE_FOR.total_seconds())
            await rig.bring(message(rig.connector, "ann", f"{rig.clock.now()}", "hm"))
        held = await StoredAssurances(rig.database).assurance((await rig.conversation()).id)
        assert not held.allows(Act.OWN_ORDERS, rig.clock.now())

    async def test_a_customer_is_known_only_where_they_proved_it(self, rig: Rig) -> None:
        """Another address knows nothing of the proof."""
        member = rig.member()
        rig.engine.by_text["me"] = turn("Thanks.", proofs=(proof(member.order_number, member.postcode),))
        await rig.writes("me")
        await rig.writes("hello", "eve")
        held = await StoredAssurances(rig.database).assurance((await rig.conversation("eve")).id)
        assert held.customer_id is None


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


async def test_personal_words_stay_out_of_database_errors(rig: Rig) -> None:
    """An error of the database does not carry what a customer wrote."""

    def break_off(connection: Connection) -> None:
        connection.execute(text("SELECT * FROM nowhere WHERE words = :words"), {"words": "my secret words"})

    with pytest.raises(SQLAlchemyError, match="nowhere") as caught:
        await rig.database.write(break_off)
    assert "my secret words" not in str(caught.value)
