"""Finds out from training messages alone how far a classifier can be trusted: it is tried on what it has not seen.

Messages of intents it knows come from held-out folds; strangers come from trials in which a third of the intents was
left out of the training. No out-of-scope examples are needed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bot.engine.components.decision import Bar, Trial, gather
from bot.engine.components.memory import remember
from bot.engine.components.softmax import Floats, Labels, best_temperature, confidences, fit_head

#: Times that a third of the intents is left out, and the share of the others' messages that is held out beside them.
_ROUNDS, _HELD_OUT = 3, 4
#: From so many messages on, few folds and no noisy copies find the same bar in a fifth of the time.
_MANY, _FEW_FOLDS = 6_000, 3
#: Messages of an intent that these rounds look at.
_OF_AN_INTENT = 24


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What a classifier is trained on, and how."""

    #: (messages, width) of the messages as written, then of their noisy copies in the same order
    copies: list[Floats]
    #: (messages,)
    labels: Labels
    #: how many columns, from the first, are the sentence vector; nought where there is none
    dense: int
    #: strength of the pull of all weights towards zero
    l2: float
    #: steps of the optimiser at most
    steps: int
    seed: int

    def part(self, rows: Labels, labels: Labels) -> Lesson:
        """Return the lesson of these rows only, with labels of their own, in half the steps: it finds the same bar."""
        copies = [copy[rows] for copy in self.copies]
        return replace(self, copies=copies, labels=labels, steps=max(1, self.steps // 2))


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What trials tell."""

    bar: Bar
    #: what the bar was set by
    trial: Trial
    #: (messages, intents): honest confidences in each training message when held out
    held_out: Floats
    #: the certainty that messages of intents left out were given, which should be low
    strangers: Floats


@dataclass(frozen=True, kw_only=True)
class _Seen:
    logits: Floats
    evidence: Floats


def try_out(lesson: Lesson, folds: int, most_wrong: float, strangers: float) -> Findings:
    """Return how to judge messages so that of the answers to those on the bot's topics at most `most_wrong` are wrong.

    `strangers` is the share of out-of-scope messages that is expected among all: the greater, the less is answered.
    """
    held_out = _held_out(lesson, folds)
    temperature = best_temperature(held_out.logits, lesson.labels)
    friends, left_out = _left_out(lesson)
    weights, bias = _weigh(friends, left_out.evidence)
    # The weights were found with as many friends as strangers.
    bias += float(np.log((1 - strangers) / max(strangers, 1e-6)))
    bar = Bar(temperature=temperature, weights=weights, bias=bias, limit=0.0)
    probabilities = confidences(held_out.logits, temperature)
    trial = Trial(
        certainty=bar.in_scope(held_out.evidence) * probabilities.max(1),
        is_right=held_out.logits.argmax(1) == lesson.labels,
    )
    stranger_certainty = bar.in_scope(left_out.evidence) * confidences(left_out.logits, temperature).max(1)
    bar = Bar(temperature=temperature, weights=weights, bias=bias, limit=trial.limit(most_wrong))
    return Findings(bar=bar, trial=trial, held_out=probabilities, strangers=stranger_certainty)


def _held_out(lesson: Lesson, folds: int) -> _Seen:
    """Return what is seen of each message as written by a head that saw neither it nor its noisy copies."""
    dice = np.random.default_rng(lesson.seed)
    labels, classes = lesson.labels, int(lesson.labels.max()) + 1
    if len(labels) > _MANY:
        lesson, folds = replace(lesson, copies=lesson.copies[:1]), min(folds, _FEW_FOLDS)
    fold = np.zeros(len(labels), np.intp)
    for label in range(classes):
        members = dice.permutation(np.flatnonzero(labels == label))
        fold[members] = np.arange(len(members)) % folds
    logits = np.zeros((len(labels), classes), np.float32)
    evidence = np.zeros((len(labels), 4 if lesson.dense else 2), np.float32)
    for number in range(folds):
        rows, unseen = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        if len(rows) and len(unseen):
            seen = _look(lesson.part(rows, labels[rows]), lesson.copies[0][unseen], classes)
            logits[unseen], evidence[unseen] = seen.logits, seen.evidence
    return _Seen(logits=logits, evidence=evidence)


def _left_out(lesson: Lesson) -> tuple[Floats, _Seen]:
    """Return the evidence of held-out messages of known intents, and what is seen of those of intents left out."""
    dice = np.random.default_rng(lesson.seed)
    classes = int(lesson.labels.max()) + 1
    few = [dice.permutation(np.flatnonzero(lesson.labels == label))[:_OF_AN_INTENT] for label in range(classes)]
    rows = np.concatenate(few)
    friends: list[Floats] = []
    strangers: list[_Seen] = []
    for left in np.array_split(dice.permutation(classes), min(_ROUNDS, classes)):
        is_left = np.isin(lesson.labels[rows], left)
        known = dice.permutation(rows[~is_left])
        held, learnt = np.split(known, [len(known) // _HELD_OUT])
        intents, labels = np.unique(lesson.labels[learnt], return_inverse=True)
        if len(intents) < 2 or not len(held):
            continue
        asked = np.concatenate([held, rows[is_left]])
        seen = _look(lesson.part(learnt, labels.astype(np.intp)), lesson.copies[0][asked], len(intents))
        friends.append(seen.evidence[: len(held)])
        pad = np.full((len(asked) - len(held), classes - len(intents)), -np.inf, np.float32)
        strangers.append(_Seen(logits=np.hstack([seen.logits[len(held) :], pad]), evidence=seen.evidence[len(held) :]))
    width = 4 if lesson.dense else 2
    return _stacked(friends, width), _Seen(
        logits=_stacked([part.logits for part in strangers], classes),
        evidence=_stacked([part.evidence for part in strangers], width),
    )


def _stacked(parts: list[Floats], width: int) -> Floats:
    return np.concatenate([np.zeros((0, width), np.float32), *parts])


def _look(lesson: Lesson, unseen: Floats, classes: int) -> _Seen:
    """Return what a classifier trained on the lesson sees of messages; intents it does not know get no logit."""
    features, labels = np.concatenate(lesson.copies), np.tile(lesson.labels, len(lesson.copies))
    logits = fit_head(features, labels, lesson.l2, lesson.steps).logits(unseen)
    # The last intents may have no message in this part.
    lowest = logits.min(1, keepdims=True)
    logits = np.hstack([logits, np.repeat(lowest, classes - logits.shape[1], axis=1)])
    likeness = None
    if lesson.dense:
        memory = remember(lesson.copies[0][:, : lesson.dense], lesson.labels, lesson.seed)
        likeness = memory.likeness(unseen[:, : lesson.dense], classes)
    return _Seen(logits=logits, evidence=gather(logits, likeness))


def _weigh(friends: Floats, strangers: Floats) -> tuple[Floats, float]:
    """Return weights of the evidence and the bias that tell friends from strangers; both count the same."""
    from sklearn.linear_model import LogisticRegression

    evidence = np.concatenate([friends, strangers])
    if not len(friends) or not len(strangers):
        # Too few intents to leave some out: everything is in scope.
        return np.zeros(evidence.shape[1], np.float32), 20.0
    middle, spread = evidence.mean(0), evidence.std(0) + 1e-6
    is_friend = np.repeat([1, 0], [len(friends), len(strangers)])
    fitted = LogisticRegression(class_weight="balanced", max_iter=500).fit((evidence - middle) / spread, is_friend)
    weights = (fitted.coef_[0] / spread).astype(np.float32)
    return weights, float(fitted.intercept_[0] - weights @ middle)
