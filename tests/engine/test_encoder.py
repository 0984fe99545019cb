from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from bot.engine import encoder
from bot.engine.components.sentence_encoder import MODEL_FILE, SentenceEncoder, load_encoder
from bot.engine.encoder import EncoderError, prepare_encoder, weights_folder, write_exact

TEXTS = [
    "where is my parcel",
    "has my package been sent yet",
    "are you open on sunday",
    "I want to cancel my order and get my money back please",
    "hi",
    "what is the capital of france",
]
#: The first four numbers of the vector of TEXTS[0] by PyTorch and Transformers from the same weights.
BY_PYTORCH = [0.046905, -0.02704, 0.04849, -0.040334]


@pytest.fixture(scope="session")
def loaded_encoder(encoder_folder: Path) -> SentenceEncoder:
    """Return the encoder that the engine uses."""
    found = load_encoder(encoder_folder)
    assert found is not None
    return found


@pytest.fixture(scope="session")
def exact(tmp_path_factory: pytest.TempPathFactory, loaded_encoder: SentenceEncoder) -> SentenceEncoder:
    """Return the encoder in full precision."""
    path = tmp_path_factory.mktemp("encoder") / "exact.onnx"
    write_exact(weights_folder(), path)
    return SentenceEncoder(onnxruntime.InferenceSession(path), loaded_encoder._tokenizer, "exact")


def test_the_graph_computes_what_pytorch_computes(exact: SentenceEncoder) -> None:
    """The graph written by hand gives the vectors of the original implementation."""
    np.testing.assert_allclose(exact.encode(TEXTS[0])[:4], BY_PYTORCH, atol=1e-5)


def test_eight_bits_are_enough(exact: SentenceEncoder, loaded_encoder: SentenceEncoder) -> None:
    """The small encoder's vectors point where the exact ones do, and have length one."""
    for text in TEXTS:
        vector = loaded_encoder.encode(text)
        assert vector @ exact.encode(text) >= 0.98
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_alike_is_near(loaded_encoder: SentenceEncoder) -> None:
    """Two ways to ask the same lie nearer to one another than two different questions."""
    parcel, package, sunday, *_ = (loaded_encoder.encode(text) for text in TEXTS)
    assert parcel @ package > 2 * max(parcel @ sunday, package @ sunday)


def test_long_texts_are_cut(loaded_encoder: SentenceEncoder) -> None:
    """A text without end costs no more than one of some length."""
    assert np.allclose(loaded_encoder.encode("tea " * 5_000), loaded_encoder.encode("tea " * 126))


def test_what_is_there_is_not_made_again(encoder_folder: Path) -> None:
    """Preparing a second time changes nothing."""
    before = (encoder_folder / MODEL_FILE).stat().st_mtime_ns
    assert prepare_encoder(encoder_folder) is False
    assert (encoder_folder / MODEL_FILE).stat().st_mtime_ns == before


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Weights that are not the known ones make no encoder."""
    monkeypatch.setattr(encoder, "WEIGHTS_SHA256", "0" * 64)
    with pytest.raises(EncoderError, match="make clean setup"):
        prepare_encoder(tmp_path)
    monkeypatch.setattr(encoder, "WEIGHTS_PACKAGE", "no_such_package")
    with pytest.raises(EncoderError, match="make setup"):
        prepare_encoder(tmp_path)
    assert not list(tmp_path.iterdir())


def test_no_folder_is_no_encoder(tmp_path: Path) -> None:
    """Where there are no files there is no encoder, which is a value."""
    assert load_encoder(tmp_path) is None
