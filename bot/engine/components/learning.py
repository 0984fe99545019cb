"""How the intent classifier learns from training messages that the featurizer has seen."""

from __future__ import annotations

import logging
from dataclasses import fields
from typing import Any

import numpy as np
from rasa.shared.nlu.constants import INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message

from bot.engine.components.knowledge import Knowledge, Sight
from bot.engine.components.ngrams import NgramVectorizer
from bot.engine.components.sentence_featurizer import ORIGIN, TYPO_TEXT
from bot.engine.components.softmax import Fit, Floats, Head, fit_head

logger = logging.getLogger(__name__)


def learn(examples: list[Message], config: dict[str, Any]) -> Knowledge:
    """Fit both heads on the examples and their noisy copies."""
    texts = [[example.get(TEXT) for example in examples]]
    if all(example.get(TYPO_TEXT) for example in examples):
        texts.append([example.get(TYPO_TEXT) for example in examples])
    intents = sorted({example.get(INTENT) for example in examples})
    labels = np.asarray([intents.index(example.get(INTENT)) for example in examples], np.intp)
    fit = Fit(**{field.name: config[field.name] for field in fields(Fit)})
    vectorizer = NgramVectorizer.fit(texts[0])
    narrow, projection = _narrow(vectorizer, texts, config)
    plain = _sight(fit_head(narrow, labels, fit), projection, 0)
    encoder = _encoder_of(examples)
    full = None
    if encoder:
        dense = [_vectors(examples, attribute, encoder) for attribute in (TEXT, TYPO_TEXT)[: len(texts)]]
        width = dense[0].shape[1]
        both = [np.hstack([vectors, ngrams]) for vectors, ngrams in zip(dense, narrow, strict=True)]
        full = _sight(fit_head(both, labels, fit), projection, width)
    best = (full or plain).head.accuracy
    logger.info("Learnt %d intents from %d examples, %.3f right on held-out folds", len(intents), len(examples), best)
    return Knowledge(intents=intents, vectorizer=vectorizer, plain=plain, full=full, encoder=encoder)


def _narrow(vectorizer: NgramVectorizer, texts: list[list[str]], config: dict[str, Any]) -> tuple[list[Floats], Floats]:
    """Return the n-gram features of each copy in few columns, and the (n-grams, columns) matrix that makes them."""
    from sklearn.utils.extmath import randomized_svd

    copies = [_ngram_matrix(vectorizer, copy) for copy in texts]
    width = min(config["ngram_width"], *(size - 1 for size in copies[0].shape))
    _, _, directions = randomized_svd(copies[0], n_components=width, n_iter=3, random_state=config["seed"])
    projection = (config["ngram_weight"] * directions.T).astype(np.float32)
    return [np.asarray(copy @ projection, np.float32) for copy in copies], projection


def _ngram_matrix(vectorizer: NgramVectorizer, texts: list[str]) -> Any:
    from scipy.sparse import csr_matrix

    weighed = [vectorizer.weigh(text) for text in texts]
    starts = np.cumsum([0, *(len(rows) for rows, _ in weighed)])
    columns, values = np.concatenate([rows for rows, _ in weighed]), np.concatenate([weights for _, weights in weighed])
    return csr_matrix((values, columns, starts), shape=(len(texts), len(vectorizer.idf)))


def _sight(head: Head, projection: Floats, width: int) -> Sight:
    """Fold the projection into the weights, so that n-grams lead to logits in one step."""
    return Sight(head=head, ngram_logits=projection @ head.weights[width:])


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


def _vectors(examples: list[Message], attribute: str, origin: str) -> Floats:
    return np.stack(
        [vector for example in examples if (vector := sentence_vector(example, attribute, origin)) is not None]
    )
