"""A linear classifier: softmax regression by L-BFGS, and the temperature that makes its confidences honest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.intp]


@dataclass(frozen=True, kw_only=True)
class Head:
    """A fitted classifier over features of one kind."""

    #: (features, intents)
    weights: Floats
    #: (intents,)
    bias: Floats

    def logits(self, features: Floats) -> Floats:
        """Return (messages, intents) for (messages, features)."""
        found: Floats = features @ self.weights + self.bias
        return found


def blank_head(width: int, classes: int) -> Head:
    """Return a head that knows nothing yet."""
    return Head(weights=np.zeros((width, classes), np.float32), bias=np.zeros(classes, np.float32))


def fit_head(features: Floats, labels: Labels, start: Head, l2: float, steps: int) -> Head:
    """Fit a head in at most so many steps from `start` on; of its classes some may have no message.

    `l2` is the strength of the pull of all weights towards zero.
    """
    from scipy.optimize import minimize

    count, (width, classes) = len(features), start.weights.shape
    rows = np.arange(count)

    def loss_and_slope(flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        numbers = flat.astype(np.float32)
        weights = numbers[: width * classes].reshape(width, classes)
        logits = features @ weights
        logits += numbers[width * classes :]
        logits -= logits.max(1, keepdims=True)
        own = logits[rows, labels]
        # In place from here on: these are the largest numbers of a training.
        error = np.exp(logits, out=logits)
        sums = error.sum(1, keepdims=True)
        surprise = float((np.log(sums[:, 0]) - own).mean(dtype=np.float64))
        error /= sums
        error[rows, labels] -= 1
        error /= count
        slope = np.concatenate([(features.T @ error + l2 * weights).ravel(), error.sum(0)])
        return surprise + 0.5 * l2 * float((weights**2).sum()), slope.astype(np.float64)

    first = np.append(start.weights, start.bias).astype(np.float64)
    options = {"maxiter": steps, "maxcor": 10, "ftol": 1e-7, "gtol": 1e-6}
    found = minimize(loss_and_slope, first, jac=True, method="L-BFGS-B", options=options).x
    flat = found.astype(np.float32)
    return Head(weights=flat[: width * classes].reshape(width, classes), bias=flat[width * classes :])


def mean_head(heads: Sequence[Head]) -> Head:
    """Return the head in the middle of these: not far from one that is fitted to all that they were fitted to."""
    weights, bias = np.mean([head.weights for head in heads], 0), np.mean([head.bias for head in heads], 0)
    return Head(weights=weights, bias=bias)


def best_temperature(logits: Floats, labels: Labels) -> tuple[float, float]:
    """Return what to divide logits of held-out messages by so that their confidences come true, and the surprise left.

    The surprise is the mean of minus the logarithm of the confidence in what came true.
    """
    from scipy.optimize import minimize_scalar

    rows = np.arange(len(labels))

    def surprise(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return float((log_sum_exp(scaled) - scaled[rows, labels]).mean(dtype=np.float64))

    found = minimize_scalar(surprise, bounds=(-3, 3), method="bounded", options={"xatol": 1e-3})
    return float(np.exp(found.x)), float(found.fun)


def confidences(logits: Floats, temperature: float) -> Floats:
    """Return the honest probability of each intent, (messages, intents)."""
    scaled = logits / temperature
    found: Floats = np.exp(scaled - log_sum_exp(scaled)[:, None])
    return found


def log_sum_exp(logits: Floats) -> Floats:
    """Return the logarithm of each row's summed exponentials: how much the intents together want a message."""
    top = logits.max(1)
    total: Floats = top + np.log(np.exp(logits - top[:, None]).sum(1))
    return total
