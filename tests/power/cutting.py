"""Cuts the power of a recorded service at many moments, and judges what each disk may hold then."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.power.checking import Cut, losses
from tests.power.disk import Disk, Fate
from tests.power.recording import Recording

#: Of the cuts, those during the service's first start: they are slow to look at, and nobody was told anything yet.
_STARTING = 0.03


@dataclass
class Outcome:
    """What came of many cuts."""

    image_count: int = 0
    #: what is wrong with which image, in the order of the cuts
    wrong: list[str] = field(default_factory=list)
    #: images by the fate of what was not safe
    fates: Counter[str] = field(default_factory=Counter)

    @property
    def bad_count(self) -> int:
        """How many images are wrong."""
        return len(self.wrong)


def cut_often(recording: Recording, count: int, folder: Path, seed: int) -> Outcome:
    """Look at so many images of moments all over the recording, each with every fate in turn."""
    dice, outcome = random.Random(seed), Outcome()
    for cut, fate in cuts(recording, count, dice):
        found = losses(cut, recording.truth, folder)
        outcome.image_count += 1
        outcome.fates[fate] += 1
        if found:
            outcome.wrong.append(f"{fate}, at {cut.at:.6f}: {'; '.join(found[:3])}")
    return outcome


def cuts(recording: Recording, count: int, dice: random.Random) -> Iterator[tuple[Cut, Fate]]:
    """Yield so many moments and what the disk may hold then, in their order."""
    disk, ops = Disk(), recording.ops
    first = next((n for n, op in enumerate(ops) if op.at >= recording.ready_at), len(ops))
    starting = int(count * _STARTING)
    wanted = Counter(dice.randrange(first) for _ in range(starting))
    wanted += Counter(dice.randrange(first, len(ops)) for _ in range(count - starting))
    fates = _fates()
    for n, op in enumerate(ops):
        disk.take(op)
        for _ in range(wanted[n]):
            fate = next(fates)
            # All that happened before the next operation began, happened on this disk.
            at = ops[n + 1].at if n + 1 < len(ops) else op.ended
            yield Cut(at=at, files=disk.image(fate, dice), state_dir=recording.state_dir, is_ready=n >= first), fate


def _fates() -> Iterator[Fate]:
    while True:
        yield Fate.MIXED
        yield Fate.LOST
        yield Fate.MIXED
        yield Fate.TORN
        yield Fate.MIXED
        yield Fate.KEPT
