from __future__ import annotations

from collections import Counter, defaultdict

import pytest

from tests.corpus.messages import CORPUS, TRAINING, bare, pattern, read, training

KEPT_OUT = ("held_out", "blind", "talk_to_person", "out_of_scope")


@pytest.mark.parametrize("language", TRAINING)
def test_every_intent_has_enough_examples(language: str) -> None:
    """An intent is learnt from at least 25 examples in each language."""
    counts = Counter(message.intent for message in training(language))
    assert {intent: count for intent, count in counts.items() if count < 25} == {}


@pytest.mark.parametrize("language", TRAINING)
def test_no_training_example_stands_twice(language: str) -> None:
    """Examples that differ in case, punctuation or digits alone teach nothing, and under two intents they mislead."""
    twins = defaultdict(list)
    for message in training(language):
        twins[bare(message.text)].append(message)
    assert [messages for messages in twins.values() if len(messages) > 1] == []


@pytest.mark.parametrize("name", KEPT_OUT)
def test_messages_for_measuring_are_not_trained_on(name: str) -> None:
    """What understanding is measured on stays out of the training data, and stands in its file once."""
    seen = {bare(message.text) for message in training("en")}
    texts = [bare(message.text) for message in read(CORPUS / f"{name}.yml")]
    assert [text for text in texts if text in seen] == []
    assert [text for text, count in Counter(texts).items() if count > 1] == []


@pytest.mark.parametrize("name", ["by_others", "german", "german_blind", "german_out_of_scope", "german_care"])
def test_hardly_a_message_of_others_is_trained_on(name: str) -> None:
    """What others wrote may be what an example says too, as "moin" is; these do not count, so they must be few."""
    seen = {bare(message.text) for language in TRAINING for message in training(language)}
    texts = [bare(message.text) for message in read(CORPUS / f"{name}.yml")]
    assert sum(text in seen for text in texts) <= 0.08 * len(texts)


@pytest.mark.parametrize(("name", "count"), [("held_out", 12), ("blind", 4)])
def test_each_intent_is_measured_on_as_many_messages(name: str, count: int) -> None:
    """Every intent of the training data weighs the same in the measurement."""
    counts = Counter(message.intent for message in read(CORPUS / f"{name}.yml"))
    assert counts == dict.fromkeys({message.intent for message in training("en")}, count)


@pytest.mark.parametrize("language", TRAINING)
@pytest.mark.parametrize("entity", ["order_number", "email", "postcode"])
def test_regexes_find_what_the_examples_mark(entity: str, language: str) -> None:
    """Each marked detail is found by its regex, whole, and nothing else is taken for one."""
    regex = pattern(entity)
    for message in training(language):
        assert regex.findall(message.text) == [text for name, text in message.entities if name == entity], message.text


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("CL-104233", "CL-104233"),
        ("cl104233", "cl104233"),
        ("cl 104233 pls", "cl 104233"),
        ("CL–104233", "CL–104233"),
        ("# cl-104233", "# cl-104233"),
        ("order#104233?", "#104233"),
        ("order104233", "104233"),
        ("no.104233", "104233"),
        ("CL104 233", "CL104 233"),
        ("its 104233,BS1 4DJ", "104233"),
    ],
)
def test_an_order_number_is_found_however_it_is_typed(typed: str, found: str) -> None:
    """People type the number with and without prefix, sign and space; it is found once."""
    assert pattern("order_number").findall(typed) == [found]


@pytest.mark.parametrize(
    "typed",
    [
        "07700 900123",
        "+44 7700900123",
        "JD0002233104233",
        "£104233",
        "sam104233@example.com",
        "1042331",
        "12345",
        "AB104233",
    ],
)
def test_other_numbers_are_no_order_numbers(typed: str) -> None:
    """Telephone and tracking numbers, amounts and e-mail addresses hold six digits too."""
    assert pattern("order_number").findall(typed) == []


@pytest.mark.parametrize("typed", ["BS1 4DJ", "bs14dj", "M1 4BT", "EC1A 1BB", "SO15 2GJ", "gir 0aa"])
def test_postcodes_are_found(typed: str) -> None:
    """All forms of UK postcodes count, in any case, with or without the space."""
    assert pattern("postcode").findall(f"it is {typed}.") == [typed]


@pytest.mark.parametrize("typed", ["a4 5pm", "V60 3rd", "BS1", "100 grams", "CL-104233", "at 5 2nd"])
def test_other_letters_and_digits_are_no_postcodes(typed: str) -> None:
    """Times, sizes and product names look similar."""
    assert pattern("postcode").findall(typed) == []
