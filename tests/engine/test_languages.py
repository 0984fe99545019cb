from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from rasa.engine.graph import ExecutionContext, GraphSchema
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.shared.exceptions import InvalidConfigException
from rasa.shared.nlu.constants import INTENT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.engine.components.classifier_by_language import IntentClassifierByLanguage
from bot.engine.components.language_identifier import LanguageIdentifier
from bot.engine.components.language_words import LanguageWords
from bot.engine.components.languages import Languages, read_languages, write_languages
from bot.engine.components.sentence_featurizer import LENT_TEXT, SentenceEmbeddingFeaturizer
from bot.engine.encoder import MULTILINGUAL
from tests.corpus.messages import CORPUS, read, training

SERVED = ("en", "de")
CONTEXT = ExecutionContext(GraphSchema({}), node_name="node")


@pytest.fixture(scope="module")
def languages(tmp_path_factory: pytest.TempPathFactory) -> Languages:
    """Return what a model of the data as they stand keeps to tell languages."""
    folder = tmp_path_factory.mktemp("languages")
    write_languages(
        folder, LanguageWords.learn((language, message.text) for language in SERVED for message in training(language))
    )
    return read_languages(folder)


def test_short_foreign_messages_are_told_and_nothing_else_is(languages: Languages) -> None:
    """Of short messages in twelve languages 95 of 100 are told; numbers, names and slang are called nothing."""
    written = yaml.safe_load((CORPUS / "languages.yml").read_text("utf-8"))
    nobody = written.pop("nobody")
    told = [(languages.guess(text, SERVED, None), language) for language in written for text in written[language]]
    assert sum(guess.is_foreign and guess.language == language for guess, language in told) >= 0.95 * len(told)
    wrongly = [text for text in nobody if languages.guess(text, SERVED, None).is_foreign]
    assert wrongly in ([], ["a café au lait please"])


@pytest.mark.parametrize(
    ("corpus", "language", "missed"), [("held_out", "en", 0.01), ("german", "de", 0.02), ("german_blind", "de", 0.02)]
)
def test_customers_are_read_in_their_language(languages: Languages, corpus: str, language: str, missed: float) -> None:
    """What is spoken here is never foreign, and hardly ever taken for the other language."""
    guesses = [languages.guess(message.text, SERVED, None) for message in read(CORPUS / f"{corpus}.yml")]
    assert [guess for guess in guesses if guess.is_foreign] == []
    assert sum(guess.language != language for guess in guesses) <= missed * len(guesses)


def test_a_conversation_stays_in_its_language(languages: Languages) -> None:
    """A word that every language has, a number and nonsense change nothing."""
    for text in ("ok", "CL-104233", "grommet zibble", "👍", "", "e-mail", "Breakfast Tea", "12 High Street"):
        assert languages.guess(text, SERVED, "en").language == "en"
        assert languages.guess(text, SERVED, "de").language == "de"
    assert languages.guess("when does my parcel arrive", SERVED, "de").language == "en"


def test_words_of_the_training_data_tell_a_language(tmp_path: Path) -> None:
    """A word that only one language's examples have tells it; one of both, and one of none, do not."""
    said = [("en", "good day to you all"), ("de", "moin moin zusammen"), ("en", "no taxi today"), ("de", "nein, taxi")]
    words = LanguageWords.learn(said)
    words.write(tmp_path)
    for known in (words, LanguageWords.read(tmp_path)):
        assert known.guess("Moin", {"en": 1.0, "de": 1.0}) == "de"
        assert known.guess("good day to you", {"en": 1.0, "de": 1.0}) == "en"
        assert known.guess("taxi", {"en": 1.0, "de": 1.0}) is None
        assert known.guess("CL-104233 ankh", {"en": 1.0, "de": 1.0}) is None
        assert known.guess("moin", {"en": 1.0, "fr": 1.0}) is None


@given(text=st.text(max_size=60))
@settings(max_examples=40)
def test_any_text_gets_a_language(languages: Languages, text: str) -> None:
    """Whatever is typed, there is an answer, and what is not foreign is served."""
    guess = languages.guess(text, SERVED, None)
    assert guess.is_foreign or guess.language in SERVED


