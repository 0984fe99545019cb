from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from simulator.truth import Chat, Kept, Said, Seen, Verdict, Wrote, judge, share_of

ADDRESS = "telegram/7000001/42"


def wrote(number: int, text: str = "") -> Wrote:
    """Return a message that Tandem acknowledged before the next one was written."""
    return Wrote(
        external_id=f"in-{number}",
        text=text or f"question {number}",
        at=number * 10.0,
        offered_at=number * 10.0 + 1,
        acknowledged_at=number * 10.0 + 2,
    )


def seen(number: int, text: str = "") -> Seen:
    """Return the answer to the message of that number as the customer saw it."""
    return Seen(external_id=f"out-{number}", text=text or f"answer {number}", at=number * 10.0 + 3)


def said(number: int, state: str = "read") -> Said:
    """Return the same answer as Tandem has it."""
    return Said(text=f"answer {number}", state=state, external_ids=(f"out-{number}",) if state == "read" else ())


def good(count: int = 3) -> tuple[Chat, Kept]:
    """Return a conversation in which all is well, on both sides."""
    numbers = range(1, count + 1)
    chat = Chat(
        address=ADDRESS,
        wrote=[wrote(n) for n in numbers],
        asked_at=[n * 10.0 for n in numbers],
        seen=[seen(n) for n in numbers],
    )
    kept = Kept(received=tuple(f"in-{n}" for n in numbers), said=tuple(said(n) for n in numbers))
    return chat, kept


def verdict(chat: Chat, kept: Kept | None) -> Verdict:
    """Judge one conversation."""
    return judge([chat], {} if kept is None else {ADDRESS: kept})


def counts(found: Verdict) -> tuple[int, int, int]:
    """Return how many were lost, doubled and reordered."""
    return len(found.lost), len(found.doubled), len(found.reordered)


def test_good_history() -> None:
    """Where each message was kept once and each answer seen once, in order, nothing is wrong."""
    assert verdict(*good()).is_clean


def test_acknowledged_and_not_kept() -> None:
    """A message that was acknowledged and is not there is lost; one that never was is the channel's still."""
    chat, kept = good()
    assert counts(verdict(chat, replace(kept, received=("in-1", "in-3")))) == (1, 0, 0)

    chat.wrote[1].acknowledged_at = None
    assert counts(verdict(chat, replace(kept, received=("in-1", "in-3")))) == (0, 0, 0)


def test_unanswered_in_public() -> None:
    """A question without an answer is lost, but not where everybody reads; what was not kept is lost anywhere."""
    chat, kept = good()
    chat.seen.pop()
    kept = replace(kept, said=kept.said[:-1])
    assert counts(verdict(chat, kept)) == (1, 0, 0)
    chat.is_public = True
    assert verdict(chat, kept).is_clean
    assert counts(verdict(chat, replace(kept, received=("in-1", "in-2")))) == (1, 0, 0)


def test_nothing_kept() -> None:
    """A conversation that Tandem knows nothing of is lost, every message of it, and its answers came from nowhere."""
    chat, _ = good()
    assert counts(verdict(chat, None)) == (3, 3, 0)


def test_said_and_never_seen() -> None:
    """What is said to have arrived and was not seen is lost; what is said to have failed is no secret."""
    chat, kept = good()
    del chat.seen[2]
    assert counts(verdict(chat, replace(kept, has_ticket=True))) == (1, 0, 0)

    failed = replace(kept, said=(said(1), said(2), said(3, "failed")), has_ticket=True)
    assert counts(verdict(chat, failed)) == (0, 0, 0)


def test_part_never_seen() -> None:
    """Of an answer in two parts, each has to be seen."""
    chat, kept = good()
    in_parts = replace(said(3), external_ids=("out-3a", "out-3"))
    assert counts(verdict(chat, replace(kept, said=(said(1), said(2), in_parts)))) == (1, 0, 0)


def test_unanswered() -> None:
    """A question without an answer is lost, unless people have the conversation or know of a message that failed."""
    chat, kept = good()
    del chat.seen[2]
    silent = replace(kept, said=kept.said[:2])
    assert counts(verdict(chat, silent)) == (1, 0, 0)
    assert verdict(chat, replace(silent, has_ticket=True)).is_clean
    assert verdict(chat, replace(silent, dead_count=1)).is_clean


def test_seen_again() -> None:
    """What a customer saw twice is doubled, also where Tandem does not know whether the first call went through."""
    chat, kept = good()
    chat.seen.append(replace(seen(3), external_id="out-9"))
    assert counts(verdict(chat, kept)) == (0, 1, 0)

    uncertain = replace(kept, said=(said(1), said(2), said(3, "failed")))
    assert counts(verdict(chat, uncertain)) == (0, 1, 0)
    del chat.seen[3]
    assert verdict(chat, uncertain).is_clean


def test_kept_twice_or_never_written() -> None:
    """A message that was kept twice, or that nobody wrote, is doubled."""
    chat, kept = good()
    assert counts(verdict(chat, replace(kept, received=(*kept.received, "in-3")))) == (0, 1, 0)
    assert counts(verdict(chat, replace(kept, received=(*kept.received, "in-9")))) == (0, 1, 0)


def test_kept_in_another_order() -> None:
    """A message kept before one that was acknowledged before it was offered is reordered; overlapping ones are not."""
    chat, kept = good()
    turned = replace(kept, received=("in-1", "in-3", "in-2"))
    assert counts(verdict(chat, turned)) == (0, 0, 1)

    chat.wrote[1].acknowledged_at = 35.0
    assert verdict(chat, turned).is_clean


def test_seen_in_another_order() -> None:
    """An answer seen after one that was said later is reordered."""
    chat, kept = good()
    chat.seen[1], chat.seen[2] = replace(seen(3), at=23.0), replace(seen(2), at=33.0)
    assert counts(verdict(chat, kept)) == (0, 0, 1)


@given(seed=st.integers(0, 2**32), count=st.integers(2, 8))
def test_any_planted_fault_is_found(seed: int, count: int) -> None:
    """Whichever answer of whichever conversation is dropped, repeated or moved to the front, the count is not 0."""
    dice = random.Random(seed)
    chat, kept = good(count)
    which = dice.randrange(1, count)
    match dice.choice(("drop", "repeat", "move", "forget", "keep twice")):
        case "drop":
            del chat.seen[which]
            assert verdict(chat, kept).lost
        case "repeat":
            chat.seen.append(replace(chat.seen[which], external_id="another", at=1e6))
            assert verdict(chat, kept).doubled
        case "move":
            chat.seen.insert(0, chat.seen.pop(which))
            assert verdict(chat, kept).reordered
        case "forget":
            names = tuple(name for n, name in enumerate(kept.received) if n != which)
            assert verdict(chat, replace(kept, received=names)).lost
        case _:
            assert verdict(chat, replace(kept, received=(*kept.received, kept.received[which]))).doubled


def test_wait_of_a_question() -> None:
    """A question's wait ends with the first thing seen before the next question; without that it has none."""
    chat, _ = good()
    assert [chat.wait_of(n) for n in range(3)] == [3.0, 3.0, 3.0]
    del chat.seen[1]
    assert chat.wait_of(1) is None


def test_share_of_waits() -> None:
    """The median and the 95th of a hundred are what they should be; of nothing there is none."""
    waits = [float(n) for n in range(100)]
    assert (share_of(waits, 0.5), share_of(waits, 0.95), share_of([], 0.5)) == (50.0, 95.0, None)
