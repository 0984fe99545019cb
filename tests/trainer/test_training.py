from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from bot.trainer.report import read_report
from bot.trainer.training import Progress, TrainingError, current_model, train

SMALL_BOT = Path(__file__).parents[1] / "engine" / "bot"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the small bot without sentence vectors, which trains in a moment."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("RASA_CACHE_DIRECTORY", str(tmp_path / "cache"))
    shutil.copytree(SMALL_BOT, tmp_path / "bot")
    config = tmp_path / "bot" / "config.yml"
    lines = config.read_text().splitlines(keepends=True)
    config.write_text(
        "".join(line for line in lines if "SentenceEmbedding" not in line).replace("wrong", "folds: 2\n    wrong")
    )
    return tmp_path / "bot"


async def test_a_model_is_trained_once_for_a_bot(project: Path, tmp_path: Path) -> None:
    """Training tells its phases and makes a model; an unchanged bot has it already, a changed one has not."""
    models = tmp_path / "models"
    told: list[Progress] = []
    assert await current_model(project, models) is None
    model = await train(project, models, told.append)
    assert model.is_new
    assert model.path.is_file()
    assert [progress.phase for progress in told][:3] == ["encoder", "check", "train"]
    assert "LinearIntentClassifier" in [progress.detail for progress in told]
    assert [len(found.intents) for found in read_report(model.path).languages] == [10]
    again = await train(project, models, told.append)
    assert (again.path, again.is_new) == (model.path, False)
    assert [path.name for path in models.glob("*.tar.gz")] == [model.path.name]
    (project / "data" / "rules.yml").write_text((project / "data" / "rules.yml").read_text() + "\n# changed\n")
    assert await current_model(project, models) is None


async def test_of_two_trainings_at_once_one_waits_for_the_other(project: Path, tmp_path: Path) -> None:
    """Two processes that find no model make it once."""
    models = tmp_path / "models"
    trained = await asyncio.gather(*(train(project, models, lambda _: None) for _ in range(2)))
    assert sorted(model.is_new for model in trained) == [False, True]


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("data/rules.yml", "action: utter_greet", "action: utter_no_such", "utter_no_such"),
        ("data/nlu.yml", "  - intent: greet\n", "  - intent: greet\n  examples\n", "nlu.yml"),
        ("domain.yml", "intents: [", "intents: [[", "domain.yml"),
        ("config.yml", "RegexEntityExtractor", "NoSuchComponent", "NoSuchComponent"),
        ("config.yml", "RegexEntityExtractor", "DIETClassifier", "DIETClassifier"),
    ],
)
async def test_bad_data_is_refused_in_rasas_words(
    project: Path, tmp_path: Path, file: str, old: str, new: str, message: str
) -> None:
    """What is wrong with the data is told with the place it stands at, and leaves no model."""
    path = project / file
    changed = path.read_text().replace(old, new, 1)
    path.write_text(changed)
    with pytest.raises(TrainingError, match=message):
        await train(project, tmp_path / "models", lambda _: None)
    assert not list((tmp_path / "models").glob("*.tar.gz")) if (tmp_path / "models").exists() else True


async def test_a_folder_without_a_bot_is_refused(tmp_path: Path) -> None:
    """A folder that is no Rasa project is refused by what it lacks."""
    with pytest.raises(TrainingError, match=r"lacks config\.yml and data"):
        await train(tmp_path, tmp_path / "models", lambda _: None)
