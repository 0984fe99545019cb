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

from bot.engine.components.decision import LEAST_CERTAINTY, Trial, judge
from bot.engine.components.intent_classifier import LinearIntentClassifier
from bot.engine.components.knowledge import NUMBERS_FILE
from bot.engine.components.memory import KEPT, remember
from bot.engine.components.ngrams import MAX_LENGTH, NgramVectorizer
from bot.engine.components.sentence_encoder import load_encoder
from bot.engine.components.sentence_featurizer import NAME_TEXT, TYPO_TEXT, SentenceEmbeddingFeaturizer
from bot.engine.components.softmax import blank_head, fit_head
from bot.engine.components.trials import Lesson, try_out
from bot.engine.components.typos import with_typos
from bot.engine.components.vector_cache import VectorCache
from tests.engine.conftest import SMALL_BOT

CONTEXT = ExecutionContext(GraphSchema({}), node_name="node")


def examples() -> TrainingData:
    """Return the small bot's training messages."""
    importer = RasaFileImporter(str(SMALL_BOT / "config.yml"), str(SMALL_BOT / "domain.yml"), [str(SMALL_BOT / "data")])
    return importer.get_nlu_data()


def featurizer(folder: Path, **config: Any) -> SentenceEmbeddingFeaturizer:
    """Return a featurizer over the encoder in a folder."""
    config = {**SentenceEmbeddingFeaturizer.get_default_config(), "encoder": str(folder), **config}
    return SentenceEmbeddingFeaturizer.create(config, None, Resource("featurizer"), CONTEXT)


def trained(folder: Path, storage: Path, **config: Any) -> LinearIntentClassifier:
    """Train a classifier on messages seen through the encoder in a folder, and load it anew from what it kept."""
    storage.mkdir(exist_ok=True)
    kept = LocalModelStorage(storage)
    config = {"wrong_answers_max": 0.2, "strangers": 0.2, **config}
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
    assert 0 < said["certainty"] <= said["in_scope"] <= 1
    assert said["decision"] == "answer"


def test_far_away_messages_get_the_fallback_and_the_best_guesses(
    classifier: LinearIntentClassifier, encoder_folder: Path
) -> None:
    """What no intent wants is turned away; the guesses follow the fallback."""
    said = understand(classifier, featurizer(encoder_folder), "the mitochondrion is the powerhouse of the cell")
    assert said["intent"]["name"] == said["intent_ranking"][0]["name"] == "nlu_fallback"
    assert said["intent_ranking"][1]["name"] != "nlu_fallback"
    assert said["is_request"] is False
    assert said["decision"] == "people"
    assert len(said["intent_ranking"]) == 10


def test_the_situation_tips_the_balance(encoder_folder: Path, tmp_path: Path) -> None:
    """What is likelier while people are asked is preferred then, and then alone."""
    waiting = {"queue": {"opening_hours": 1e12}}
    classifier, seen_by = trained(encoder_folder, tmp_path / "s", expected=waiting), featurizer(encoder_folder)

    def said(owner: str) -> str:
        message = Message({"text": "please cancel my order", "metadata": {"owner": owner}})
        classifier.process(seen_by.process([message]))
        return str(message.get("intent_ranking")[0]["name"])

    assert said("bot") == "order_cancel"
    assert said("queue") == "opening_hours"


def test_training_is_repeatable(encoder_folder: Path, tmp_path: Path) -> None:
    """The same data gives the same numbers, whether its vectors were kept from before or are made anew."""
    models = [tmp_path / "cold", tmp_path / "warm"]
    for model in models:
        model.mkdir()
        classifier = LinearIntentClassifier.create({}, LocalModelStorage(model), Resource("classifier"), CONTEXT)
        seen_by = featurizer(encoder_folder, cache=str(tmp_path / "cache"))
        assert (tmp_path / "cache").exists() is (model.name == "warm")
        classifier.train(seen_by.process_training_data(examples()))
    cold, warm = (dict(np.load(model / "classifier" / NUMBERS_FILE)) for model in models)
    assert cold.keys() == warm.keys()
    for name, numbers in cold.items():
        assert (numbers == warm[name]).all(), name


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


@pytest.mark.parametrize("config", [{"wrong_answers_max": 1}, {"strangers": -0.1}, {"folds": 1}])
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


def test_training_messages_get_a_mistyped_copy_and_a_name(encoder_folder: Path) -> None:
    """The featurizer gives each training message a noisy copy and its intent's name in words, each with a vector."""
    data = featurizer(encoder_folder).process_training_data(
        TrainingData([Message.build("where is my order please", "order_status")])
    )
    (message,) = data.training_examples
    assert message.get(TYPO_TEXT)
    assert message.get(NAME_TEXT) == "order status"
    assert {feature.attribute for feature in message.features} == {"text", TYPO_TEXT, NAME_TEXT}


