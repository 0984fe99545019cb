"""Finding, making and exchanging the model that answers."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import structlog
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from bot.dialogue.process import EngineProcess
from bot.domain.errors import EngineUnavailableError, SettingsError
from bot.settings import Settings
from bot.trainer import training
from bot.trainer.report import ReportError, write_report

log = structlog.get_logger()

#: Between two looks whether another model is to be used.
_LOOK_EVERY = 2.0
_PROJECT = Path()
_TITLES = {
    "encoder": "Preparing the sentence encoder",
    "check": "Checking the training data",
    "train": "Training",
}
#: Which share of the time the phases have passed when they begin, as measured on two cores.
_DONE_BEFORE = {"encoder": 2, "check": 30, "train": 45}


def find_model(settings: Settings) -> Path | None:
    """Return the model to use as things stand, without training one; none when there is none for the present data."""
    if settings.engine.model is not None:
        if not settings.engine.model.is_file():
            raise SettingsError(f"engine.model: there is no file {settings.engine.model}")
        return settings.engine.model
    found = asyncio.run(training.current_model(_PROJECT, _models(settings)))
    return found.path if found else None


def prepare_model(settings: Settings, console: Console) -> Path:
    """Return the model to use, trained first if the training data changed since the last one."""
    found = find_model(settings)
    if found is None:
        found = _train(settings, console)
    if settings.engine.model is None:
        _promote(settings, found)
    return found


def train(settings: Settings, *, is_forced: bool) -> int:
    """Train a model of the project and make a running service use it."""
    console = Console(stderr=True, highlight=False)
    found = asyncio.run(training.current_model(_PROJECT, _models(settings)))
    if found is not None and is_forced:
        found.path.unlink()
        found = None
    started_at = time.monotonic()
    path = found.path if found else _train(settings, console)
    _promote(settings, path)
    if found:
        console.print(f"Nothing changed since {path} was trained.")
    else:
        console.print(f"Trained {path} in {time.monotonic() - started_at:.0f} s.")
    return 0


def report(settings: Settings) -> int:
    """Write the report of the present model into the state's folder and say where it is."""
    console = Console(highlight=False, soft_wrap=True)
    found = find_model(settings)
    if found is None:
        console.print("There is no model of the present training data: run `python -m bot train`.")
        return 1
    try:
        page = write_report(found, settings.service.state_dir / "report")
    except ReportError as error:
        console.print(str(error))
        return 1
    console.print(f"See {page}")
    return 0


async def follow_promotions(settings: Settings, engine: EngineProcess, current: Path) -> None:
    """Exchange the running engine's model whenever another one is promoted, until cancelled."""
    while settings.engine.model is None:
        await asyncio.sleep(_LOOK_EVERY)
        promoted = await asyncio.to_thread(_promoted, settings)
        if promoted is None or promoted == current:
            continue
        try:
            await engine.swap(promoted)
        except EngineUnavailableError as error:
            log.error("model_refused", model=promoted.name, error=str(error))
        current = promoted


def _train(settings: Settings, console: Console) -> Path:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as display:
        task = display.add_task("Training a model (once; a minute or so)", total=100)
        if not console.is_terminal:
            console.print("Training a model (once; a minute or so) …")

        def show(progress: training.Progress) -> None:
            _show(display, task, progress)

        trained = asyncio.run(training.train(_PROJECT, _models(settings), show))
    return trained.path


def _show(display: Progress, task: TaskID, progress: training.Progress) -> None:
    if progress.phase == "warning":
        display.console.print(f"[yellow]{progress.detail}[/yellow]")
        return
    title = _TITLES.get(progress.phase, progress.phase)
    done = max(_DONE_BEFORE.get(progress.phase, 0), display.tasks[0].completed + bool(progress.detail) * 5)
    display.update(task, description=f"{title} {progress.detail}".strip(), completed=min(done, 97))


def _models(settings: Settings) -> Path:
    return settings.service.state_dir / "models"


def _pointer(settings: Settings) -> Path:
    return _models(settings) / "current"


def _promote(settings: Settings, model: Path) -> None:
    """Name the model to be used; a running service follows within seconds."""
    pointer = _pointer(settings)
    pointer.parent.mkdir(parents=True, exist_ok=True)
    fresh = pointer.with_suffix(".new")
    fresh.write_text(model.name, encoding="utf-8")
    fresh.replace(pointer)


def _promoted(settings: Settings) -> Path | None:
    try:
        path = _models(settings) / _pointer(settings).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    return path if path.is_file() else None
