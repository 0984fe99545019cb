"""Figures out of what a bot said of messages whose intents are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import average_precision_score, matthews_corrcoef, roc_auc_score

#: Confidences are compared with what came true in this many bins.
BINS = 15
#: In-scope accuracy that is kept where the recall of strangers is read.
KEPT = 0.94
#: Standard deviations of a share that make "very likely": 19 times of 20.
LIKELY = 1.64


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a bot said of one message."""

    #: The likeliest intent, whatever the bot does with it.
    guess: str
    #: Its confidence.
    confidence: float
    #: Whether the bot acts on the guess.
    is_answered: bool
    #: The bot's score for having this message's topic at all; any scale.
    scope: float


Asked = Sequence[tuple[str, str | None]]


def figures(asked: Asked, said: Sequence[Said]) -> dict[str, float]:
    """Return the figures of one test, as shares."""
    truth = [intent for _, intent in asked]
    inside = np.asarray([intent is not None for intent in truth])
    right = np.asarray([one.guess == intent for one, intent in zip(said, truth, strict=True)])
    shown = np.asarray([one.is_answered for one in said])
    found = {
        "accuracy": float(right[inside].mean()),
        "calibration error": _calibration_error(said, right, inside),
        "answered rightly": float((right & shown)[inside].mean()),
        "wrong of those shown": float((~right)[shown].mean()) if shown.any() else 0.0,
        "shown": float(shown.mean()),
    }
    if not inside.all():
        scope = np.asarray([one.scope for one in said])
        acted = [one.guess if one.is_answered else "" for one in said]
        found |= {
            "AUROC": float(roc_auc_score(inside, scope)),
            "AUPR": float(average_precision_score(~inside, -scope)),
            "strangers turned away": float((~shown)[~inside].mean()),
            "MCC": float(matthews_corrcoef([intent or "" for intent in truth], acted)),
        }
    return found


def kept_apart(asked: Asked, said: Sequence[Said], limit: float) -> dict[str, float]:
    """Return in-scope accuracy and strangers turned away where those below a limit of the scope score are."""
    found = [(one.guess == intent, intent is not None, one.scope >= limit) for one, (_, intent) in _pairs(asked, said)]
    inside = [is_right and is_in for is_right, is_known, is_in in found if is_known]
    outside = [not is_in for _, is_known, is_in in found if not is_known]
    return {
        f"accuracy at the limit for {KEPT:.0%}": float(np.mean(inside)),
        f"strangers turned away at the limit for {KEPT:.0%}": float(np.mean(outside)) if outside else 0.0,
    }


def limit_for(asked: Asked, said: Sequence[Said], accuracy: float) -> float:
    """Return the highest limit of the scope score that very likely keeps this in-scope accuracy, or none at all.

    On the messages given it keeps a little more, as another sample of them may have a little less.
    """
    known = [(one.scope, one.guess == intent) for one, (_, intent) in _pairs(asked, said) if intent is not None]
    known.sort(reverse=True)
    kept = np.cumsum([is_right for _, is_right in known]) / len(known)
    margin = LIKELY * np.sqrt(accuracy * (1 - accuracy) / max(1, len(known)))
    reached = np.flatnonzero(kept >= accuracy + margin)
    return known[int(reached[0])][0] if len(reached) else -np.inf


def _pairs(asked: Asked, said: Sequence[Said]) -> zip[tuple[Said, tuple[str, str | None]]]:
    return zip(said, asked, strict=True)


def _calibration_error(said: Sequence[Said], right: np.ndarray, inside: np.ndarray) -> float:
    """Return the mean distance between confidence and accuracy over bins of confidence, in scope."""
    confidence = np.asarray([one.confidence for one in said])[inside]
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [
        (bins == number).mean() * abs(right[inside][bins == number].mean() - confidence[bins == number].mean())
        for number in range(BINS)
        if (bins == number).any()
    ]
    return float(sum(gaps))
