"""Finds the few directions in which many n-grams differ most (a truncated singular value decomposition)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bot.engine.components.softmax import Floats

#: Directions looked for beyond those wanted, and times that they are turned towards the strongest.
_MORE, _TURNS = 10, 2
#: From so many messages on, a search is faster than working it out.
_MANY = 1_500
#: What is so much weaker than the strongest is noise.
_NOISE = 1e-6


def strongest_directions(matrix: Any, width: int, seed: int) -> Floats:
    """Return the strongest directions of a sparse (messages, n-grams) matrix as (n-grams, width), each of length one.

    Where there are fewer than so many directions, the others are nought.
    """
    if matrix.shape[0] < _MANY:
        found: Floats = matrix.T @ _upright((matrix @ matrix.T).toarray(), width).astype(np.float32)
        return found
    found = np.random.default_rng(seed).standard_normal((matrix.shape[1], width + _MORE), np.float32)
    for _ in range(_TURNS):
        found = matrix.T @ (matrix @ found)
        # At right angles by way of their products with each other: several times as fast as a QR decomposition.
        found = found @ _upright(found.T.astype(np.float64) @ found, width + _MORE).astype(np.float32)
    seen = matrix @ found
    _, turn = np.linalg.eigh(seen.T @ seen)
    directions: Floats = found @ turn[:, ::-1][:, :width]
    return directions


def _upright(products: npt.NDArray[Any], width: int) -> npt.NDArray[np.float64]:
    """Return what makes vectors with these products with each other stand upright, each of length one; few of them."""
    strengths, turn = np.linalg.eigh(products.astype(np.float64))
    strengths, turn = strengths[::-1][:width], turn[:, ::-1][:, :width]
    is_noise = strengths < _NOISE * strengths[0]
    upright: npt.NDArray[np.float64] = turn * np.where(is_noise, 0, 1 / np.sqrt(np.where(is_noise, 1, strengths)))
    return upright
