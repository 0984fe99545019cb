"""Writes a sentence encoder as an ONNX graph by hand, from the weights of a BERT or of an MPNet.

Both are stacks of layers that look at all pieces of a text at once; an MPNet has no token types, and adds to each look
a bias by the distance between two pieces. The vectors of a text's pieces are averaged and made length one. The graph
takes texts of one length (`input_ids`, shape (texts, pieces)), so it needs neither an attention mask nor padding.

Weights are written in 8 bits, and what they are multiplied with is brought to 8 bits when it runs, each piece of a text
with a range of its own. ONNX Runtime's usual way takes one range for all that is computed at a time, so that a text's
vector would depend on the texts beside it; this one does not, comes nearer to the exact vector, and is as fast.

An MPNet has a few numbers that dwarf all others, and leave nothing for the rest of their piece; it has a range for each
block of them, which takes twice as long.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from bot.engine.components.sentence_encoder import MAX_PIECES, TABLE_FILE

#: Distances between pieces are told apart in so many groups, and are all alike from so many pieces on.
_GROUPS, _FAR = 32, 128
#: The operations that ONNX Runtime adds to ONNX; and what makes one of them multiply in 8 bits.
_CONTRIBUTED, _IN_8_BITS = "com.microsoft", 4
#: The number that stands for nought in unsigned 8 bits, and the largest one there is.
_MIDDLE, _TOP = 128, 255
#: Bytes from which on numbers are no part of the graph's own file, where they may stand apart.
_LARGE = 10_000_000
#: The least that a Gaussian error linear unit gives.
_LEAST_GELU = -0.17


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The measures of an encoder, and what its weights are called."""

    width: int
    heads: int
    layers: int
    #: kept from zero when a spread is divided by
    epsilon: float
    #: the row of the first piece in the table of positions
    first_position: int
    #: a layer's part that looks at the other pieces, and in it: query, key, value, and what mixes the outcome
    attention: str
    looks: tuple[str, str, str]
    mixed: str
    #: the norm after it
    norm: str
    #: the table of biases by distance; empty where there is none
    distances: str
    #: what shares a range in 8 bits: all that a piece is multiplied with, or a block of it; nothing: full precision
    ranges: Literal["", "pieces", "blocks"]
    #: the size of a block
    block: int
    #: whether the table of word pieces is a file of its own beside the graph, read as it is needed
    apart: bool = False


BERT = Architecture(
    width=384, heads=12, layers=6, epsilon=1e-12, first_position=0,
    attention="attention", looks=("self.query", "self.key", "self.value"), mixed="output.dense",
    norm="attention.output.LayerNorm", distances="", ranges="pieces", block=0,
)  # fmt: skip
#: Of the multilingual encoder, whose table has a quarter of a million rows.
MULTILINGUAL_BERT = replace(BERT, layers=12, apart=True)
MPNET = Architecture(
    width=768, heads=12, layers=12, epsilon=1e-5, first_position=2,
    attention="attention.attn", looks=("q", "k", "v"), mixed="o",
    norm="attention.LayerNorm", distances="encoder.relative_attention_bias.weight",
    ranges="blocks", block=128,
)  # fmt: skip


def write_graph(weights: dict[str, Any], architecture: Architecture, target: Path) -> None:
    """Write the encoder of these weights.

    Where they have a `centre`, the mean vector of texts of all kinds, it is taken from each vector: what all texts have
    in common says nothing of any, and in some encoders is the largest part.
    """
    import onnx
    from onnx import TensorProto, helper

    graph = _Graph(weights, architecture)
    vectors = _sentence_vectors(graph)
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "sentence_encoder",
            [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["texts", "pieces"])],
            [helper.make_tensor_value_info(vectors, TensorProto.FLOAT, ["texts", architecture.width])],
            list(graph.constants.values()),
        ),
        opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid(_CONTRIBUTED, 1)],
        ir_version=9,
    )
    onnx.checker.check_model(model, full_check=True)
    if architecture.apart:
        onnx.save(model, target, save_as_external_data=True, location=TABLE_FILE, size_threshold=_LARGE)
    else:
        onnx.save(model, target)


