"""Trains a bot on a task and asks it, each in a process whose processor time is taken."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.stock import environment
from benchmarks.understanding.figures import Said
from benchmarks.understanding.tasks import Row

_ROOT = Path(__file__).parents[2]
#: The intent of messages that are not answered, and what config.yml says is to be done then.
_FALLBACK, _LOST = "nlu_fallback", "action_not_understood"
_CLASSIFIER = "bot.engine.components.intent_classifier.LinearIntentClassifier"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a bot said, and what it took."""

    said: list[Said]
    #: CPU seconds of the training's process, from start to end
    training: float
    #: CPU seconds until a loaded model had answered once
    boot: float
    #: resident bytes then
    memory: int
    #: CPU milliseconds a message
    cpu_ms: float


def ours(train: Sequence[Row], texts: Sequence[str], seed: int, settings: dict[str, Any]) -> Outcome:
    """Train the pipeline of config.yml, all of its random choices by the seed, and ask it."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _write_project(folder, train, _pipeline(seed, settings))
        command = [sys.executable, "-m", "bot.engine.training", "--project", scratch]
        command += ["--output", str(folder / "model.tar.gz")]
        training = _run(command, "", RASA_CACHE_DIRECTORY=str(folder / "cache")).cpu
        told = _run(
            [sys.executable, "-m", "benchmarks.understanding.ours", str(folder / "model.tar.gz")], json.dumps(texts)
        )
    return _outcome(json.loads(told.output), training)


def stock(train: Sequence[Row], texts: Sequence[str], epochs: int, python: Path, folder: Path) -> Outcome:
    """Train Rasa's default pipeline for so many epochs and ask it; what came of it is kept in the folder."""
    key = hashlib.sha256(json.dumps([train, texts, epochs]).encode()).hexdigest()
    kept = folder / f"understood-{key[:16]}.json"
    if not kept.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(asdict(_stock(train, texts, epochs, python))))
    outcome = json.loads(kept.read_text())
    return Outcome(**outcome | {"said": [Said(**said) for said in outcome["said"]]})


def _stock(train: Sequence[Row], texts: Sequence[str], epochs: int, python: Path) -> Outcome:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _write_project(folder, train, None)
        before = os.times()
        model = environment.train(python, folder, folder / "models", epochs)
        after = os.times()
        training = after.children_user + after.children_system - before.children_user - before.children_system
        script = _ROOT / "benchmarks" / "stock" / "understand.py"
        told = _run([str(python), str(script), str(model)], json.dumps(texts), **environment.ENVIRON)
    return _outcome(json.loads(told.output), training)


def _pipeline(seed: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Return config.yml with only what has to do with intents: these data are in one language, without articles."""
    config: dict[str, Any] = yaml.safe_load((_ROOT / "config.yml").read_text("utf-8"))
    parts = {part["name"].rpartition(".")[2]: part for part in config["pipeline"]}
    (classifier,) = (part for name, part in parts.items() if "IntentClassifier" in name)
    featurizer, classifier = (
        {key: value for key, value in part.items() if key not in {"languages", "by_language", "expected"}}
        for part in (parts["SentenceEmbeddingFeaturizer"], classifier)
    )
    config["pipeline"] = [
        parts["WhitespaceTokenizer"],
        featurizer | {"seed": seed},
        classifier | {"name": _CLASSIFIER, "seed": seed, "asides": []} | settings,
    ]
    return config


def _write_project(folder: Path, train: Sequence[Row], config: dict[str, Any] | None) -> None:
    intents: dict[str, list[str]] = {}
    for text, intent in train:
        # What Rasa would take for the mark of an entity is none.
        intents.setdefault(intent, []).append(text.replace("](", "] (").replace("]{", "] {"))
    nlu = [
        f"- intent: {json.dumps(intent)}\n  examples: |\n" + "".join(f"    - {text}\n" for text in texts)
        for intent, texts in intents.items()
    ]
    domain = {"intents": [*intents, _FALLBACK], "actions": [_LOST]}
    steps = [{"intent": _FALLBACK}, {"action": _LOST}]
    (folder / "data").mkdir()
    # As people write it: a block of lines, not one string that PyYAML puts in quotes.
    (folder / "data" / "nlu.yml").write_text("\n".join(['version: "3.1"', "nlu:", *nlu]), "utf-8")
    _dump(folder / "data" / "rules.yml", {"rules": [{"rule": "Ask again", "steps": steps}]})
    _dump(folder / "domain.yml", domain)
    if config is not None:
        _dump(folder / "config.yml", config)


def _dump(file: Path, content: dict[str, Any]) -> None:
    file.write_text(yaml.safe_dump({"version": "3.1", **content}, allow_unicode=True, width=10_000), "utf-8")


@dataclass(frozen=True, kw_only=True)
class _Ran:
    output: str
    cpu: float


def _run(command: list[str], given: str, **environ: str) -> _Ran:
    before = os.times()
    ran = subprocess.run(
        ["nice", *command], check=False, input=given, capture_output=True, text=True, cwd=_ROOT,
        env={**os.environ, **environ},
    )  # fmt: skip
    after = os.times()
    if ran.returncode:
        raise RuntimeError(f"{' '.join(command[:4])} failed: {(ran.stdout + ran.stderr)[-1500:]}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return _Ran(output=ran.stdout, cpu=cpu)


def _outcome(told: dict[str, Any], training: float) -> Outcome:
    return Outcome(
        said=[_said(parsed) for parsed in told["said"]],
        training=training,
        boot=told["boot"],
        memory=told["memory"],
        cpu_ms=told["cpu_ms"],
    )


def _said(parsed: dict[str, Any]) -> Said:
    best = next(guess for guess in parsed["intent_ranking"] if guess["name"] != _FALLBACK)
    confidence = float(best["confidence"])
    scope = parsed.get("in_scope")
    return Said(
        guess=best["name"],
        confidence=confidence,
        is_answered=parsed["intent"]["name"] != _FALLBACK,
        # A stock Rasa has its confidence alone.
        scope=confidence if scope is None else float(scope),
    )
