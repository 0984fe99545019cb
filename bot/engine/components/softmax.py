"""A linear classifier: softmax regression by L-BFGS, and the temperature that makes its confidences honest."""

from __future__ import annotations

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


def fit_head(features: Floats, labels: Labels, l2: float, steps: int) -> Head:
    """Fit a head in at most so many steps; `l2` is the strength of the pull of all weights towards zero."""
    from scipy.optimize import minimize

    count, width = features.shape
    classes, rows = int(labels.max()) + 1, np.arange(count)

    def loss_and_slope(flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        weights = flat[: width * classes].reshape(width, classes).astype(np.float32)
        logits = features @ weights + flat[width * classes :].astype(np.float32)
        log_sums = log_sum_exp(logits)
        surprise = float((log_sums - logits[rows, labels]).mean(dtype=np.float64))
        error = np.exp(logits - log_sums[:, None])
        error[rows, labels] -= 1
        error /= count
        slope = np.concatenate([(features.T @ error + l2 * weights).ravel(), error.sum(0)])
        return surprise + 0.5 * l2 * float((weights**2).sum()), slope.astype(np.float64)

    options = {"maxiter": steps, "maxcor": 10, "ftol": 1e-7, "gtol": 1e-6}
    found = minimize(loss_and_slope, np.zeros((width + 1) * classes), jac=True, method="L-BFGS-B", options=options).x
    flat = found.astype(np.float32)
    return Head(weights=flat[: width * classes].reshape(width, classes), bias=flat[width * classes :])


def best_temperature(logits: Floats, labels: Labels) -> float:
    """Return what to divide logits of held-out messages by so that their confidences come true."""
    from scipy.optimize import minimize_scalar

    rows = np.arange(len(labels))

    def surprise(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return float((log_sum_exp(scaled) - scaled[rows, labels]).mean(dtype=np.float64))

    return float(np.exp(minimize_scalar(surprise, bounds=(-3, 3), method="bounded").x))


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
