"""How the intent classifier learns from training messages that the featurizer has seen."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from rasa.shared.nlu.constants import INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message

from bot.engine.components.knowledge import Knowledge, Sight
from bot.engine.components.memory import remember
from bot.engine.components.narrowing import strongest_directions
from bot.engine.components.ngrams import NgramVectorizer
from bot.engine.components.sentence_featurizer import LENT_TEXT, NAME_TEXT, ORIGIN, TYPO_TEXT, in_words
from bot.engine.components.softmax import Floats, Labels
from bot.engine.components.trials import Findings, Lesson, fit_whole, try_out

logger = logging.getLogger(__name__)

#: Confidences are compared with what came true in this many bins.
_BINS = 15
#: Mistakes that a report lists at most.
_MISTAKES = 2_000
#: Messages of an intent that the trials of n-grams alone look at, where these are for emergencies only.
_FEW = 40


def learn(examples: list[Message], config: dict[str, Any], lent: Sequence[Message] = ()) -> Knowledge:
    """Learn to see messages with and without their sentence vectors, from the examples and their noisy copies.

    `lent` are examples in other languages with vectors of the same encoder (`LENT_TEXT`): they are learnt from where
    vectors are, but never asked in the trials, for what is certain in one language is not in another.
    """
    texts = [[example.get(TEXT) for example in examples]]
    if all(example.get(TYPO_TEXT) for example in examples):
        texts.append([example.get(TYPO_TEXT) for example in examples])
    intents = sorted({example.get(INTENT) for example in examples})
    labels = np.asarray([intents.index(example.get(INTENT)) for example in examples], np.intp)
    # What an intent is called says what is meant by it, as an example does.
    names = [in_words(intent) for intent in intents] if config["names"] else []
    vectorizer = NgramVectorizer.fit([*texts[0], *names])
    narrow, projection = _narrow(vectorizer, [[*copy, *names] for copy in texts], config)
    encoder, full = _encoder_of(examples), None
    lesson = _lesson(narrow[:1], labels, {**config, "max_iterations": config["max_iterations"] // 2}, len(names))
    plain, found = _sight(lesson, projection, config, tried=lesson.few(_FEW) if encoder else lesson)
    if encoder:
        called = {example.get(INTENT): example for example in examples}
        of_names = _vectors([called[intent] for intent in intents] if names else [], NAME_TEXT, encoder)
        dense = [[*_vectors(examples, attribute, encoder), *of_names] for attribute in (TEXT, TYPO_TEXT)[: len(texts)]]
        both = [np.hstack([np.stack(vectors), ngrams]) for vectors, ngrams in zip(dense, narrow, strict=True)]
        lesson = _lesson(both, labels, config, len(names), dense=len(dense[0][0]))
        lesson = _with_lent(lesson, lent, intents, encoder)
        full, found = _sight(lesson, projection, config)
    told = report(texts[0], labels, intents, found)
    told |= {"wrong_with_strangers": wrong_with_strangers(found, config["strangers"])}
    logger.info(
        "Learnt %d intents from %d examples, %.3f right when held out", len(intents), len(labels), told["accuracy"]
    )
    return Knowledge(
        intents=intents, vectorizer=vectorizer, plain=plain, full=full, encoder=encoder,
        report={**told, "wrong_answers_max": config["wrong_answers_max"], "strangers": config["strangers"]},
    )  # fmt: skip


def _with_lent(lesson: Lesson, lent: Sequence[Message], intents: list[str], encoder: str) -> Lesson:
    known = [example for example in lent if example.get(INTENT) in intents]
    vectors = _vectors(known, LENT_TEXT, encoder)
    if not vectors:
        return lesson
    # Of n-grams they have none: another language has others.
    width = lesson.copies[0].shape[1] - lesson.dense
    rows = np.hstack([np.stack(vectors), np.zeros((len(vectors), width), np.float32)])
    labels = np.asarray([intents.index(example.get(INTENT)) for example in known], np.intp)
    return replace(
        lesson,
        copies=[np.concatenate([copy, rows]) for copy in lesson.copies],
        labels=np.append(lesson.labels, labels),
        unasked=lesson.unasked + len(known),
    )


def report(texts: list[str], labels: Labels, intents: list[str], found: Findings) -> dict[str, Any]:
    """Return what trials told, for people: shares of held-out messages, the curve, and which intents quarrel.

    `curve` has (share answered, share of them wrong, certainty needed); `confusions` has (intent, taken for, count,
    an example).
    """
    guesses = found.held_out.argmax(1)
    limit = found.bar.limit
    shown = found.trial.certainty >= limit
    confusions: dict[tuple[str, str], list[str]] = {}
    for row in np.flatnonzero(guesses != labels):
        confusions.setdefault((intents[labels[row]], intents[guesses[row]]), []).append(texts[row])
    return {
        "intents": intents,
        "messages": np.bincount(labels, minlength=len(intents)).tolist(),
        "accuracy": float((guesses == labels).mean()),
        "calibration_error": _calibration_error(found.held_out, labels),
        "limit": limit,
        "answered": float(shown.mean()),
        "wrong": float((~found.trial.is_right)[shown].mean()) if shown.any() else 0.0,
        "strangers_turned_away": float((found.strangers < limit).mean()) if len(found.strangers) else None,
        "curve": found.trial.curve(),
        "confusions": sorted(
            ((*pair, len(told), told[0]) for pair, told in confusions.items()), key=lambda entry: -entry[2]
        )[:_MISTAKES],
    }


def wrong_with_strangers(found: Findings, share: float) -> float:
    """Return the share of wrong ones among all answers where so many messages have no topic of the bot's.

    All answers to strangers are wrong. Those that were tried have topics next to the bot's, which is the hardest kind.
    """
    limit = found.bar.limit
    shown = found.trial.certainty >= limit
    wrong = (1 - share) * float((shown & ~found.trial.is_right).mean())
    let_in = share * float((found.strangers >= limit).mean()) if len(found.strangers) else 0.0
    return (wrong + let_in) / max((1 - share) * float(shown.mean()) + let_in, 1e-9)


def _calibration_error(probabilities: Floats, labels: Labels) -> float:
    """Return the mean distance between confidence and what came true."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = [
        (bins == number).mean() * abs(right[bins == number].mean() - confidence[bins == number].mean())
        for number in set(bins.tolist())
    ]
    return float(sum(gaps))


