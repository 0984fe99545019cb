"""Remembers what the messages of each intent look like, to tell how near a new one comes to any of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bot.engine.components.softmax import Floats, Labels

#: Vectors kept of an intent: where it has more messages, the centres of as many groups of them.
KEPT = 32
#: Times that the groups are formed anew.
_ROUNDS = 4


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Vectors of length one by intent."""

    #: (kept, width), those of one intent side by side
    vectors: Floats
    #: (kept,): the intent of each
    intents: Labels

    def likeness(self, vectors: Floats, classes: int) -> Floats:
        """Return (messages, intents): the cosine between each message and the nearest of each intent, -1 for none."""
        starts = np.flatnonzero(np.diff(self.intents, prepend=-1))
        found = np.full((len(vectors), classes), -1, np.float32)
        found[:, self.intents[starts]] = np.maximum.reduceat(vectors @ self.vectors.T, starts, axis=1)
        return found


def remember(vectors: Floats, labels: Labels, seed: int) -> Memory:
    """Return the memory of messages whose intents are known."""
    dice = np.random.default_rng(seed)
    known = np.unique(labels)
    kept = [_centres(vectors[labels == label], dice) for label in known]
    return Memory(vectors=np.concatenate(kept), intents=np.repeat(known, [len(part) for part in kept]))


def _centres(vectors: Floats, dice: np.random.Generator) -> Floats:
    if len(vectors) <= KEPT:
        return vectors
    centres = vectors[dice.permutation(len(vectors))[:KEPT]]
    for _ in range(_ROUNDS):
        nearest = (vectors @ centres.T).argmax(1)
        groups = [vectors[nearest == number] for number in range(KEPT)]
        centres = np.stack(
            [group.mean(0) if len(group) else centre for group, centre in zip(groups, centres, strict=True)]
        )
        centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-9)
    return centres
