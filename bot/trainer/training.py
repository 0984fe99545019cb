"""Trains a model when the bot changed, in a process of its own, and names it by what it was trained from."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import importlib.metadata
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from bot.domain.errors import TandemError

#: Hexadecimal digits of the fingerprint that make a model's name.
_NAME_LENGTH = 16


class TrainingError(TandemError):
    """The model could not be trained; the message says what is wrong with the data, or which step failed."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a training has come to."""

    #: `encoder`, `check`, `train` or `warning`.
    phase: str
    #: The component in training, or the warning; else empty.
    detail: str


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A model that fits the bot as it stands."""

    #: The archive.
    path: Path
    #: What it was trained from: the same bot has the same fingerprint.
    fingerprint: str
    #: False where a model of this bot was there already.
    is_new: bool


async def current_model(project: Path, models: Path) -> TrainedModel | None:
    """Return the model in `models` that was trained from the project as it stands, or None."""
    found = await asyncio.to_thread(_fingerprint, project)
    path = _path(models, found)
    return TrainedModel(path=path, fingerprint=found, is_new=False) if path.is_file() else None


async def train(project: Path, models: Path, progress: Callable[[Progress], None]) -> TrainedModel:
    """Return a model of the project (settings, domain, data, articles), trained anew unless it is in `models` already.

    Of several at the same time one trains and the others wait. Raises `TrainingError` with Rasa's own words where the
    data is bad.
    """
    with _open_lock(models) as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        return await current_model(project, models) or await _train(project, models, progress)


async def _train(project: Path, models: Path, progress: Callable[[Progress], None]) -> TrainedModel:
    found = await asyncio.to_thread(_fingerprint, project)
    path = _path(models, found)
    command = [sys.executable, "-m", "bot.engine.training", "--project", str(project), "--output", str(path)]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        error, trace = await asyncio.gather(_follow(process.stdout, progress), _last_lines(process.stderr))
        status = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if status != 0 or error:
        raise TrainingError(error or f"The training ended with status {status}: {trace}")
    return TrainedModel(path=path, fingerprint=found, is_new=True)


def _open_lock(models: Path) -> IO[str]:
    models.mkdir(parents=True, exist_ok=True)
    return (models / "lock").open("w", encoding="ascii")


def _path(models: Path, fingerprint: str) -> Path:
    return models / f"{fingerprint[:_NAME_LENGTH]}.tar.gz"


def _fingerprint(project: Path) -> str:
    """Return the hash of all that a model depends on: the project's files, our components, Rasa's version."""
    engine = Path(__file__).parents[1] / "engine"
    digest = hashlib.sha256(importlib.metadata.version("rasa").encode())
    for root, files in ((project, _project_files(project)), (engine, sorted(engine.rglob("*.py")))):
        for file in files:
            digest.update(f"\0{file.relative_to(root)}\0{file.stat().st_size}\0".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _project_files(project: Path) -> Iterator[Path]:
    for name in ("config.yml", "domain.yml", "domain", "data", "knowledge"):
        path = project / name
        if path.is_file():
            yield path
        elif path.is_dir():
            yield from sorted(file for file in path.rglob("*") if file.suffix in {".yml", ".yaml", ".md"})


async def _follow(lines: asyncio.StreamReader | None, progress: Callable[[Progress], None]) -> str:
    """Report each line of the training as progress and return the error it ended with, or an empty string."""
    error = ""
    while lines is not None and (raw := await lines.readline()):
        line: Any = json.loads(raw)
        if "phase" in line:
            progress(Progress(phase=line["phase"], detail=line["detail"]))
        elif "warning" in line:
            progress(Progress(phase="warning", detail=line["warning"]))
        error = line.get("error", error)
    return error


async def _last_lines(stream: asyncio.StreamReader | None) -> str:
    """Read a stream to its end and return the last of it."""
    kept = b""
    while stream is not None and (chunk := await stream.read(65_536)):
        kept = (kept + chunk)[-2_000:]
    return kept.decode("utf-8", "replace").strip()