def test_vectors_of_training_messages_are_kept(encoder_folder: Path, tmp_path: Path) -> None:
    """The next training takes the same vectors from the cache; one that is broken is made anew."""
    encoder = load_encoder(encoder_folder)
    assert encoder is not None
    cache = VectorCache(tmp_path, encoder)
    first = cache.encode("where is my order")
    cache.save()

    def refuse(_: str) -> Any:
        raise AssertionError("encoded again")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoder, "_run", refuse)
        assert (VectorCache(tmp_path, encoder).encode("where is my order") == first).all()
    (file,) = tmp_path.glob("*.npz")
    file.write_bytes(b"broken")
    again = VectorCache(tmp_path, encoder)
    assert (again.encode("where is my order") == first).all()
    again.save()
    assert len(list(tmp_path.glob("*"))) == 1


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


def clouds(count: int) -> tuple[Any, Any, Any]:
    """Return the middles of four clouds of points on a sphere, points of them, and the number of each point's cloud."""
    dice = np.random.default_rng(1)
    middles = np.eye(4, 8, dtype=np.float32)
    labels = np.repeat(np.arange(4), count)
    points = (middles[labels] + 0.1 * dice.standard_normal((len(labels), 8))).astype(np.float32)
    return middles, points / np.linalg.norm(points, axis=1, keepdims=True), labels


def test_a_decision_follows_from_what_was_tried() -> None:
    """A point amid a cloud is answered; one between two is asked about; one far from all is left to people."""
    middles, points, labels = clouds(40)
    head = fit_head(points, labels, blank_head(8, 4), 1e-3, 100)
    lesson = Lesson(copies=[points], labels=labels, dense=8, l2=1e-3, steps=100, seed=0)
    bar = try_out(lesson, folds=4, most_wrong=0.02, strangers=0.5).bar
    memory = remember(points, labels, 0)

    def decide(point: Any) -> str:
        likeness = memory.likeness(point[None], 4)
        verdict = judge(bar, head.logits(point[None]), likeness)
        assert verdict.probabilities.sum() == pytest.approx(1, abs=1e-5)
        return verdict.decision

    assert [decide(middle) for middle in middles] == ["answer"] * 4
    assert decide(np.eye(1, 8, 7, dtype=np.float32)[0]) == "people"
    assert decide((middles[0] + middles[1]).astype(np.float32) / np.float32(np.sqrt(2))) != "answer"


def test_the_limit_keeps_wrong_answers_as_rare_as_is_wanted() -> None:
    """What is answered grows with the share of wrong answers that is allowed, but never below an even chance."""
    certainty = np.linspace(1, 0.01, 100, dtype=np.float32)
    is_right = np.arange(100) % 10 != 9
    trial = Trial(certainty=certainty, is_right=is_right)
    for most_wrong in (0.02, 0.05, 0.08):
        shown = certainty >= trial.limit(most_wrong)
        assert (~is_right)[shown].mean() <= most_wrong
    assert trial.limit(0.02) > trial.limit(0.09) >= trial.limit(0.5) == LEAST_CERTAINTY
    curve = trial.curve()
    assert curve[-1][0] == pytest.approx(1, abs=1e-3)
    assert curve[-1][1] == pytest.approx(0.1, abs=1e-3)


def test_where_nothing_can_be_trusted_nothing_is_answered() -> None:
    """With every trial wrong, no certainty of the trial is enough."""
    trial = Trial(certainty=np.asarray([0.9, 0.8], np.float32), is_right=np.zeros(2, bool))
    assert trial.limit(0.02) > 0.9


def test_a_memory_is_bounded() -> None:
    """Of an intent with many messages as many vectors are kept as of one with few, and they still tell it."""
    _, points, labels = clouds(100)
    memory = remember(points, labels, 0)
    assert len(memory.vectors) == 4 * KEPT
    likeness = memory.likeness(points, 5)
    assert (likeness[:, :4].argmax(1) == labels).mean() > 0.99
    assert (likeness[:, 4] == -1).all()


def test_two_intents_are_too_few_to_leave_some_out(tmp_path: Path) -> None:
    """With two intents there are no strangers to learn from, and the bot still answers what it knows."""
    few = TrainingData([
        Message.build(f"{word} {number}", intent)
        for number in ("one", "two", "three", "four")
        for word, intent in (("hello there", "greet"), ("goodbye then", "bye"))
    ])  # fmt: skip
    kept = LocalModelStorage(tmp_path)
    LinearIntentClassifier.create({}, kept, Resource("c"), CONTEXT).train(few)
    (message,) = LinearIntentClassifier.load({}, kept, Resource("c"), CONTEXT).process([Message.build("hello there")])
    assert message.get("intent")["name"] == "greet"
