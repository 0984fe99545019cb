"""A detail that was found in a text, and which of several that overlap is kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

#: Of details in the same place the one of the kind that stands first is kept; a kind that is not named comes last.
ORDER = ("email", "tracking_number", "phone", "order_number", "postcode", "date", "amount", "product", "size")


@dataclass(frozen=True, kw_only=True)
class Found:
    """One detail."""

    #: its kind, by the name of the entity
    entity: str
    #: where it stands in the text
    start: int
    end: int
    #: normalised
    value: str

    def overlaps(self, start: int, end: int) -> bool:
        """Whether it shares a character with that part of the text."""
        return self.start < end and start < self.end


def without_overlaps(found: Iterable[Found]) -> list[Found]:
    """Return the details that keep their place, in the order of the text; the longer of one kind is kept."""
    kept: list[Found] = []
    for one in sorted(found, key=_rank):
        if not any(one.overlaps(other.start, other.end) for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda one: one.start)


def _rank(one: Found) -> tuple[int, int, int]:
    place = ORDER.index(one.entity) if one.entity in ORDER else len(ORDER)
    return place, one.start - one.end, one.start
