from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.assurance import BARRED_FOR, GUESSES_MAX, IDLE_FOR, LASTS_FOR, MAX_FAILURES, Act, Level
from bot.domain.customers import OrderNumber
from bot.domain.errors import DirectoryUnavailableError
from bot.store.conversations import StoredAssurances
from tests.fakes.connector import message
from tests.pipeline.rig import Rig, command, handoff, proof, turn


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
