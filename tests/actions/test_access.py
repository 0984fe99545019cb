from __future__ import annotations

from datetime import timedelta
from itertools import product

import pytest

from actions.access import ORDER_FORM, Access, Barred, Granted, NeedsPerson, NeedsProof, access
from bot.domain.assurance import BARRED_FOR, IDLE_FOR, MAX_FAILURES, Act, Assurance, Level
from bot.domain.customers import CustomerId
from bot.store.sample_shop.cast import cast
from tests.actions.calls import NOW, turn
from tests.actions.conftest import SampleSources

PRIYA, TOM = cast()[0], cast()[1]
KNOWN = Assurance(customer_id=PRIYA.customer_id, level=Level.L1, proved_at=NOW, last_seen_at=NOW)


async def asked(sources: SampleSources, **facts: object) -> Access:
    """Return whether the orders of whoever writes may be spoken of."""
    return await access(sources, turn(**facts), Act.OWN_ORDERS)


def claims(number: str, proof: str) -> dict[str, dict[str, object]]:
    """Return a message that names an order together with a proof."""
    kind = "email" if "@" in proof else "postcode"
    return {
        "slots": {"order_number": number, "proof": proof},
        "entities": {"order_number": (number,), kind: (proof,)},
    }


@pytest.mark.parametrize("proof", [PRIYA.postcode, PRIYA.email, "bs65tb", "PRIYA.SHAH@EXAMPLE.COM"])
async def test_number_and_proof_in_the_message_are_enough(sources: SampleSources, proof: str) -> None:
    """The records confirm an order number with its postcode or e-mail, however they are typed."""
    verdict = await asked(sources, **claims(PRIYA.order_number, proof))
    assert isinstance(verdict, Granted)
    assert verdict.customer_id == PRIYA.customer_id
    assert verdict.verify is not None
    assert verdict.verify.succeeded


async def test_slots_alone_grant_nothing(sources: SampleSources) -> None:
    """Whatever slots hold, right values included, nothing is granted for a message that proves nothing."""
    names = ("order_number", "proof", "which_order", "chosen_order", "proved_in", "level", "customer_id", "verified")
    values = (PRIYA.order_number, PRIYA.postcode, PRIYA.customer_id, True, "L3", "m0")
    for name, value in product(names, values):
        slots = {"order_number": PRIYA.order_number, "proof": PRIYA.postcode, name: value}
        assert await asked(sources, slots=slots) == NeedsProof()


async def test_a_proof_counts_for_all_of_its_message_and_no_longer(sources: SampleSources) -> None:
    """A second question in the same message may use the proof; the next message may not."""
    slots = {"order_number": PRIYA.order_number, "proof": PRIYA.postcode, "proved_in": "m1"}
    assert isinstance(await asked(sources, slots=slots), Granted)
    assert await asked(sources, slots=slots, message_id="m2") == NeedsProof()


async def test_what_the_form_just_took_down_counts(sources: SampleSources) -> None:
    """Number and proof may come in two messages, one after the other, by way of the form that asks for them."""
    slots = {"order_number": PRIYA.order_number, "proof": PRIYA.postcode}
    assert isinstance(await asked(sources, slots=slots, actions=("action_listen", ORDER_FORM)), Granted)


@pytest.mark.parametrize(
    ("number", "proof"),
    [
        (PRIYA.order_number, TOM.postcode),
        (TOM.order_number, PRIYA.email),
        ("CL-000000", PRIYA.postcode),
    ],
)
async def test_a_proof_that_does_not_fit_is_told_to_the_pipeline(
    sources: SampleSources, number: str, proof: str
) -> None:
    """A wrong proof grants nothing and is reported as failed."""
    verdict = await asked(sources, **claims(number, proof))
    assert isinstance(verdict, NeedsProof)
    assert verdict.failed is not None
    assert verdict.failed.to_payload() == {"order_number": number, "proof": proof, "succeeded": False}


async def test_the_last_failure_allowed_bars(sources: SampleSources) -> None:
    """With the fifth proof that does not fit the bot stops looking."""
    sources.assurances.assurance_held = Assurance(failure_count=MAX_FAILURES - 1, failed_at=NOW)
    verdict = await asked(sources, **claims(PRIYA.order_number, TOM.postcode))
    assert isinstance(verdict, Barred)
    assert verdict.failed is not None


async def test_while_barred_a_right_proof_is_not_looked_at(sources: SampleSources) -> None:
    """After too many failures even the right proof has to wait."""
    sources.assurances.assurance_held = Assurance(failure_count=MAX_FAILURES, failed_at=NOW)
    assert await asked(sources, **claims(PRIYA.order_number, PRIYA.postcode)) == Barred()
    later = NOW + BARRED_FOR
    assert isinstance(await asked(sources, now=later, **claims(PRIYA.order_number, PRIYA.postcode)), Granted)


@pytest.mark.parametrize("guessed", [PRIYA.order_number, PRIYA.postcode])
async def test_what_is_guessed_at_is_not_looked_at(sources: SampleSources, guessed: str) -> None:
    """An order or a postcode at which others guess opens nothing for now, not even to the right proof."""
    sources.assurances.guessed = {guessed}
    assert await asked(sources, **claims(PRIYA.order_number, PRIYA.postcode)) == Barred()
    assert isinstance(await asked(sources, **claims(TOM.order_number, TOM.postcode)), Granted)


async def test_who_is_known_is_granted_without_a_proof(sources: SampleSources) -> None:
    """What the database holds is enough until it lapses."""
    sources.assurances.assurance_held = KNOWN
    granted = await asked(sources, slots={"order_number": PRIYA.order_number})
    assert isinstance(granted, Granted)
    assert granted.order is not None
    assert granted.verify is None
    lapsed = NOW + IDLE_FOR + timedelta(seconds=1)
    assert await asked(sources, now=lapsed, slots={"order_number": PRIYA.order_number}) == NeedsProof()


async def test_nobody_is_shown_the_orders_of_others(sources: SampleSources) -> None:
    """Known as one customer, no order number of another opens anything."""
    for member in cast():
        sources.assurances.assurance_held = KNOWN
        verdict = await asked(sources, slots={"order_number": member.order_number})
        assert isinstance(verdict, Granted)
        assert verdict.customer_id == PRIYA.customer_id
        assert (verdict.order is not None) is (member == PRIYA)
        assert verdict.not_theirs == (None if member == PRIYA else member.order_number)


async def test_another_account_may_be_proved_too(sources: SampleSources) -> None:
    """Known as one customer, another order opens with its own proof in the message."""
    sources.assurances.assurance_held = KNOWN
    verdict = await asked(sources, **claims(TOM.order_number, TOM.postcode))
    assert isinstance(verdict, Granted)
    assert verdict.customer_id == TOM.customer_id


@pytest.mark.parametrize("act", [Act.CHANGE_ADDRESS, Act.ACCOUNT_ACCESS])
async def test_what_asks_for_more_goes_to_people(sources: SampleSources, act: Act) -> None:
    """The bot cannot reach the level that address and account ask for."""
    sources.assurances.assurance_held = Assurance(
        customer_id=CustomerId("C10001"), level=Level.L1, proved_at=NOW, last_seen_at=NOW
    )
    assert await access(sources, turn(), act) == NeedsPerson()
