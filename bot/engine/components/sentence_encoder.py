"""The sentence encoder at work: text in, a vector of length one out, by ONNX Runtime on one thread."""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import onnxruntime
    from tokenizers import Tokenizer

#: The two files of an encoder's folder; `bot.engine.encoder` makes them.
MODEL_FILE, TOKENIZER_FILE = "sentence_vectors.onnx", "tokenizer.json"
#: Word pieces of a text that are read: longer ones say what they want before this.
MAX_PIECES = 128
#: Word pieces of texts of one length that are encoded at a time: more would not fit into the processor's cache.
AT_A_TIME = 256


class SentenceEncoder:
    """One encoder, loaded."""

    def __init__(self, session: onnxruntime.InferenceSession, tokenizer: Tokenizer, sha256: str) -> None:
        self._session = session
        self._tokenizer = tokenizer
        #: Of the model file: vectors of one encoder mean nothing to a classifier trained with another.
        self.sha256 = sha256

    def encode(self, text: str) -> npt.NDArray[np.float32]:
        """Return the vector of one text."""
        vector: npt.NDArray[np.float32] = self._run([self._tokenizer.encode(text).ids])[0]
        return vector

    def encode_many(self, texts: Sequence[str]) -> list[npt.NDArray[np.float32]]:
        """Return the vectors of texts, to the last digit what each is alone, in half the time."""
        pieces = [encoded.ids for encoded in self._tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(texts)), key=lambda row: len(pieces[row]))
        found: list[npt.NDArray[np.float32]] = [np.empty(0, np.float32)] * len(texts)
        for length, alike in itertools.groupby(order, key=lambda row: len(pieces[row])):
            while rows := list(itertools.islice(alike, max(1, AT_A_TIME // length))):
                for row, vector in zip(rows, self._run([pieces[row] for row in rows]), strict=True):
                    found[row] = vector
        return found

    def _run(self, pieces: list[list[int]]) -> npt.NDArray[np.float32]:
        vectors: npt.NDArray[np.float32] = self._session.run(None, {"input_ids": np.asarray(pieces, np.int64)})[0]
        return vectors


@functools.cache
def load_encoder(folder: Path) -> SentenceEncoder | None:
    """Return the encoder in this folder, loaded once per process, or None where there is none."""
    if not (folder / MODEL_FILE).is_file() or not (folder / TOKENIZER_FILE).is_file():
        return None
    import onnxruntime
    from tokenizers import Tokenizer

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # A spinning thread would burn the core that the event loop needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    data = (folder / MODEL_FILE).read_bytes()
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
    tokenizer.enable_truncation(MAX_PIECES)
    tokenizer.no_padding()
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return SentenceEncoder(session, tokenizer, hashlib.sha256(data).hexdigest())
