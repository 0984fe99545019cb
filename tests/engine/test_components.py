from __future__ import annotations

import logging
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasa.engine.graph import ExecutionContext, GraphSchema
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.shared.exceptions import InvalidConfigException
from rasa.shared.importers.rasa import RasaFileImporter
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.engine.components.intent_classifier import LinearIntentClassifier
from bot.engine.components.ngrams import MAX_LENGTH, NgramVectorizer
from bot.engine.components.sentence_featurizer import TYPO_TEXT, SentenceEmbeddingFeaturizer
from bot.engine.components.softmax import Fit, fit_head, judge
from bot.engine.components.typos import with_typos
from tests.engine.conftest import SMALL_BOT

CONTEXT = ExecutionContext(GraphSchema({}), node_name="node")


def examples() -> TrainingData:
    """Return the small bot's training messages."""
    importer = RasaFileImporter(str(SMALL_BOT / "config.yml"), str(SMALL_BOT / "domain.yml"), [str(SMALL_BOT / "data")])
    return importer.get_nlu_data()


def featurizer(folder: Path) -> SentenceEmbeddingFeaturizer:
    """Return a featurizer over the encoder in a folder."""
    config = {**SentenceEmbeddingFeaturizer.get_default_config(), "encoder": str(folder)}
    return SentenceEmbeddingFeaturizer.create(config, None, Resource("featurizer"), CONTEXT)


def trained(folder: Path, storage: Path, **config: Any) -> LinearIntentClassifier:
    """Train a classifier on messages seen through the encoder in a folder, and load it anew from what it kept."""
    storage.mkdir(exist_ok=True)
    kept = LocalModelStorage(storage)
    classifier = LinearIntentClassifier.create(config, kept, Resource("classifier"), CONTEXT)
    classifier.train(featurizer(folder).process_training_data(examples()))
    return LinearIntentClassifier.load(config, kept, Resource("classifier"), CONTEXT)


