from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from bot.engine import encoder
from bot.engine.components.sentence_encoder import MAX_PIECES, MODEL_FILE, SentenceEncoder, load_encoder
from bot.engine.encoder import EncoderError, prepare_encoder, weights_folder, write_encoder
from bot.engine.encoder_graph import BERT, MPNET, Architecture, write_graph

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
    write_encoder(weights_folder(), replace(BERT, ranges=""), path)
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


def test_many_at_a_time_are_what_they_are_alone(loaded_encoder: SentenceEncoder) -> None:
    """A text's vector is the same to the last digit whatever is encoded beside it, and whatever stands out there."""
    texts = [*TEXTS * 40, "zzzzz ¿¿¿ 99999999 🤯🤯🤯", "tea " * 5_000, ""]
    for text, vector in zip(texts, loaded_encoder.encode_many(texts), strict=True):
        assert (vector == loaded_encoder.encode(text)).all()


def tiny_mpnet() -> tuple[Architecture, dict[str, Any]]:
    """Return the measures of an MPNet of one layer, and weights that mean nothing."""
    dice = np.random.default_rng(0)
    tiny = replace(MPNET, width=32, heads=2, layers=1, block=16)
    shapes = {
        "embeddings.word_embeddings.weight": (20, 32),
        "embeddings.position_embeddings.weight": (MAX_PIECES + 2, 32),
        "encoder.relative_attention_bias.weight": (32, 2),
        "encoder.layer.0.intermediate.dense.weight": (64, 32),
        "encoder.layer.0.intermediate.dense.bias": (64,),
        "encoder.layer.0.output.dense.weight": (32, 64),
        "encoder.layer.0.output.dense.bias": (32,),
    }
    for name in ("embeddings", "encoder.layer.0.attention", "encoder.layer.0.output"):
        shapes |= {f"{name}.LayerNorm.weight": (32,), f"{name}.LayerNorm.bias": (32,)}
    for part in "qkvo":
        name = f"encoder.layer.0.attention.attn.{part}"
        shapes |= {f"{name}.weight": (32, 32), f"{name}.bias": (32,)}
    return tiny, {name: dice.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}


def by_hand(weights: dict[str, Any], pieces: list[int]) -> Any:
    """Return the sentence vector of a tiny MPNet, worked out step by step as its authors describe it."""
    layer, attention = "encoder.layer.0.", "encoder.layer.0.attention."

    def linear(x: Any, name: str) -> Any:
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def normalised(x: Any, name: str) -> Any:
        spread = np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return (x - x.mean(-1, keepdims=True)) / spread * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def group(from_: int, to: int) -> int:
        away = abs(to - from_)
        far = 8 + int(math.log(max(away, 1) / 8) / math.log(16) * 8) if away >= 8 else 0
        return (16 if to > from_ else 0) + (away if away < 8 else min(far, 15))

    places = weights["embeddings.position_embeddings.weight"][2 : 2 + len(pieces)]
    hidden = normalised(weights["embeddings.word_embeddings.weight"][pieces] + places, "embeddings.LayerNorm")
    query, key, value = (linear(hidden, f"{attention}attn.{part}").reshape(-1, 2, 16) for part in "qkv")
    groups = [[group(i, j) for j in range(len(pieces))] for i in range(len(pieces))]
    looks = np.einsum("ihd,jhd->hij", query, key) / 4
    looks += weights["encoder.relative_attention_bias.weight"][np.asarray(groups)].transpose(2, 0, 1)
    shares = np.exp(looks) / np.exp(looks).sum(-1, keepdims=True)
    mixed = np.einsum("hij,jhd->ihd", shares, value).reshape(-1, 32)
    hidden = normalised(linear(mixed, f"{attention}attn.o") + hidden, f"{attention}LayerNorm")
    inner = linear(hidden, f"{layer}intermediate.dense")
    inner = inner * (1 + np.vectorize(math.erf)(inner / math.sqrt(2))) / 2
    mean = normalised(linear(inner, f"{layer}output.dense") + hidden, f"{layer}output.LayerNorm").mean(0)
    return mean / np.linalg.norm(mean)


def test_the_large_graph_computes_what_its_authors_describe(tmp_path: Path) -> None:
    """The graph of an MPNet gives, exactly and in 8 bits, what the same steps by hand give, also for long texts."""
    tiny, weights = tiny_mpnet()
    dice = np.random.default_rng(1)
    for kind, least in ((replace(tiny, ranges=""), 0.99999), (tiny, 0.999)):
        write_graph(weights, kind, tmp_path / "tiny.onnx")
        session = onnxruntime.InferenceSession(tmp_path / "tiny.onnx")
        for length in (1, 9, 40):
            pieces = dice.integers(0, 20, length).tolist()
            (vector,) = session.run(None, {"input_ids": np.asarray([pieces], np.int64)})[0]
            assert vector @ by_hand(weights, pieces) >= least


def test_where_the_large_one_cannot_be_fetched_it_is_said_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A bot that asks for the large encoder where there is no registry is not trained with another one in silence."""
    monkeypatch.setattr(encoder, "LARGE_REQUIREMENTS", tmp_path / "none.txt")
    with pytest.raises(EncoderError, match="Take the small one"):
        prepare_encoder(tmp_path / "large")
    assert not list((tmp_path / "large").iterdir())


def test_no_folder_is_no_encoder(tmp_path: Path) -> None:
    """Where there are no files there is no encoder, which is a value."""
    assert load_encoder(tmp_path) is None
