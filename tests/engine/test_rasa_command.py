from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.conftest import ROOT, SMALL_BOT

RASA = "import sys; sys.path.insert(0, {root!r}); from bot.engine.rasa_command import main; sys.exit(main())"


def rasa(folder: Path, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run the `rasa` command in a folder and type something into it."""
    command = [sys.executable, "-W", "ignore", "-c", RASA.format(root=str(ROOT)), *arguments]
    return subprocess.run(command, cwd=folder, input=typed, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, encoder_folder: Path) -> Path:
    """Return a copy of the small bot beside the encoder, as a trainer has it."""
    folder = tmp_path_factory.mktemp("trainers") / "bot"
    shutil.copytree(SMALL_BOT, folder)
    (folder / "var").mkdir()
    (folder / "var" / "encoder").symlink_to(ROOT / encoder_folder)
    return folder


def test_trainers_habits_work(project: Path) -> None:
    """`rasa data validate`, `train`, `test nlu` and `test core` do what they do everywhere."""
    assert rasa(project, "data", "validate").returncode == 0
    trained = rasa(project, "train")
    assert trained.returncode == 0, trained.stderr[-2_000:]
    assert len(list((project / "models").glob("*.tar.gz"))) == 1
    understood = rasa(project, "test", "nlu", "--nlu", "data/nlu.yml")
    assert understood.returncode == 0, understood.stderr[-2_000:]
    report = json.loads((project / "results" / "intent_report.json").read_text())
    assert report["accuracy"] > 0.9
    assert (project / "results" / "intent_confusion_matrix.png").is_file()
    assert rasa(project, "test", "core", "--stories", "data").returncode == 0


def test_the_shell_talks_and_shows_what_it_understands(project: Path, small_model: Path) -> None:
    """`rasa shell` answers until `/stop`; `rasa shell nlu` prints what is understood."""
    talked = rasa(
        project, "shell", "--model", str(small_model), typed="when do you close\nwhere is my order\n/stop\nhello\n"
    )
    assert talked.returncode == 0, talked.stderr[-2_000:]
    assert "We are open from nine to six." in talked.stdout
    assert "(failed: action_order_status" in talked.stdout
    assert talked.stdout.count("> ") == 3
    shown = rasa(project, "shell", "nlu", "--model", str(small_model), typed="cancel order CL-104233\n").stdout
    assert '"order_cancel"' in shown
    assert '"CL-104233"' in shown


def test_the_shell_needs_a_model(tmp_path: Path) -> None:
    """Without a model `rasa shell` says how to get one."""
    done = rasa(tmp_path, "shell")
    assert done.returncode == 1
    assert "rasa train" in done.stderr


@pytest.mark.parametrize("command", ["run", "interactive", "x", "export"])
def test_commands_of_rasas_server_say_what_to_use_instead(tmp_path: Path, command: str) -> None:
    """Commands that need Rasa's own server are refused in one line that names ours."""
    done = rasa(tmp_path, command)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