class _Graph:
    """An ONNX graph while it is being written: each method adds one operation and returns the name of its output."""

    def __init__(self, weights: dict[str, Any], architecture: Architecture) -> None:
        self._weights = weights
        self.architecture = architecture
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    def add(self, operation: str, *inputs: str, **attributes: Any) -> str:
        from onnx import helper

        output = f"{operation}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: Any) -> str:
        from onnx import numpy_helper

        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.asarray(value, order="C"), name)
        return name

    def has(self, name: str) -> bool:
        return name in self._weights

    def weight(self, name: str) -> str:
        return self.constant(name, self._weights[name])

    def number(self, value: float) -> str:
        return self.constant(f"number_{value}", np.float32(value))

    def integers(self, *values: int) -> str:
        return self.constant("integers_" + "_".join(map(str, values)), np.asarray(values, np.int64))

    def linear(self, x: str, *names: str) -> str:
        """Multiply by these layers' weights side by side: one product is faster than several."""
        joined = "+".join(names)
        weight = np.concatenate([self._weights[f"{name}.weight"] for name in names])
        bias = np.concatenate([self._weights[f"{name}.bias"] for name in names])
        if self.architecture.ranges == "pieces":
            return self._by_pieces(x, joined, weight, bias)
        if self.architecture.ranges == "blocks":
            product = self._by_blocks(x, joined, weight)
        else:
            product = self.add("MatMul", x, self.constant(f"{joined}.weight", weight.T))
        return self.add("Add", product, self.constant(f"{joined}.bias", bias))

    def _by_pieces(self, x: str, name: str, weight: npt.NDArray[np.float32], bias: npt.NDArray[np.float32]) -> str:
        digits, scales = in_8_bits(weight)
        if x.startswith("Gelu"):
            # What is nearly never below nought needs no digits for it.
            lifted = self.add("Sub", self.add("ReduceMax", x, self.integers(-1)), self.number(_LEAST_GELU))
            scale = self.add("Mul", lifted, self.number(1 / _TOP))
            shift = self.add("Add", self.add("Div", self.number(-_LEAST_GELU), scale), self.number(0.5))
            nought, bias = 0, bias + np.float32(_LEAST_GELU) * (digits * scales).sum(1)
        else:
            largest = self.add("ReduceMax", self.add("Abs", x), self.integers(-1))
            scale = self.add("Mul", largest, self.number(1 / (_MIDDLE - 1)))
            shift, nought = self.number(_MIDDLE + 0.5), _MIDDLE
        # Unsigned 8 bits, which cut off what is behind the point.
        whole = self.add("Cast", self.add("Add", self.add("Div", x, scale), shift), to=2)
        product = self.add(
            "MatMulIntegerToFloat", whole, self.constant(f"{name}.digits", digits.T), self.number(1),
            self.constant(f"{name}.scales", scales.ravel()), self.constant(f"nought_{nought}", np.uint8(nought)),
            domain=_CONTRIBUTED,
        )  # fmt: skip
        return self.add("Add", self.add("Mul", product, scale), self.constant(f"{name}.bias", bias))

    def _by_blocks(self, x: str, name: str, weight: npt.NDArray[np.float32]) -> str:
        block, (width, height) = self.architecture.block, weight.shape
        digits, scales = in_8_bits(weight.reshape(width, height // block, block))
        return self.add(
            "MatMulNBits", x,
            self.constant(f"{name}.digits", (digits.astype(np.int16) + _MIDDLE).astype(np.uint8)),
            self.constant(f"{name}.scales", scales.ravel()),
            domain=_CONTRIBUTED, K=height, N=width, bits=8, block_size=block, accuracy_level=_IN_8_BITS,
        )  # fmt: skip

    def rows(self, name: str) -> str:
        """Add the rows of a table that the pieces point at."""
        if not self.architecture.ranges:
            return self.add("Gather", self.weight(name), "input_ids")
        digits, scales = in_8_bits(self._weights[name])
        whole = self.add("Gather", self.constant(f"{name}.digits", digits), "input_ids")
        scale = self.add("Gather", self.constant(f"{name}.scales", scales), "input_ids")
        return self.add("Mul", self.add("Cast", whole, to=1), scale)

    def normalised(self, x: str, name: str) -> str:
        scale, shift = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.add("LayerNormalization", x, scale, shift, axis=-1, epsilon=self.architecture.epsilon)

    def biases_by_distance(self) -> str:
        """Add the bias of each look at each place for texts of this length: (heads, pieces, pieces)."""
        table = self._weights[self.architecture.distances]
        whole = self.constant("biases", table[groups_of_distances(MAX_PIECES)].transpose(2, 0, 1).astype(np.float32))
        length = self.add("Shape", "input_ids", start=1, end=2)
        ends = self.add("Concat", length, length, axis=0)
        return self.add("Slice", whole, self.integers(0, 0), ends, self.integers(1, 2))


def in_8_bits(numbers: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Return numbers from -127 to 127, and what to multiply those along the last axis by to come near the original."""
    scales = np.maximum(np.abs(numbers).max(-1, keepdims=True), 1e-12).astype(np.float32) / 127
    return np.round(numbers / scales).astype(np.int8), scales


def groups_of_distances(pieces: int) -> npt.NDArray[np.intp]:
    """Return the group of each distance, (from, to): near ones singly, far ones together, those behind apart."""
    half = _GROUPS // 2
    near = half // 2
    places = np.arange(pieces)
    distance = places[None, :] - places[:, None]
    away = np.abs(distance)
    scale = np.log(np.maximum(away, near) / near) / np.log(_FAR / near)
    far = np.minimum(near + (scale * (half - near)).astype(np.intp), half - 1)
    groups: npt.NDArray[np.intp] = np.where(distance > 0, half, 0) + np.where(away < near, away, far)
    return groups


def _sentence_vectors(graph: _Graph) -> str:
    hidden = _embedded(graph)
    biases = graph.biases_by_distance() if graph.architecture.distances else ""
    for number in range(graph.architecture.layers):
        hidden = _layer(graph, hidden, f"encoder.layer.{number}", biases)
    # Where a mean points is where the sum does. As a product, for a reduction adds up one text and several differently.
    length = graph.add("Shape", "input_ids", start=1, end=2)
    every = graph.constant("every", np.ones((1, MAX_PIECES), np.float32))
    ones = graph.add("Slice", every, graph.integers(0), length, graph.integers(1))
    total = graph.add("Reshape", graph.add("MatMul", ones, hidden), graph.integers(0, graph.architecture.width))
    vectors = graph.add("LpNormalization", total, axis=-1, p=2)
    if not graph.has("centre"):
        return vectors
    return graph.add("LpNormalization", graph.add("Sub", vectors, graph.weight("centre")), axis=-1, p=2)


def _embedded(graph: _Graph) -> str:
    words = graph.rows("embeddings.word_embeddings.weight")
    first = graph.architecture.first_position
    length = graph.add("Shape", "input_ids", start=1, end=2)
    end = graph.add("Add", length, graph.integers(first)) if first else length
    positions = graph.weight("embeddings.position_embeddings.weight")
    places = graph.add("Slice", positions, graph.integers(first), end, graph.integers(0))
    summed = graph.add("Add", words, places)
    if not graph.architecture.distances:
        # All pieces belong to the first and only sentence.
        types = graph.weight("embeddings.token_type_embeddings.weight")
        summed = graph.add("Add", summed, graph.add("Slice", types, *map(graph.integers, (0, 1, 0))))
    return graph.normalised(summed, "embeddings.LayerNorm")


def _layer(graph: _Graph, hidden: str, name: str, biases: str) -> str:
    part = f"{name}.{graph.architecture.attention}"
    attended = graph.linear(_attention(graph, hidden, part, biases), f"{part}.{graph.architecture.mixed}")
    hidden = graph.normalised(graph.add("Add", attended, hidden), f"{name}.{graph.architecture.norm}")
    inner = graph.add("Gelu", graph.linear(hidden, f"{name}.intermediate.dense"))
    outer = graph.add("Add", graph.linear(inner, f"{name}.output.dense"), hidden)
    return graph.normalised(outer, f"{name}.output.LayerNorm")


def _attention(graph: _Graph, hidden: str, name: str, biases: str) -> str:
    width, heads = graph.architecture.width, graph.architecture.heads
    joined = graph.linear(hidden, *(f"{name}.{look}" for look in graph.architecture.looks))
    # (texts, pieces, 3 x width) -> (3, texts, heads, pieces, width of a head) -> one (texts, heads, ...) each
    split = graph.add("Reshape", joined, graph.integers(0, 0, 3, heads, width // heads))
    turned = graph.add("Transpose", split, perm=[2, 0, 3, 1, 4])
    query, key, value = (
        graph.add("Gather", turned, graph.constant(f"index_{i}", np.int64(i)), axis=0) for i in range(3)
    )
    scores = graph.add("MatMul", query, graph.add("Transpose", key, perm=[0, 1, 3, 2]))
    looks = graph.add("Mul", scores, graph.constant("scale", np.float32((width // heads) ** -0.5)))
    if biases:
        looks = graph.add("Add", looks, biases)
    mixed = graph.add("MatMul", graph.add("Softmax", looks, axis=-1), value)
    return graph.add("Reshape", graph.add("Transpose", mixed, perm=[0, 2, 1, 3]), graph.integers(0, 0, width))
