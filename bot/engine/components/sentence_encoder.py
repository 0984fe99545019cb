"""The sentence encoder at work: text in, a vector of length one out, by ONNX Runtime on one thread."""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import onnxruntime

#: The files of an encoder's folder; `bot.engine.encoder` makes them. A large table of word pieces stands in a file of
#: its own, which is read from the disk as it is needed. What splits texts is of the library tokenizers or of
#: SentencePiece, where a quarter of a million pieces take 40 MB instead of 280.
MODEL_FILE, TABLE_FILE = "sentence_vectors.onnx", "word_pieces.bin"
TOKENIZER_FILE, PIECES_FILE = "tokenizer.json", "pieces.model"
#: Where an encoder is if no setting says otherwise, seen from where the process was started.
ENCODER = "var/encoder"
#: Word pieces of a text that are read: longer ones say what they want before this.
MAX_PIECES = 128
#: Word pieces of texts of one length that are encoded at a time: more would not fit into the processor's cache.
AT_A_TIME = 256


#: Splits texts into word pieces and returns their numbers, MAX_PIECES at most of each.
Split = Callable[[Sequence[str]], list[list[int]]]


class SentenceEncoder:
    """One encoder, loaded."""

    def __init__(self, session: onnxruntime.InferenceSession, split: Split, sha256: str) -> None:
        self._session = session
        self._split = split
        #: Of the model's files: vectors of one encoder mean nothing to a classifier trained with another.
        self.sha256 = sha256

    def encode(self, text: str) -> npt.NDArray[np.float32]:
        """Return the vector of one text."""
        vector: npt.NDArray[np.float32] = self._run(self._split([text]))[0]
        return vector

    def encode_many(self, texts: Sequence[str]) -> list[npt.NDArray[np.float32]]:
        """Return the vectors of texts, to the last digit what each is alone, in half the time."""
        pieces = self._split(texts)
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
    if not is_made(folder):
        return None
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # A spinning thread would burn the core that the event loop needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(folder / MODEL_FILE, options, providers=["CPUExecutionProvider"])
    split = _by_sentencepiece(folder / PIECES_FILE) if (folder / PIECES_FILE).is_file() else _by_tokenizers(folder)
    return SentenceEncoder(session, split, weights_sha256(folder))


def encoder_folders(config: Mapping[str, Any]) -> dict[str, str]:
    """Return where the encoders are that settings name, by language; the empty one stands for all other languages."""
    own = {code: theirs["encoder"] for code, theirs in config.get("by_language", {}).items() if "encoder" in theirs}
    return {"": config.get("encoder", ENCODER), **own}


def is_made(folder: Path) -> bool:
    """Whether the files of an encoder are there."""
    names = {file.name for file in folder.iterdir()} if folder.is_dir() else set()
    return MODEL_FILE in names and not names.isdisjoint({TOKENIZER_FILE, PIECES_FILE})


def weights_sha256(folder: Path) -> str:
    """Return the hash of an encoder's weights, all of its files that hold some."""
    digest = hashlib.sha256()
    for name in (MODEL_FILE, TABLE_FILE):
        if (folder / name).is_file():
            # In pieces: the table alone is 96 MB, which each engine would hold as it starts.
            with (folder / name).open("rb") as file:
                hashlib.file_digest(file, lambda: digest)
    return digest.hexdigest()


def _by_tokenizers(folder: Path) -> Split:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
    tokenizer.enable_truncation(MAX_PIECES)
    tokenizer.no_padding()
    return lambda texts: [encoded.ids for encoded in tokenizer.encode_batch(list(texts))]


def _by_sentencepiece(file: Path) -> Split:
    from sentencepiece import SentencePieceProcessor

    processor = SentencePieceProcessor(model_file=str(file))
    begin, end = processor.bos_id(), processor.eos_id()
    return lambda texts: [[begin, *found[: MAX_PIECES - 2], end] for found in processor.encode(list(texts))]
