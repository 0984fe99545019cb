"""Finds out from training messages alone how far a classifier can be trusted: it is tried on what it has not seen.

Messages of intents it knows come from held-out folds; strangers come from trials in which a third of the intents was
left out of the training. No out-of-scope examples are needed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from bot.engine.components.decision import Bar, Flags, Trial, gather
from bot.engine.components.memory import remember
from bot.engine.components.softmax import (
    Floats,
    Head,
    Labels,
    best_temperature,
    blank_head,
    confidences,
    fit_head,
    mean_head,
)

#: Times that a third of the intents is left out, and the share of the others' messages that is held out beside them.
_ROUNDS, _HELD_OUT = 3, 4
#: From so many messages on, few folds and no noisy copies find the same bar in a fifth of the time.
_MANY, _FEW_FOLDS = 6_000, 3
#: Messages of an intent that these rounds look at.
_OF_AN_INTENT = 24
#: What likeness to training messages may add to logits: so many times as much as they differ by themselves.
_KINSHIPS = (0.2, 0.35, 0.5)


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What a classifier is trained on, and how."""

    #: (messages, width) of the messages as written, then of their noisy copies in the same order
    copies: list[Floats]
    #: (messages,)
    labels: Labels
    #: how many columns, from the first, are the sentence vector; nought where there is none
    dense: int
    #: of the rows, so many at the end are learnt from and never asked: names of intents, and what other languages lend
    unasked: int = 0
    #: strength of the pull of all weights towards zero
    l2: float
    #: steps of the optimiser at most
    steps: int
    seed: int

    @property
    def classes(self) -> int:
        """How many intents there are."""
        return int(self.labels.max()) + 1

    @property
    def asked(self) -> Labels:
        """The labels of the messages that are asked."""
        return self.labels[: len(self.labels) - self.unasked]

    @property
    def others(self) -> Labels:
        """The rows of the others."""
        return np.arange(len(self.asked), len(self.labels))

    @property
    def haste(self) -> int:
        """What the steps are divided by where others of its heads are fitted too, or come before."""
        return 4 if len(self.labels) > _MANY else 2

    def few(self, most: int) -> Lesson:
        """Return a lesson of at most so many messages of each intent."""
        rows = np.append(_few(self.asked, most, np.random.default_rng(self.seed)), self.others)
        return replace(self, copies=[copy[rows] for copy in self.copies], labels=self.labels[rows])

    def part(self, rows: Labels, labels: Labels) -> Lesson:
        """Return the lesson of these rows only, with labels of their own, in fewer steps: it finds the same bar."""
        copies = [copy[rows] for copy in self.copies]
        return replace(self, copies=copies, labels=labels, unasked=0, steps=max(1, self.steps // self.haste))


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
    #: near what fits the whole lesson
    start: Head


@dataclass(frozen=True, kw_only=True)
class _Seen:
    logits: Floats
    #: to the training messages; none where there are no sentence vectors
    likeness: Floats | None

    def with_kin(self, kinship: float) -> Floats:
        """Return the logits with what likeness adds to them."""
        return self.logits if self.likeness is None else self.logits + np.float32(kinship) * self.likeness


def try_out(lesson: Lesson, folds: int, most_wrong: float, strangers: float) -> Findings:
    """Return how to judge messages so that of the answers to those on the bot's topics at most `most_wrong` are wrong.

    `strangers` is the share of out-of-scope messages that is expected among all: the greater, the less is answered.
    """
    held_out, start = _held_out(lesson, folds)
    kinship, temperature = _kinship(held_out, lesson.asked)
    logits = held_out.with_kin(kinship)
    friends, left_out, foreign_logits = _left_out(lesson, kinship)
    weights, bias = _weigh(friends, left_out)
    # The weights were found with as many friends as strangers.
    bias += float(np.log((1 - strangers) / max(strangers, 1e-6)))
    bar = Bar(temperature=temperature, weights=weights, bias=bias, limit=0.0, kinship=kinship)
    probabilities = confidences(logits, temperature)
    trial = Trial(
        certainty=bar.in_scope(gather(logits, held_out.likeness)) * probabilities.max(1),
        is_right=logits.argmax(1) == lesson.asked,
    )
    foreign = [confidences(part, temperature).max(1) for part in foreign_logits]
    stranger_certainty = bar.in_scope(left_out) * np.concatenate([np.zeros(0, np.float32), *foreign])
    bar = replace(bar, limit=trial.limit(most_wrong))
    return Findings(bar=bar, trial=trial, held_out=probabilities, strangers=stranger_certainty, start=start)


def fit_whole(lesson: Lesson, start: Head) -> Head:
    """Fit a head to all of a lesson, from the head that trials ended with: it is not far, so a part of the steps do."""
    features, labels = np.concatenate(lesson.copies), np.tile(lesson.labels, len(lesson.copies))
    return fit_head(features, labels, start, lesson.l2, max(1, lesson.steps // lesson.haste))


def _kinship(held_out: _Seen, labels: Labels) -> tuple[float, float]:
    """Return how much likeness should add to logits, by what makes the truth least surprising, and the temperature."""
    if held_out.likeness is None:
        return 0.0, best_temperature(held_out.logits, labels)[0]
    unit = float(held_out.logits.std(1).mean() / max(held_out.likeness.std(1).mean(), 1e-6))
    tried = {share * unit: best_temperature(held_out.with_kin(share * unit), labels) for share in _KINSHIPS}
    kinship = min(tried, key=lambda one: tried[one][1])
    return kinship, tried[kinship][0]


def _held_out(lesson: Lesson, folds: int) -> tuple[_Seen, Head]:
    """Return what is seen of each message as written by a head that saw neither it nor its noisy copies.

    With it comes the mean of the heads, each of which saw most messages.
    """
    dice = np.random.default_rng(lesson.seed)
    labels, asked, classes = lesson.labels, lesson.asked, lesson.classes
    if len(labels) > _MANY:
        lesson, folds = replace(lesson, copies=lesson.copies[:1]), min(folds, _FEW_FOLDS)
    # What is not asked is in none.
    fold = np.full(len(labels), -1, np.intp)
    for label in range(classes):
        members = dice.permutation(np.flatnonzero(asked == label))
        fold[members] = np.arange(len(members)) % folds
    logits = np.zeros((len(asked), classes), np.float32)
    likeness = np.zeros_like(logits) if lesson.dense else None
    heads: list[Head] = []
    for number in range(folds):
        rows, unseen = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        if len(rows) and len(unseen):
            seen, head = _look(lesson.part(rows, labels[rows]), lesson.copies[0][unseen], classes)
            heads.append(head)
            logits[unseen] = seen.logits
            if likeness is not None and seen.likeness is not None:
                likeness[unseen] = seen.likeness
    return _Seen(logits=logits, likeness=likeness), mean_head(heads or [blank_head(lesson.copies[0].shape[1], classes)])


def _few(labels: Labels, most: int, dice: np.random.Generator) -> Labels:
    """Return the rows of at most so many messages of each intent."""
    classes = int(labels.max()) + 1
    return np.concatenate([dice.permutation(np.flatnonzero(labels == label))[:most] for label in range(classes)])


def _left_out(lesson: Lesson, kinship: float) -> tuple[Floats, Floats, list[Floats]]:
    """Return the evidence of held-out messages of known intents, that of intents left out, and the logits of these."""
    dice = np.random.default_rng(lesson.seed)
    rows = _few(lesson.asked, _OF_AN_INTENT, dice)
    friends: list[Floats] = []
    strangers: list[Floats] = []
    foreign_logits: list[Floats] = []
    for left in np.array_split(dice.permutation(lesson.classes), min(_ROUNDS, lesson.classes)):
        is_left = np.isin(lesson.labels[rows], left)
        known = dice.permutation(rows[~is_left])
        held, learnt = np.split(known, [len(known) // _HELD_OUT])
        learnt = np.append(learnt, lesson.others[np.isin(lesson.labels[lesson.others], lesson.labels[learnt])])
        intents, labels = np.unique(lesson.labels[learnt], return_inverse=True)
        if len(intents) < 2 or not len(held):
            continue
        asked = np.concatenate([held, rows[is_left]])
        seen, _ = _look(lesson.part(learnt, labels.astype(np.intp)), lesson.copies[0][asked], len(intents))
        logits = seen.with_kin(kinship)
        evidence = gather(logits, seen.likeness)
        friends.append(evidence[: len(held)])
        strangers.append(evidence[len(held) :])
        foreign_logits.append(logits[len(held) :])
    width = 4 if lesson.dense else 2
    return _stacked(friends, width), _stacked(strangers, width), foreign_logits


def _stacked(parts: list[Floats], width: int) -> Floats:
    return np.concatenate([np.zeros((0, width), np.float32), *parts])


def _look(lesson: Lesson, unseen: Floats, classes: int) -> tuple[_Seen, Head]:
    """Return what a classifier trained on the lesson sees of messages, and its head."""
    features, labels = np.concatenate(lesson.copies), np.tile(lesson.labels, len(lesson.copies))
    head = fit_head(features, labels, blank_head(features.shape[1], classes), lesson.l2, lesson.steps)
    likeness = None
    if lesson.dense:
        memory = remember(lesson.copies[0][:, : lesson.dense], lesson.labels, lesson.seed)
        likeness = memory.likeness(unseen[:, : lesson.dense], classes)
    return _Seen(logits=head.logits(unseen), likeness=likeness), head


def _weigh(friends: Floats, strangers: Floats) -> tuple[Floats, float]:
    """Return weights of the evidence and the bias that tell friends from strangers; both count the same."""
    evidence = np.concatenate([friends, strangers])
    if not len(friends) or not len(strangers):
        # Too few intents to leave some out: everything is in scope.
        return np.zeros(evidence.shape[1], np.float32), 20.0
    middle, spread = evidence.mean(0), evidence.std(0) + 1e-6
    is_friend = np.repeat([True, False], [len(friends), len(strangers)])
    found = _two_sides((evidence - middle) / spread, is_friend)
    weights = (found[:-1] / spread).astype(np.float32)
    return weights, float(found[-1] - weights @ middle)


def _two_sides(evidence: Floats, is_friend: Flags) -> npt.NDArray[np.float64]:
    """Return the weights, and last the bias, of a logistic regression in which both sides count the same."""
    from scipy.optimize import minimize

    columns = np.column_stack([evidence, np.ones(len(evidence))]).astype(np.float64)
    side = np.where(is_friend, 1.0, -1.0)
    counts = len(side) / 2 / np.where(is_friend, is_friend.sum(), (~is_friend).sum())

    def loss_and_slope(weights: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        margins = side * (columns @ weights)
        pull = np.append(weights[:-1], 0.0)
        wrong = 1 / (1 + np.exp(np.minimum(margins, 500)))
        loss = float(counts @ np.logaddexp(0, -margins)) + 0.5 * float(pull @ pull)
        return loss, pull - columns.T @ (counts * side * wrong)

    found: npt.NDArray[np.float64] = minimize(
        loss_and_slope, np.zeros(columns.shape[1]), jac=True, method="L-BFGS-B", options={"gtol": 1e-4}
    ).x
    return found
