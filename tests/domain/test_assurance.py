from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.assurance import BARRED_FOR, IDLE_FOR, LASTS_FOR, MAX_FAILURES, REQUIRED, Act, Assurance, Level
from bot.domain.customers import CustomerId

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
PROVED = Assurance(customer_id=CustomerId("c"), level=Level.L1, proved_at=NOW, last_seen_at=NOW)


def test_every_act_asks_for_a_level() -> None:
    """No act is forgotten in the table."""
    assert set(REQUIRED) == set(Act)


def test_nobody_may_see_more_than_public_facts() -> None:
    """Without proof only what anybody may know is told."""
    assert [act for act in Act if Assurance().allows(act, NOW)] == [Act.PUBLIC_FACTS]
    unbound = Assurance(level=Level.L3, proved_at=NOW, last_seen_at=NOW)
    assert unbound.level_at(NOW) is Level.L0


@pytest.mark.parametrize("act", list(Act))
def test_a_proof_allows_what_asks_for_no_more(act: Act) -> None:
    """Somebody known at L1 may do what asks for L1 or less."""
    assert PROVED.allows(act, NOW) == (REQUIRED[act] <= Level.L1)


def test_a_proof_ends() -> None:
    """A proof holds while the customer writes, and half a day at most."""
    assert PROVED.level_at(NOW + IDLE_FOR) is Level.L1
    assert PROVED.level_at(NOW + IDLE_FOR + timedelta(seconds=1)) is Level.L0
    late = NOW + LASTS_FOR + timedelta(seconds=1)
    busy = Assurance(customer_id=CustomerId("c"), level=Level.L1, proved_at=NOW, last_seen_at=late)
    assert busy.level_at(late) is Level.L0


def test_guessing_is_barred_for_a_while() -> None:
    """After too many failures nothing is looked at for an hour."""
    guessed = Assurance(failure_count=MAX_FAILURES, failed_at=NOW)
    assert guessed.is_barred_at(NOW)
    assert not guessed.is_barred_at(NOW + BARRED_FOR)
    assert not Assurance(failure_count=MAX_FAILURES - 1, failed_at=NOW).is_barred_at(NOW)
