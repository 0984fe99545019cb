from __future__ import annotations

import pytest

from tests.faults.history import Asked, History, Shown, judge

NOTICE = "One moment."


def history(shown: str, asked: str = "a1 a2 a3 b1") -> History:
    """Return a history in short: `a2` is the second message of conversation `a`, or the answer to it."""
    return History(
        asked=[
            Asked(conversation=each[0], serial=int(each[1:]), external_id=each, acknowledged_at=1.0)
            for each in asked.split()
        ],
        shown=[Shown(conversation=each[0], serial=int(each[1:]), text=each, at=2.0) for each in shown.split()],
    )


def test_a_good_history_is_clean() -> None:
    """Conversations may interleave as they like."""
    assert judge(history("b1 a1 a2 a3"), (), ()).is_clean
    assert judge(history("a1 a2 b1 a3"), (), ()).is_clean


def test_a_loss_is_found() -> None:
    """An acknowledged message without an answer is lost."""
    assert judge(history("a1 a3 b1"), (), ()).lost == ("a#2",)
    assert judge(history(""), (), ()).lost == ("a#1", "a#2", "a#3", "b#1")


def test_what_a_person_has_is_not_lost() -> None:
    """A message that was given to a person needs no answer of the bot; another conversation's of that name does."""
    assert judge(history("a1 a3 b1"), [("a", "a2")], ()).is_clean
    assert judge(history("a1 a3 b1"), [("b", "a2")], ()).lost == ("a#2",)


def test_what_was_never_acknowledged_is_owed_nothing() -> None:
    """The customer knows that such a message did not go out."""
    told = history("a1 a2 b1")
    told.asked[2].acknowledged_at = None
    assert judge(told, (), ()).is_clean


def test_a_duplicate_is_found() -> None:
    """An answer that a customer sees twice is doubled, even if it stands in order."""
    assert judge(history("a1 a1 a2 a3 b1"), (), ()).doubled == ("a#1",)
    assert judge(history("a1 a2 a3 b1 b1 b1"), (), ()).doubled == ("b#1",)


def test_an_inversion_is_found() -> None:
    """An answer after the answer to a later message is disordered, also across a gap."""
    assert judge(history("a1 a3 a2 b1"), (), ()).disordered == ("a#2 after #3",)
    assert judge(history("a3 b1 a1"), [("a", "a2")], ()).disordered == ("a#1 after #3",)


def test_what_nobody_asked_for_is_found() -> None:
    """An answer without a message, or a text that is no known notice, is a phantom."""
    assert judge(history("a1 a2 a3 b1 b2"), (), ()).phantoms == ("b: b2",)
    told = history("a1 a2 a3 b1")
    told.shown.append(Shown(conversation="a", serial=None, text=NOTICE, at=3.0))
    assert judge(told, (), [NOTICE]).is_clean
    assert judge(told, (), ()).phantoms == (f"a: {NOTICE}",)


@pytest.mark.parametrize("bad", ["a1 a3 b1", "a1 a1 a2 a3 b1", "a2 a1 a3 b1", "a1 a2 a3 b1 c1"])
def test_the_verdict_says_what_is_wrong(bad: str) -> None:
    """A failing run prints an example of what it found."""
    assert "such as" in str(judge(history(bad), (), ()))
