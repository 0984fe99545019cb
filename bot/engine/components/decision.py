"""What is done with a message: it is answered, asked about, or left to people.

Two honest numbers decide. *In scope* says how likely the message has one of the bot's topics at all, learnt from
evidence: how much the intents want it together (energy), how sure the best of them is, how like the training messages
it is, and how like those of the best intent. *Certainty* is that times the confidence in the best intent: how likely
the answer will be right. The message is answered from a certainty on that keeps wrong answers as rare as the trainer
wants; else it is asked about where the two or three likeliest topics more likely than not hold the right one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from bot.engine.components.softmax import Floats, confidences, log_sum_exp

Decision = Literal["answer", "clarify", "people"]
Flags = npt.NDArray[np.bool_]

#: Topics that a clarifying question offers at most, and the chance that one of them is right from which on it is asked.
OFFERED, WORTH_ASKING = 3, 0.5
#: An answer is given only where it is more likely right than not, whatever share of wrong ones the trainer allows.
LEAST_CERTAINTY = 0.5
#: Shares of messages shown at which the curve of a report is read.
CURVE_POINTS = 101


@dataclass(frozen=True, kw_only=True)
class Bar:
    """How a message is judged: the temperature, what the evidence weighs, and the certainty that an answer needs."""

    #: divides the logits so that confidences are honest
    temperature: float
    #: (evidence,): of being in scope
    weights: Floats
    #: of being in scope, whatever the evidence
    bias: float
    #: the least certainty of an answer
    limit: float
    #: what likeness to an intent's training messages adds to its logit, where it is known
    kinship: float = 0.0

    def in_scope(self, evidence: Floats) -> Floats:
        """Return the chance of each message to have one of the bot's topics."""
        found: Floats = 1 / (1 + np.exp(-(evidence @ self.weights + self.bias)))
        return found


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is found of one message."""

    #: honest confidence per intent
    probabilities: Floats
    #: the chance that the message has one of the bot's topics
    in_scope: float
    #: the chance that an answer would be right
    certainty: float
    decision: Decision


def gather(logits: Floats, likeness: Floats | None) -> Floats:
    """Return the evidence of (messages, intents): two columns, or four where there is likeness to training messages."""
    energies = log_sum_exp(logits)
    # The more intents there are, the more they want together: what one of them wants on average does not depend on it.
    columns = [energies - np.float32(np.log(logits.shape[1])), logits.max(1) - energies]
    if likeness is not None:
        columns += [likeness.max(1), likeness[np.arange(len(logits)), logits.argmax(1)]]
    return np.stack(columns, 1)


def judge(bar: Bar, logits: Floats, likeness: Floats | None, odds: Floats | None = None) -> Verdict:
    """Decide on one message, whose logits and likeness are given as (1, intents).

    `odds` (intents,) says how many times likelier each intent is in this situation than in any.
    """
    if likeness is not None:
        logits = logits + bar.kinship * likeness
    probabilities = confidences(logits, bar.temperature)[0]
    if odds is not None:
        probabilities = probabilities * odds / (probabilities * odds).sum()
    in_scope = float(bar.in_scope(gather(logits, likeness))[0])
    best = np.sort(probabilities)[::-1][:OFFERED]
    certainty = in_scope * float(best[0])
    if certainty >= bar.limit:
        decision: Decision = "answer"
    else:
        decision = "clarify" if in_scope * float(best.sum()) >= WORTH_ASKING else "people"
    return Verdict(probabilities=probabilities, in_scope=in_scope, certainty=certainty, decision=decision)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Held-out messages as judged: what an answer to each would have been worth."""

    #: the chance of being right that was given to each
    certainty: Floats
    #: whether it would have been
    is_right: Flags

    def limit(self, most_wrong: float) -> float:
        """Return the least certainty of an answer that keeps the share of wrong ones among answers at `most_wrong`.

        It is never below `LEAST_CERTAINTY`. Where nothing keeps the share, only what is more certain than all of the
        trial is answered.
        """
        order, _, wrong = self._running()
        kept = np.flatnonzero(wrong <= most_wrong)
        certainty = self.certainty[order]
        if not len(kept):
            return float(np.nextafter(certainty[0], np.float32(2)))
        return max(LEAST_CERTAINTY, float(certainty[kept[-1]]))

    def curve(self) -> list[tuple[float, float, float]]:
        """Return (share answered, share of them wrong, certainty needed) at even steps of the share answered."""
        order, shown, wrong = self._running()
        at = np.searchsorted(shown, np.linspace(0, 1, CURVE_POINTS)[1:]).clip(max=len(order) - 1)
        return [(float(shown[i]), float(wrong[i]), float(self.certainty[order[i]])) for i in at]

    def _running(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        order = np.argsort(-self.certainty, kind="stable")
        count = np.arange(1, len(order) + 1)
        return order, count / len(order), np.cumsum(~self.is_right[order]) / count