def test_a_change_of_language_is_an_entity(tmp_path: Path) -> None:
    """The dialogue hears of a language only where it changes."""
    config = {"languages": list(SERVED)}
    storage = LocalModelStorage(tmp_path)
    LanguageIdentifier.create(config, storage, Resource("languages"), CONTEXT).train(TrainingData())
    identifier = LanguageIdentifier.load(config, storage, Resource("languages"), CONTEXT)
    changes, stays, abroad = (
        Message.build(text) for text in ("wo ist mein Paket", "wo ist mein Paket", "où est mon colis")
    )
    stays.set("metadata", {"language": "de"})
    identifier.process([changes, stays, abroad])
    assert [entity["value"] for entity in changes.get("entities")] == ["de"]
    assert not stays.get("entities")
    assert (abroad.get("language"), abroad.get("is_foreign"), abroad.get("entities")) == ("fr", True, None)


def test_languages_that_cannot_be_told_are_refused() -> None:
    """The setting is checked before the training."""
    with pytest.raises(InvalidConfigException, match="xx"):
        LanguageIdentifier.validate_config({"languages": ["en", "xx"]})


def _classifier(folder: Path) -> IntentClassifierByLanguage:
    """Train a classifier of two languages without an encoder, and load it anew."""
    said = {
        "en": {"greet": ["hello", "hi there", "good morning"], "danger": ["i feel lost", "no hope", "so dark"]},
        "de": {"greet": ["hallo", "guten tag", "guten morgen"], "danger": ["keine hoffnung", "so dunkel", "am ende"]},
    }
    messages = []
    for language, intents in said.items():
        for intent, texts in intents.items():
            messages += [Message.build(text, intent, intent_metadata={"language": language}) for text in texts]
    for message in messages[:6]:
        message.set("metadata", {})
    storage, config = LocalModelStorage(folder), {"languages": ["en", "de"], "folds": 2, "wrong_answers_max": 0.9}
    patterns = [{"name": "danger", "pattern": r"\bend it all\b|überdosis"}, {"name": "number", "pattern": "hello"}]
    classifier = IntentClassifierByLanguage.create(config, storage, Resource("classifier"), CONTEXT)
    classifier.train(TrainingData(messages, regex_features=patterns))
    return IntentClassifierByLanguage.load(config, storage, Resource("classifier"), CONTEXT)


def test_each_language_has_a_classifier_and_patterns_decide_in_all(tmp_path: Path) -> None:
    """A message is understood by the examples of its language; a pattern wins wherever it is found."""
    classifier = _classifier(tmp_path)
    written = [("guten tag", "de", False), ("hello", "en", False), ("je suis perdu", "fr", True)]
    written += [("hello, i want to End it all", "en", False), ("hola, end it all", "es", True)]
    written += [("eine Ueberdosis", "de", False), ("eine Überdosis", "de", False)]
    messages = []
    for text, language, is_foreign in written:
        message = Message.build(text)
        message.set("language", language)
        message.set("is_foreign", is_foreign)
        messages.append(message)
    classifier.process(messages)
    guesses = [next(g["name"] for g in m.get("intent_ranking") if g["name"] != "nlu_fallback") for m in messages]
    assert guesses == ["greet", "greet", "foreign_language", *["danger"] * 4]
    assert messages[3].get(INTENT) == {"name": "danger", "confidence": 1.0}


def test_a_pattern_that_is_none_is_refused(tmp_path: Path) -> None:
    """Who writes a regex with a mistake hears so, and of which intent it is."""
    config = {"languages": ["en"], "folds": 2}
    classifier = IntentClassifierByLanguage.create(config, LocalModelStorage(tmp_path), Resource("c"), CONTEXT)
    english = [Message.build(text, intent) for text, intent in (("a b", "x"), ("c d", "y"), ("e f", "x"), ("g h", "y"))]
    with pytest.raises(InvalidConfigException, match="regex of x cannot be read"):
        classifier.train(TrainingData(english, regex_features=[{"name": "x", "pattern": "(a"}]))


def test_a_language_without_examples_is_refused(tmp_path: Path) -> None:
    """Who adds a language to the settings alone hears what is missing."""
    config = {"languages": ["en", "de"], "folds": 2}
    classifier = IntentClassifierByLanguage.create(config, LocalModelStorage(tmp_path), Resource("c"), CONTEXT)
    english = [Message.build(text, intent) for text, intent in (("a b", "x"), ("c d", "y"), ("e f", "x"), ("g h", "y"))]
    with pytest.raises(InvalidConfigException, match="“de”"):
        classifier.train(TrainingData(english))