def _lesson(copies: list[Floats], labels: Labels, config: dict[str, Any], named: int, dense: int = 0) -> Lesson:
    return Lesson(
        copies=copies, labels=np.append(labels, np.arange(named)), unasked=named, dense=dense, l2=config["l2"],
        steps=config["max_iterations"], seed=config["seed"],
    )  # fmt: skip


def _sight(
    lesson: Lesson, projection: Floats, config: dict[str, Any], tried: Lesson | None = None
) -> tuple[Sight, Findings]:
    """Find out in trials how to judge what a head says, and fit it; the trials may be of less than the lesson."""
    found = try_out(tried or lesson, config["folds"], config["wrong_answers_max"], config["strangers"])
    head = fit_whole(lesson, found.start)
    memory = remember(lesson.copies[0][:, : lesson.dense], lesson.labels, lesson.seed) if lesson.dense else None
    # The projection is folded into the weights, so that n-grams lead to logits in one step.
    ngram_logits = projection @ head.weights[lesson.dense :]
    dense_logits = head.weights[: lesson.dense]
    return Sight(
        bias=head.bias, ngram_logits=ngram_logits, dense_logits=dense_logits, bar=found.bar, memory=memory
    ), found


def _narrow(vectorizer: NgramVectorizer, texts: list[list[str]], config: dict[str, Any]) -> tuple[list[Floats], Floats]:
    """Return the n-gram features of each copy in few columns, and the (n-grams, columns) matrix that makes them."""
    copies = [_ngram_matrix(vectorizer, copy) for copy in texts]
    width = min(config["ngram_width"], *(size - 1 for size in copies[0].shape))
    projection = np.float32(config["ngram_weight"]) * strongest_directions(copies[0], width, config["seed"])
    return [np.asarray(copy @ projection, np.float32) for copy in copies], projection


def _ngram_matrix(vectorizer: NgramVectorizer, texts: list[str]) -> Any:
    from scipy.sparse import csr_matrix

    weighed = [vectorizer.weigh(text) for text in texts]
    starts = np.cumsum([0, *(len(rows) for rows, _ in weighed)])
    columns, values = np.concatenate([rows for rows, _ in weighed]), np.concatenate([weights for _, weights in weighed])
    return csr_matrix((values, columns, starts), shape=(len(texts), len(vectorizer.idf)))


def _encoder_of(examples: list[Message]) -> str:
    """Return the origin of the sentence vectors, or an empty string unless every example has one."""
    origins = {feature.origin for example in examples for feature in example.features if feature.attribute == TEXT}
    origins = {origin for origin in origins if str(origin).startswith(ORIGIN)}
    return str(origins.pop()) if len(origins) == 1 else ""


def sentence_vector(message: Message, attribute: str, origin: str) -> Floats | None:
    """Return the sentence vector of this origin that the featurizer gave this attribute, if it did."""
    for feature in message.features:
        if feature.attribute == attribute and feature.origin == origin:
            vector: Floats = feature.features[0]
            return vector
    return None


def _vectors(examples: list[Message], attribute: str, origin: str) -> list[Floats]:
    return [vector for example in examples if (vector := sentence_vector(example, attribute, origin)) is not None]
