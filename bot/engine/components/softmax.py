"""A linear classifier that knows how sure it is: softmax regression, a temperature, two gates for out of scope.

Far out of scope ("what is the capital of France") shows in the *energy*, the log of the summed exponentials of all
logits: no intent wants the message. Near out of scope shows in the *margin* between the two best intents: several want
it a little. Both limits and the temperature are taken from predictions on held-out folds of the training data; no
out-of-scope examples are needed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.intp]


@dataclass(frozen=True, kw_only=True)
class Fit:
    """How a head is fitted."""

    #: Strength of the pull of all weights towards zero.
    l2: float
    #: Steps of the optimiser at most.
    max_iterations: int
    #: Folds of the training data, each predicted by a head that has not seen it.
    folds: int
    #: Share of in-scope messages that the energy gate may turn away.
    far_rejects: float
    #: Share of in-scope messages that the margin gate may turn away.
    near_rejects: float
    #: Seeds the folds.
    seed: int


@dataclass(frozen=True, kw_only=True)
class Head:
    """A fitted classifier over features of one kind."""

    #: (features, intents)
    weights: Floats
    #: (intents,)
    bias: Floats
    #: Divides the logits so that confidences are honest.
    temperature: float
    #: Below this energy no intent wants the message.
    energy_limit: float
    #: Below this margin the best two intents cannot be told apart.
    margin_limit: float
    #: Energies at 0 %, 1 % … 100 % of the training messages.
    energy_quantiles: Floats
    #: Accuracy on the held-out folds.
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a head says of one message."""

    #: Honest confidence per intent.
    probabilities: Floats
    #: Share of the training messages that less wanted an intent than this one: near 0 is out of scope.
    in_scope: float
    #: False where a gate turns the message away.
    accepted: bool


def judge(head: Head, logits: Floats) -> Verdict:
    """Read the logits of one message."""
    scaled = logits / head.temperature
    log_sum = float(_log_sum_exp(scaled[None])[0])
    probabilities = np.exp(scaled - log_sum)
    energy = log_sum * head.temperature
    return Verdict(
        probabilities=probabilities,
        in_scope=float(np.searchsorted(head.energy_quantiles, energy) / len(head.energy_quantiles)),
        accepted=bool(energy >= head.energy_limit and _margins(probabilities[None])[0] >= head.margin_limit),
    )


def fit_head(copies: list[Floats], labels: Labels, fit: Fit) -> Head:
    """Fit a head on features (messages, width), given once as written and then as noisy copies in the same order."""
    classes = int(labels.max()) + 1
    features, repeated = np.concatenate(copies), np.tile(labels, len(copies))
    weights, bias = _minimise(features, repeated, classes, fit)
    held_out = _held_out_logits(copies, labels, classes, fit)
    temperature = _best_temperature(held_out, labels)
    scaled = held_out / temperature
    log_sums = _log_sum_exp(scaled)
    energies = log_sums * temperature
    correct = held_out.argmax(1) == labels
    margins = _margins(np.exp(scaled - log_sums[:, None]))[correct]
    return Head(
        weights=weights,
        bias=bias,
        temperature=temperature,
        energy_limit=float(np.quantile(energies, fit.far_rejects)),
        margin_limit=float(np.quantile(margins, fit.near_rejects)) if len(margins) else 0.0,
        energy_quantiles=np.quantile(energies, np.linspace(0, 1, 101)).astype(np.float32),
        accuracy=float(correct.mean()),
    )


def _minimise(features: Floats, labels: Labels, classes: int, fit: Fit) -> tuple[Floats, Floats]:
    from scipy.optimize import minimize

    count, width = features.shape
    rows = np.arange(count)

    def loss_and_slope(flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        weights = flat[: width * classes].reshape(width, classes).astype(np.float32)
        logits = features @ weights + flat[width * classes :].astype(np.float32)
        log_sums = _log_sum_exp(logits)
        loss = float((log_sums - logits[rows, labels]).mean(dtype=np.float64)) + 0.5 * fit.l2 * float(
            (weights**2).sum()
        )
        error = np.exp(logits - log_sums[:, None])
        error[rows, labels] -= 1
        error /= count
        slope = np.concatenate([(features.T @ error + fit.l2 * weights).ravel(), error.sum(0)])
        return loss, slope.astype(np.float64)

    options = {"maxiter": fit.max_iterations, "maxcor": 10, "ftol": 1e-7, "gtol": 1e-6}
    found = minimize(loss_and_slope, np.zeros((width + 1) * classes), jac=True, method="L-BFGS-B", options=options).x
    return found[: width * classes].reshape(width, classes).astype(np.float32), found[width * classes :].astype(
        np.float32
    )


def _held_out_logits(copies: list[Floats], labels: Labels, classes: int, fit: Fit) -> Floats:
    """Return the logits of each message as written, from a head that saw neither it nor its noisy copies."""
    dice = np.random.default_rng(fit.seed)
    fold = np.zeros(len(labels), np.intp)
    for label in range(classes):
        members = dice.permutation(np.flatnonzero(labels == label))
        fold[members] = np.arange(len(members)) % fit.folds
    logits = np.zeros((len(labels), classes), np.float32)
    # Half the steps find the temperature and the limits just as well.
    rough = replace(fit, max_iterations=max(1, fit.max_iterations // 2))
    for number in range(fit.folds):
        seen, unseen = fold != number, fold == number
        if not seen.any() or not unseen.any():
            continue
        features = np.concatenate([copy[seen] for copy in copies])
        weights, bias = _minimise(features, np.tile(labels[seen], len(copies)), classes, rough)
        logits[unseen] = copies[0][unseen] @ weights + bias
    return logits


def _best_temperature(logits: Floats, labels: Labels) -> float:
    from scipy.optimize import minimize_scalar

    rows = np.arange(len(labels))

    def surprise(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return float((_log_sum_exp(scaled) - scaled[rows, labels]).mean(dtype=np.float64))

    return float(np.exp(minimize_scalar(surprise, bounds=(-3, 3), method="bounded").x))


def _log_sum_exp(logits: Floats) -> Floats:
    top = logits.max(1)
    total: Floats = top + np.log(np.exp(logits - top[:, None]).sum(1))
    return total


def _margins(probabilities: Floats) -> Floats:
    if probabilities.shape[1] < 2:
        return np.ones(len(probabilities), np.float32)
    best = np.partition(probabilities, -2, axis=1)[:, -2:]
    return best[:, 1] - best[:, 0]
