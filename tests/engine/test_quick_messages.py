from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
import pytest
from rasa.nlu.tokenizers.tokenizer import Token
from rasa.shared.nlu.training_data.features import Features
from rasa.shared.nlu.training_data.message import Message
from scipy.sparse import csr_matrix

from bot.engine import quick_messages


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    """Have messages copied and fingerprinted our way, for a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Message, "__deepcopy__", None, raising=False)
        for kind in (Message, Features):
            patch.setattr(kind, "fingerprint", kind.fingerprint)
        quick_messages.install()
        yield


def message(number: float = 1, word: str = "hello", city: str = "Bath") -> Message:
    """Return a message with something of everything that training adds."""
    made = Message.build("hello there", "greet")
    made.set("entities", [{"entity": "city", "value": city, "start": 0}])
    made.set("text_tokens", [Token(word, 0), Token("there", 6)])
    dense = np.asarray([[number, 0]], np.float32)
    for features in (dense, csr_matrix(dense)):
        made.add_features(Features(features, "sentence", "text", "origin"))
    return made


def test_messages_are_equal_where_all_of_them_is() -> None:
    """Fingerprints tell apart what tokens, entities and features tell apart, and nothing else."""
    assert message() == message()
    assert len({message(), message(), message(number=2), message(word="hullo"), message(city="York")}) == 4


def test_a_copy_is_a_message_of_its_own() -> None:
    """What is done to a copy is not seen in the original, nor the other way round."""
    original = message()
    twin = copy.deepcopy(original)
    assert twin == original
    twin.get("entities")[0]["value"] = "York"
    twin.set("intent", "goodbye", add_to_output=True)
    twin.add_features(Features(np.ones((1, 2), np.float32), "sentence", "text", "another"))
    assert original == message()
    assert twin != original
