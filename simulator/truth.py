"""What customers wrote and saw, what Tandem says of it, and the judgement on both.

Customers know best: what they saw is noted by the fake channels, whatever Tandem was told of a call. What Tandem says
is read from its database when all is quiet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

#: How a reply stands of which Tandem says that the customer has it.
ARRIVED = frozenset({"sent", "delivered", "read"})


@dataclass(kw_only=True)
class Wrote:
    """A message of a customer's."""

    #: what the channel calls it
    external_id: str
    text: str
    #: seconds on one clock, as all moments here
    at: float
    #: when the channel began to tell Tandem of it; none: it never did
    offered_at: float | None = None
    #: when Tandem first said that it has it; none: it never did, so it owes nothing
    acknowledged_at: float | None = None


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A message of ours as the customer saw it."""

    external_id: str
    text: str
    at: float
    #: titles and payloads of what can be tapped
    choices: tuple[tuple[str, str], ...] = ()


@dataclass(kw_only=True)
class Chat:
    """One customer on one channel."""

    #: channel/account/customer
    address: str
    wrote: list[Wrote] = field(default_factory=list)
    #: when each message or burst of them began that asks for an answer
    asked_at: list[float] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    #: whether the channel lets nothing through to this customer any more
    is_closed: bool = False
    #: whether everybody reads it: much of what is said there needs no answer
    is_public: bool = False

    def wait_of(self, number: int) -> float | None:
        """Return the seconds until the question of that number had its first answer; none: it has none.

        Whatever came before the next question answers this one: customers wait, or are never heard of again.
        """
        asked_at = self.asked_at[number]
        ends_at = self.asked_at[number + 1] if number + 1 < len(self.asked_at) else float("inf")
        return next((each.at - asked_at for each in self.seen if asked_at <= each.at < ends_at), None)


@dataclass(frozen=True, kw_only=True)
class Said:
    """A message of ours as Tandem has it."""

    text: str
    #: "sent", "failed" and the like
    state: str
    #: the channel's ids of its parts, in order
    external_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Kept:
    """One conversation as Tandem has it."""

    #: the channel's ids of what the customer wrote, edits left out, in the order they were kept
    received: tuple[str, ...] = ()
    #: in the order it was said
    said: tuple[Said, ...] = ()
    #: whether a ticket was opened
    has_ticket: bool = False
    #: messages of both directions that were given up or are held for a person to look at
    dead_count: int = 0


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is wrong between customers and Tandem; all empty: nothing is."""

    lost: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()
    reordered: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.doubled or self.reordered)


def judge(chats: Iterable[Chat], kept: Mapping[str, Kept]) -> Verdict:
    """Return what was lost, doubled or reordered in either direction, each as a line that says where."""
    lost, doubled, reordered = list[str](), list[str](), list[str]()
    for chat in chats:
        mine = kept.get(chat.address, Kept())
        for found, lines in (
            (_lost(chat, mine), lost),
            (_doubled(chat, mine), doubled),
            (_reordered(chat, mine), reordered),
        ):
            lines.extend(f"{chat.address}: {line}" for line in found)
    return Verdict(lost=tuple(lost), doubled=tuple(doubled), reordered=tuple(reordered))


def _lost(chat: Chat, kept: Kept) -> list[str]:
    received, shown = set(kept.received), {each.external_id for each in chat.seen}
    owed = [each for each in chat.wrote if each.acknowledged_at is not None]
    found = [f"“{each.text}” was acknowledged and not kept" for each in owed if each.external_id not in received]
    for said in kept.said:
        missing = [name for name in said.external_ids if name not in shown] if said.state in ARRIVED else []
        found += [f"“{said.text[:60]}” is {said.state} and was never seen" for _ in missing]
    if not (chat.is_public or kept.has_ticket or kept.dead_count):
        first_owed = min((each.at for each in owed), default=float("inf"))
        unanswered = [n for n, at in enumerate(chat.asked_at) if at >= first_owed and chat.wait_of(n) is None]
        found += [f"question {n + 1} has no answer, and nobody was told" for n in unanswered]
    return found


def _doubled(chat: Chat, kept: Kept) -> list[str]:
    found = [f"{name} was kept {count} times" for name, count in Counter(kept.received).items() if count > 1]
    wrote = {each.external_id for each in chat.wrote}
    found += [f"{name} was kept and never written" for name in kept.received if name not in wrote]
    named = {name for said in kept.said for name in said.external_ids}
    # What Tandem does not know to have arrived may have, once.
    open_texts = [said.text for said in kept.said if said.state not in ARRIVED]
    for each in chat.seen:
        if each.external_id in named:
            continue
        fitting = next((n for n, text in enumerate(open_texts) if _is_part(each.text, text)), None)
        if fitting is None:
            found.append(f"“{each.text[:60]}” was seen and not said, or seen again")
        else:
            # Of a long message each part may have arrived, but the same part once.
            open_texts[fitting] = open_texts[fitting].replace(each.text, "", 1) if each.text else "\0"
    return found


def _is_part(seen: str, said: str) -> bool:
    return said != "\0" and seen.strip() in said if seen.strip() else said == ""


def _reordered(chat: Chat, kept: Kept) -> list[str]:
    found = []
    wrote = {each.external_id: each for each in chat.wrote}
    received = [wrote[name] for name in kept.received if name in wrote]
    for n, later in enumerate(received):
        # Kept before what was acknowledged before this one was even offered.
        overtaken = [
            each
            for each in received[n + 1 :]
            if each.acknowledged_at is not None
            and later.offered_at is not None
            and each.acknowledged_at < later.offered_at
        ]
        found += [f"“{later.text}” was kept before “{each.text}”" for each in overtaken[:1]]
    places = {name: n for n, name in enumerate(name for said in kept.said for name in said.external_ids)}
    highest: list[int] = []
    for seen in chat.seen:
        place = places.get(seen.external_id)
        if place is None:
            continue
        if highest and place < highest[-1]:
            found.append(f"“{seen.text[:60]}” was seen after what was said later")
        highest.append(max(place, highest[-1] if highest else place))
    return found


def share_of(waits: list[float], share: float) -> float | None:
    """Return the wait in seconds that this share of the waits did not exceed; none: there are none."""
    ordered = sorted(waits)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