def understand(classifier: LinearIntentClassifier, seen_by: SentenceEmbeddingFeaturizer, text: str) -> dict[str, Any]:
    """Return what the classifier says of a text."""
    (message,) = classifier.process(seen_by.process([Message.build(text)]))
    return message.as_dict(only_output_properties=True)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def classifier(encoder_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> LinearIntentClassifier:
    """Return a classifier trained on the small bot."""
    return trained(encoder_folder, tmp_path_factory.mktemp("storage"))


def test_other_words_for_the_same_are_understood(classifier: LinearIntentClassifier, encoder_folder: Path) -> None:
    """A message in words that no training message has gets its intent, typos and all."""
    seen_by = featurizer(encoder_folder)
    for text, intent in [
        ("has the postman got my stuff", "order_status"),
        ("whne do u close on sundya", "opening_hours"),
        ("i would liek to send teh mug back", "return_start"),
    ]:
        assert understand(classifier, seen_by, text)["intent"]["name"] == intent


def test_the_ranking_is_sorted_and_sums_to_one(classifier: LinearIntentClassifier, encoder_folder: Path) -> None:
    """Confidences are shares of one, best first."""
    said = understand(classifier, featurizer(encoder_folder), "when do you close")
    confidences = [entry["confidence"] for entry in said["intent_ranking"]]
    assert confidences == sorted(confidences, reverse=True)
    assert sum(confidences) == pytest.approx(1, abs=1e-4)
    assert said["intent"] == said["intent_ranking"][0]
    assert said["is_request"] is True
    assert 0 < said["in_scope"] <= 1


def test_far_away_messages_get_the_fallback_and_the_best_guesses(
    classifier: LinearIntentClassifier, encoder_folder: Path
) -> None:
    """What no intent wants is turned away; the guesses follow the fallback."""
    said = understand(classifier, featurizer(encoder_folder), "the mitochondrion is the powerhouse of the cell")
    assert said["intent"]["name"] == said["intent_ranking"][0]["name"] == "nlu_fallback"
    assert said["intent_ranking"][1]["name"] != "nlu_fallback"
    assert said["is_request"] is False
    assert len(said["intent_ranking"]) == 10


def test_training_is_repeatable(classifier: LinearIntentClassifier, encoder_folder: Path, tmp_path: Path) -> None:
    """The same data gives the same classifier."""
    again, seen_by = trained(encoder_folder, tmp_path / "s"), featurizer(encoder_folder)
    for text in ("where is it", "cancel", "what is love"):
        assert understand(again, seen_by, text) == understand(classifier, seen_by, text)


def test_without_the_encoder_ngrams_alone_do(
    classifier: LinearIntentClassifier, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A model trained with the encoder still works where its files are missing, and the log says so."""
    with caplog.at_level(logging.WARNING):
        said = understand(classifier, featurizer(tmp_path), "please cancel my order")
    assert said["intent"]["name"] == "order_cancel"
    assert "No sentence encoder" in caplog.text
    assert "n-grams alone" in caplog.text


def test_a_model_can_be_trained_without_the_encoder(tmp_path: Path) -> None:
    """Where there is no encoder at training the model learns from n-grams."""
    folder = tmp_path / "none"
    said = understand(trained(folder, tmp_path / "s"), featurizer(folder), "what are your opening hours")
    assert said["intent"]["name"] == "opening_hours"


def test_a_model_holds_no_pickle(small_model: Path) -> None:
    """Our components keep numbers and text only: loading a model runs no code out of it."""
    with tarfile.open(small_model) as archive:
        files = [Path(member.name) for member in archive.getmembers() if member.isfile()]
    ours = [file for file in files if "bot.engine" in str(file)]
    assert {file.suffix for file in ours} == {".json", ".npz"}


@pytest.mark.parametrize("config", [{"far_rejects": 1}, {"near_rejects": -0.1}, {"folds": 1}])
def test_settings_without_meaning_are_refused(config: dict[str, Any]) -> None:
    """A setting that makes no sense is refused by name before training."""
    with pytest.raises(InvalidConfigException, match=next(iter(config))):
        LinearIntentClassifier.validate_config(config)


def test_one_intent_cannot_be_learnt(tmp_path: Path) -> None:
    """Data with a single intent is refused."""
    message = Message.build("hi", intent="greet")
    classifier = LinearIntentClassifier.create({}, LocalModelStorage(tmp_path), Resource("c"), CONTEXT)
    with pytest.raises(InvalidConfigException, match="fewer than two intents"):
        classifier.train(TrainingData([message]))


def test_training_messages_get_one_mistyped_copy(encoder_folder: Path) -> None:
    """The featurizer gives each training message a noisy copy with a vector of its own."""
    data = featurizer(encoder_folder).process_training_data(
        TrainingData([Message.build("where is my order please", "x")])
    )
    (message,) = data.training_examples
    assert message.get(TYPO_TEXT)
    assert {feature.attribute for feature in message.features} == {"text", TYPO_TEXT}


@given(st.text(max_size=60), st.integers(0, 5))
def test_typos_are_repeatable_and_keep_what_is_no_letter(text: str, seed: int) -> None:
    """The same text and seed give the same typos; no typos are made where the rate is nought."""
    assert with_typos(text, 0.3, seed) == with_typos(text, 0.3, seed)
    assert with_typos(text, 0, seed) == text
    kept = [letter for letter in text if not letter.isalpha()]
    assert [letter for letter in with_typos(text, 0.3, seed) if not letter.isalpha()] == kept


@given(st.text(max_size=200))
def test_any_text_can_be_weighed(text: str) -> None:
    """Each part of a text's n-grams has length one or nought, whatever the text."""
    vectorizer = NgramVectorizer.fit(["where is my order", "where is my mug?", "are you open"])
    rows, weights = vectorizer.weigh(text)
    assert len(rows) == len(weights) == len(set(rows.tolist()))
    assert float(np.square(weights).sum()) <= 2.0001


def test_only_the_beginning_of_an_endless_text_is_weighed() -> None:
    """A text without end costs no more than its beginning."""
    vectorizer = NgramVectorizer.fit(["a b", "c d"])
    assert vectorizer.weigh("a" * MAX_LENGTH + " c")[0].tolist() == vectorizer.weigh("a" * MAX_LENGTH)[0].tolist()


def test_a_head_tells_honest_confidences_and_turns_strangers_away() -> None:
    """On three clouds of points the head is right, sure of it, and does not know a point far from all of them."""
    dice = np.random.default_rng(1)
    centres = np.eye(3, 8, dtype=np.float32)
    labels = np.repeat(np.arange(3), 40)
    points = (centres[labels] + 0.1 * dice.standard_normal((120, 8))).astype(np.float32)
    fit = Fit(l2=1e-3, max_iterations=100, folds=4, far_rejects=0.02, near_rejects=0.02, seed=0)
    head = fit_head([points], labels, fit)
    assert head.accuracy > 0.98
    for label, centre in enumerate(centres):
        verdict = judge(head, centre @ head.weights + head.bias)
        assert verdict.accepted
        assert verdict.probabilities.argmax() == label
        assert verdict.probabilities.sum() == pytest.approx(1, abs=1e-5)
    stranger = np.zeros(8, np.float32)
    stranger[7] = 1
    assert not judge(head, stranger @ head.weights + head.bias).accepted
    between = (centres[0] + centres[1]) / 2
    assert not judge(head, between @ head.weights + head.bias).accepted
