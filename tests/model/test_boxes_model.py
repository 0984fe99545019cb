from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.domain.boxes import MOVES
from tests.model.proving import LONG, RIGHT, WRONG, Proof, lines_of_moves, modelled, prove

_IN_THE_GATE = 120.0
_LONG = 1_500.0

needs_spin = pytest.mark.skipif(
    not (shutil.which("spin") and shutil.which("gcc")) and not os.environ.get("CI"),
    reason="spin and gcc are not installed; .ci/peers gets them from Debian",
)


def proved(name: str, folder: Path, seconds: float) -> Proof:
    """Search one of the right models; it has to be searched to its end, and to be right."""
    settings = (RIGHT | LONG)[name]
    proof = prove(settings, folder, seconds)
    assert proof.error is None, f"{name} ({settings}): {proof.error}"
    assert proof.is_whole, f"{name} ({settings}): not every state was looked at"
    assert proof.state_count > 1_000, f"{name} ({settings}): next to nothing can happen in it"
    return proof


def test_the_model_makes_the_moves_of_the_code() -> None:
    """The model's rows make every step of the table that the code goes by, for the same reasons, and no other."""
    assert modelled() == {box: {move: set(steps) for move, steps in moves.items()} for box, moves in MOVES.items()}


@needs_spin
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_what_is_promised_holds_in_every_state(tmp_path: Path, tell: Callable[[str], None]) -> None:
    """Whatever dies, lapses, is lost or undone: no message is lost, doubled, out of order, or the bot's after a claim.

    And what was said is about what can happen: each step of the model is made in one of the searches.
    """
    proofs = {name: proved(name, tmp_path / re.sub(r"\W+", "-", name), _IN_THE_GATE) for name in RIGHT}
    made = frozenset[int]().union(*(proof.lines for proof in proofs.values()))
    never = {line: text for line, text in lines_of_moves().items() if line not in made}
    assert not never, f"no search makes these steps: {never}"
    tell(f"{sum(proof.state_count for proof in proofs.values())} states of {len(proofs)} searches")


@needs_spin
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_model_is_found_out(name: str, tmp_path: Path) -> None:
    """Each planted mistake breaks the promise that is there to prevent it."""
    settings, wanted = WRONG[name]
    proof = prove(settings, tmp_path, _IN_THE_GATE, optimised=0)
    assert proof.error is not None, f"{settings} was believed"
    assert wanted in proof.error, f"{settings} fails by {proof.error}"


@needs_spin
@pytest.mark.faults
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("name", LONG)
def test_what_is_promised_holds_when_more_goes_wrong(name: str, tmp_path: Path, tell: Callable[[str], None]) -> None:
    """The same with a crash and a lapse, two of either, or a restore after a crash."""
    tell(f"{name}: {proved(name, tmp_path, _LONG).state_count} states")
