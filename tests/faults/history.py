"""What customers wrote and saw while things broke, and the judgement on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One message of ours as a customer saw it."""

    conversation: str
    #: which message of the conversation it answers; none: a notice of the pipeline, which answers none
    serial: int | None
    text: str
    #: seconds on the test's monotonic clock
    at: float


@dataclass(kw_only=True)
class Asked:
    """One message of a customer; the numbers of a conversation's messages grow in the order they were written."""

    conversation: str
    serial: int
    #: what the channel knows it by
    external_id: str
    is_on_web_chat: bool = False
    #: seconds on the test's monotonic clock
    written_at: float = 0.0
    #: likewise; none: never acknowledged, so we owe nothing
    acknowledged_at: float | None = None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is wrong with a history; all empty: nothing is."""

    #: acknowledged, and neither answered nor with a person
    lost: tuple[str, ...]
    #: answers that a customer saw more than once
    doubled: tuple[str, ...]
    #: answers that came after the answer to a later message of the same conversation
    disordered: tuple[str, ...]
    #: what nobody asked for
    phantoms: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.doubled or self.disordered or self.phantoms)

    def __str__(self) -> str:
        """Say it in one line, with the first example of each."""
        named = (("lost", self.lost), ("doubled", self.doubled), ("disordered", self.disordered))
        parts = [f"{len(found)} {name}" for name, found in named] + [f"{len(self.phantoms)} unasked"]
        examples = [found[0] for found in (self.lost, self.doubled, self.disordered, self.phantoms) if found]
        return ", ".join(parts) + (f" – such as {'; '.join(examples)}" if examples else "")


@dataclass
class History:
    """Everything that was written and seen, in the order it happened."""

    asked: list[Asked] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)

    def unanswered(self) -> list[Asked]:
        """Return what was acknowledged and not answered."""
        answered = {(each.conversation, each.serial) for each in self.shown}
        acknowledged = [each for each in self.asked if each.acknowledged_at is not None]
        return [each for each in acknowledged if (each.conversation, each.serial) not in answered]


def judge(history: History, with_people: Iterable[tuple[str, str]], notices: Iterable[str]) -> Verdict:
    """Return what is wrong with a history.

    `with_people` names the messages that a person was given, as (conversation, external id); `notices` are the texts
    that the pipeline may say by itself.
    """
    handed, known = set(with_people), set(notices)
    lost = [each for each in history.unanswered() if (each.conversation, each.external_id) not in handed]
    answers = [each for each in history.shown if each.serial is not None]
    counts = Counter((each.conversation, each.serial) for each in answers)
    return Verdict(
        lost=tuple(f"{each.conversation}#{each.serial}" for each in lost),
        doubled=tuple(f"{conversation}#{serial}" for (conversation, serial), count in counts.items() if count > 1),
        disordered=tuple(_disordered(answers)),
        phantoms=tuple(_phantoms(history, known)),
    )


def _disordered(answers: list[Shown]) -> list[str]:
    found, highest = [], dict[str, int]()
    for each in answers:
        serial = each.serial or 0
        if serial < highest.get(each.conversation, 0):
            found.append(f"{each.conversation}#{serial} after #{highest[each.conversation]}")
        highest[each.conversation] = max(serial, highest.get(each.conversation, 0))
    return found


def _phantoms(history: History, notices: set[str]) -> list[str]:
    asked = {(each.conversation, each.serial) for each in history.asked}
    return [
        f"{each.conversation}: {each.text}"
        for each in history.shown
        if (each.text not in notices if each.serial is None else (each.conversation, each.serial) not in asked)
    ]
