"""Trains a model in a process of its own: `python -m bot.engine.training --project FOLDER --output FILE`.

Standard output carries one JSON object per line: {"phase", "detail"} while it works, {"warning"} for what Rasa finds
odd in the data, and at the end {"model": path} or {"error": what is wrong and where}. Exit status 0 or 1.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import logging
import os
import re
import shutil
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from bot.engine import quick_messages, without_tensorflow
from bot.engine.components.sentence_encoder import encoder_folders, weights_sha256
from bot.engine.encoder import EncoderError, prepare_encoder

if TYPE_CHECKING:
    from rasa.shared.importers.importer import TrainingDataImporter
    from rasa.shared.nlu.training_data.training_data import TrainingData

#: What Rasa keeps of components that need not be trained again, in a folder for each version of them; and the seconds
#: after which those of other versions go.
_KEPT, _STALE = Path("var/cache/rasa"), 86_400

_STARTS = re.compile(r"Starting to train component '(\w+)'")
#: Warnings that are true of every bot here: patterns find entities, and each slot has its mapping.
_KNOWN = re.compile("Slot auto-fill has been removed|does not include an entity extractor|lookup tables, but your NLU")
_COLOUR = re.compile(r"\x1b\[\d*m")


class DataError(Exception):
    """The training data contradicts itself or cannot be read."""


def main() -> int:
    """Prepare the encoder, check the data, train, and tell each step."""
    parser = argparse.ArgumentParser(
        prog="python -m bot.engine.training", description="Trains a model from a Rasa project."
    )
    parser.add_argument("--project", type=Path, required=True, help="the folder of config.yml, domain.yml and data/")
    parser.add_argument("--output", type=Path, required=True, help="the model to write, a .tar.gz")
    arguments = parser.parse_args()
    # Rasa prints progress bars and colours of its own; standard output is ours.
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    teller = Teller(channel)
    try:
        teller.tell(model=str(_train(arguments.project, arguments.output, teller)))
    except (DataError, EncoderError, OSError) as error:
        teller.tell(error=str(error))
        return 1
    return 0


class Teller(logging.Handler):
    """Writes JSON lines: what it is told, and what Rasa's log and warnings say that matters."""

    def __init__(self, channel: Any) -> None:
        super().__init__(logging.INFO)
        self._channel = channel
        self.warnings: list[str] = []

    def tell(self, **line: str) -> None:
        """Write one line."""
        print(json.dumps(line), file=self._channel, flush=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Pass on a warning, or the start of a component's training."""
        message = record.getMessage()
        if record.levelno >= logging.WARNING:
            self.warn(message)
        elif found := _STARTS.search(message):
            self.tell(phase="train", detail=found[1])

    def warn(self, message: str) -> None:
        """Pass on a warning, once."""
        text = _COLOUR.sub("", message).strip()
        if text not in self.warnings and not _KNOWN.search(text):
            self.warnings.append(text)
            self.tell(warning=text)


def _train(project: Path, output: Path, teller: Teller) -> Path:
    _prepare(project, teller)
    from rasa.engine.exceptions import (
        GraphComponentException,
        GraphRunError,
        GraphSchemaException,
        GraphSchemaValidationException,
    )
    from rasa.shared.exceptions import RasaException
    from rasa.shared.importers.importer import TrainingDataImporter

    graph_errors = (GraphComponentException, GraphRunError, GraphSchemaException, GraphSchemaValidationException)
    try:
        teller.tell(phase="check", detail="")
        # One for both: it keeps what it has read, and reading takes longer than checking.
        importer = TrainingDataImporter.load_from_config(
            str(project / "config.yml"), str(_domain(project)), [str(project / "data")]
        )
        _read_once(importer)
        _check(importer, teller)
        teller.tell(phase="train", detail="")
        return _train_model(importer, output)
    except (RasaException, *graph_errors, yaml.YAMLError) as error:
        raise DataError(_COLOUR.sub("", _root(error))) from error
    except SystemExit as error:
        raise DataError("; ".join(teller.warnings[-3:]) or "Rasa refused the training data.") from error


def _prepare(project: Path, teller: Teller) -> None:
    """Make the encoders that the project names, and Rasa importable, quick, and heard by the teller alone."""
    missing = [name for name in ("config.yml", "data") if not (project / name).exists()]
    if missing:
        raise DataError(f"{project} is no Rasa project: it lacks {' and '.join(missing)}.")
    teller.tell(phase="encoder", detail="")
    names, folders = _components(project / "config.yml")
    for folder in folders:
        prepare_encoder(folder)
    without_tensorflow.install(names)
    os.environ["RASA_CACHE_DIRECTORY"] = os.environ.get("RASA_CACHE_DIRECTORY") or str(_kept(folders))
    quick_messages.install()
    logging.basicConfig(level=logging.INFO, handlers=[teller], force=True)
    warnings.showwarning = lambda message, *_, **__: teller.warn(str(message))


def _components(config: Path) -> tuple[frozenset[str], list[Path]]:
    """Return the names of the components that are in use, and the folders of the encoders that ours ask for."""
    try:
        whole = yaml.safe_load(config.read_text("utf-8"))
        parts = [*(whole["pipeline"] or ()), *(whole.get("policies") or ())]
        names = frozenset(str(part["name"]) for part in parts)
        ours = [part for part in parts if str(part["name"]).endswith("SentenceEmbeddingFeaturizer")]
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise DataError(f"{config} cannot be read: {error}") from error
    return names, [Path(folder) for part in ours for folder in encoder_folders(part).values()]


def _kept(encoders: list[Path]) -> Path:
    """Return the folder of what is kept for this version of our components and these encoders.

    Rasa looks at a component's own class alone to tell whether it changed, not at what the class rests on.
    """
    digest = hashlib.sha256("".join(map(weights_sha256, encoders)).encode())
    for file in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(file.read_bytes())
    folder = _KEPT / digest.hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    for other in _KEPT.iterdir():
        if other.is_dir() and other != folder and time.time() - other.stat().st_mtime > _STALE:
            shutil.rmtree(other, ignore_errors=True)
    return folder


def _read_once(importer: TrainingDataImporter) -> None:
    """Have the messages read once: Rasa asks for them in two ways and reads them for each."""
    source: Any = importer
    while hasattr(source, "importer") or hasattr(source, "_importer"):
        source = getattr(source, "importer", None) or source._importer  # noqa: SLF001 - Rasa's last release
    for reader in source._importers:  # noqa: SLF001
        read = reader.get_nlu_data

        @functools.cache
        def once(read: Any = read) -> TrainingData:
            return read("en")

        reader.get_nlu_data = lambda language="en", once=once: once()  # noqa: ARG005 - nothing depends on it


def _check(importer: TrainingDataImporter, teller: Teller) -> None:
    from rasa.validator import Validator

    validator = Validator.from_importer(importer)
    checks = (
        validator.verify_domain_validity,
        validator.verify_actions_in_stories_rules,
        validator.verify_form_slots,
        functools.partial(validator.verify_story_structure, ignore_warnings=True),
    )
    # All of them run, so that all that is wrong is told.
    results = [check() for check in checks]
    if not all(results):
        raise DataError("; ".join(teller.warnings[-3:]) or "The stories and rules contradict each other or the domain.")


def _train_model(importer: TrainingDataImporter, output: Path) -> Path:
    """Do what `rasa.model_training.train` does, with what the importer has read already."""
    from rasa import model_training
    from rasa.engine.graph import TrainingType

    stories, messages = importer.get_stories(), importer.get_nlu_data()
    if stories.is_empty() and messages.contains_no_pure_nlu_data():
        raise DataError("Rasa trained nothing: is there training data in data/?")
    kind = TrainingType.BOTH
    if messages.has_e2e_examples():
        kind = TrainingType.END_TO_END
    elif stories.is_empty() or importer.get_domain().is_empty():
        kind = TrainingType.NLU
    elif messages.contains_no_pure_nlu_data():
        kind = TrainingType.CORE
    model_training._check_unresolved_slots(importer.get_domain(), stories)  # noqa: SLF001 - Rasa's last release
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent) as scratch:
        result = model_training._train_graph(  # noqa: SLF001
            importer, training_type=kind, output_path=scratch, fixed_model_name="model"
        )
        if not result.model:
            raise DataError("Rasa made no model of the training data.")
        # In one step: whoever sees the model sees all of it.
        Path(result.model).replace(output)
    return output


def _domain(project: Path) -> Path:
    return project / "domain.yml" if (project / "domain.yml").exists() else project / "domain"


def _root(error: BaseException) -> str:
    """Return what the innermost error says: the outer ones only say that a component failed."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error) or type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