#: What is said in English for each intent, and in German by examples of their own and by customers.
_LENT = {
    "order_status": (
        ["where is my parcel", "has my order been sent", "when will my package arrive", "track my delivery"],
        ["wo bleibt es", "schon unterwegs"],
        ["wurde mein Päckchen schon verschickt", "wann kommt meine Lieferung an"],
    ),
    "opening_hours": (
        ["when do you open", "are you open on sunday", "what are your hours", "until when is the shop open"],
        ["wann ist auf", "heute offen"],
        ["habt ihr sonntags geöffnet", "wie lange kann man abends in den Laden"],
    ),
    "refund": (
        ["i want my money back", "please refund me", "how do i get a refund", "give me back what i paid"],
        ["Erstattung bitte", "bitte erstatten"],
        ["ich will mein Geld zurück", "wie bekomme ich wieder, was ich bezahlt habe"],
    ),
    "cancel": (
        ["cancel my order", "i changed my mind about the order", "i don't want it any more", "stop the order"],
        ["Storno bitte", "stornieren"],
        ["ich hab's mir anders überlegt", "ich möchte die Bestellung doch nicht"],
    ),
}


def _featurizer(encoder: Path, folder: Path) -> SentenceEmbeddingFeaturizer:
    own = {"de": {"encoder": str(encoder / MULTILINGUAL)}}
    defaults = SentenceEmbeddingFeaturizer.get_default_config()
    config = {**defaults, "encoder": str(encoder), "cache": str(folder / "cache"), "by_language": own}
    return SentenceEmbeddingFeaturizer.create(config, LocalModelStorage(folder), Resource("featurizer"), CONTEXT)


def _guesses(encoder: Path, folder: Path, *, is_lent: bool) -> list[tuple[str, str]]:
    """Return what each German message of a customer's means, and is taken for by one who learnt of `_LENT`."""
    storage, featurizer = LocalModelStorage(folder), _featurizer(encoder, folder)
    examples = [
        Message.build(text, intent, intent_metadata={"language": language})
        for intent, (english, german, _) in _LENT.items()
        for language, texts in (("en", english), ("de", german))
        for text in texts
    ]
    data = featurizer.process_training_data(TrainingData(examples))
    for example in examples:
        example.features = [each for each in example.features if is_lent or each.attribute != LENT_TEXT]
    learns = {"languages": ["en", "de"], "folds": 2, "names": False}
    IntentClassifierByLanguage.create(learns, storage, Resource("classifier"), CONTEXT).train(data)
    classifier = IntentClassifierByLanguage.load(learns, storage, Resource("classifier"), CONTEXT)
    asked = [(intent, Message.build(text)) for intent, (_, _, texts) in _LENT.items() for text in texts]
    for _, message in asked:
        message.set("language", "de")
    classifier.process(featurizer.process([message for _, message in asked]))
    rankings = [(intent, [guess["name"] for guess in message.get("intent_ranking")]) for intent, message in asked]
    return [(intent, next(name for name in names if name != "nlu_fallback")) for intent, names in rankings]


def test_a_language_learns_from_the_examples_of_another(encoder_folder: Path, tmp_path: Path) -> None:
    """With one German example each, what is asked in German is understood by the English ones, and not without."""
    for name in ("lent", "alone"):
        (tmp_path / name).mkdir()
    lent = _guesses(encoder_folder, tmp_path / "lent", is_lent=True)
    assert all(meant == taken for meant, taken in lent), lent
    alone = _guesses(encoder_folder, tmp_path / "alone", is_lent=False)
    assert sum(meant == taken for meant, taken in alone) < len(alone) - 1, alone


@pytest.mark.parametrize(("languages", "is_lent"), [(["en", None], False), (["en", "de"], True)])
def test_examples_are_lent_to_languages_with_examples_alone(
    languages: list[str | None], is_lent: bool, encoder_folder: Path, tmp_path: Path
) -> None:
    """Encoding messages that nobody learns from would take two fifths of a training's time again."""
    marks = [{"intent_metadata": {"language": language}} if language else {} for language in languages]
    data = TrainingData([Message.build("hallo", "greet", **mark) for mark in marks])
    _featurizer(encoder_folder, tmp_path).process_training_data(data)
    lent = [
        feature for example in data.training_examples for feature in example.features if feature.attribute == LENT_TEXT
    ]
    assert bool(lent) == is_lent
