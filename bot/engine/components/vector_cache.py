"""Keeps the sentence vectors of training messages between trainings: a text is encoded once, not each time."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from bot.engine.components.sentence_encoder import SentenceEncoder
from bot.engine.components.softmax import Floats

#: Vectors kept at most, those of the last training first.
MOST = 50_000


class VectorCache:
    """The vectors of one encoder, in one file of a folder; a file that cannot be read is as good as none."""

    def __init__(self, folder: Path, encoder: SentenceEncoder) -> None:
        self._encoder = encoder
        self._file = folder / f"vectors-{encoder.sha256[:16]}.npz"
        self._old = _read(self._file)
        self._used: dict[bytes, Floats] = {}

    def learn(self, texts: Iterable[str]) -> None:
        """Have the vectors of these texts ready: together they take half the time."""
        keyed = {key: text for text in texts if (key := _key(text)) not in self._used}
        fresh = [key for key in keyed if key not in self._old]
        self._used |= {key: self._old[key] for key in keyed if key in self._old}
        self._used |= zip(fresh, self._encoder.encode_many([keyed[key] for key in fresh]), strict=True)

    def encode(self, text: str) -> Floats:
        """Return the vector of one text."""
        self.learn([text])
        return self._used[_key(text)]

    def save(self) -> None:
        """Write down what was asked for, and of what was there before as much as fits."""
        if not self._used or self._used.keys() <= self._old.keys():
            return
        kept = list((self._used | {key: self._old[key] for key in self._old.keys() - self._used.keys()}).items())[:MOST]
        self._file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._file.with_suffix(f".{os.getpid()}.npz")
        keys = np.frombuffer(b"".join(key for key, _ in kept), np.uint8).reshape(-1, 16)
        np.savez(fresh, keys=keys, vectors=np.stack([vector for _, vector in kept]))
        # In one step: whoever reads it, reads a whole one.
        fresh.replace(self._file)


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _read(file: Path) -> dict[bytes, Floats]:
    try:
        with np.load(file, allow_pickle=False) as kept:
            return {key.tobytes(): vector for key, vector in zip(kept["keys"], kept["vectors"], strict=True)}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return {}
