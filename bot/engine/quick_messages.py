"""Makes Rasa's training messages cheap to copy and to tell apart: of a long training it would be a fourth.

Rasa copies all messages eleven times while it reads them, and takes a fingerprint of each word of each message after
each component. The fingerprints here are other ones, for the same purpose: equal where the messages are.
"""

from __future__ import annotations

import copy
import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rasa.shared.nlu.training_data.features import Features
    from rasa.shared.nlu.training_data.message import Message

#: What need not be copied, for nobody can change it.
_FIXED = (str, int, float, bool, type(None))


def install() -> None:
    """Have messages copied and fingerprinted our way in this process; a second call changes nothing."""
    from rasa.shared.nlu.training_data.features import Features
    from rasa.shared.nlu.training_data.message import Message

    for kind, name, function in (
        (Message, "__deepcopy__", _copied),
        (Message, "fingerprint", _fingerprint_of_message),
        (Features, "fingerprint", _fingerprint_of_features),
    ):
        setattr(kind, name, function)


def _copied(self: Message, memo: dict[int, Any]) -> Message:
    """Return a message with data of its own; features are never changed, only replaced."""
    twin = copy.copy(self)
    twin.data = {
        key: value if isinstance(value, _FIXED) else copy.deepcopy(value, memo) for key, value in self.data.items()
    }
    twin.features = list(self.features)
    twin.output_properties = set(self.output_properties)
    return twin


def _fingerprint_of_message(self: Message) -> str:
    if self._cached_fingerprint is None:
        whole = json.dumps([self.data, self.features], default=_plain, sort_keys=True)
        self._cached_fingerprint = _hash(whole.encode())
    return str(self._cached_fingerprint)


def _fingerprint_of_features(self: Features) -> str:
    if self._cached_fingerprint is None:
        numbers = self.features if self.is_dense() else self.features.tocsr()
        parts = [numbers] if self.is_dense() else [numbers.data, numbers.indices, numbers.indptr]
        told = json.dumps([self.type, self.origin, self.attribute, str(numbers.dtype), list(numbers.shape)])
        self._cached_fingerprint = _hash(told.encode() + b"".join(part.tobytes() for part in parts))
    return str(self._cached_fingerprint)


def _plain(value: Any) -> Any:
    """Return of a token what it says, of what has a fingerprint that, and of all else its name."""
    if hasattr(value, "lemma"):
        return [value.text, value.start, value.end, value.lemma, value.data]
    return value.fingerprint() if hasattr(value, "fingerprint") else str(value)


def _hash(whole: bytes) -> str:
    return hashlib.blake2b(whole, digest_size=16).hexdigest()
