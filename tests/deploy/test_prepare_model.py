from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from tests.deploy.validating import DEPLOY, ROOT

#: Trains as ours does: for nobody but whoever trains.
TRAINING = """#!/usr/bin/env bash
[ "$*" = "-m bot train" ]
umask 077
mkdir -p var/models var/encoder/multilingual
echo weights > var/encoder/multilingual/sentence_vectors.onnx
echo model > var/models/0123.tar.gz
printf 0123.tar.gz > var/models/current
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Return an installation whose training does nothing but write."""
    (tmp_path / "deploy").mkdir()
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    shutil.copy2(DEPLOY / "prepare-model", tmp_path / "deploy")
    python = tmp_path / ".venv" / "bin" / "python"
    python.write_text(TRAINING)
    python.chmod(0o755)
    return tmp_path


def _prepare(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(installed / "deploy" / "prepare-model"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=installed.parent)


def test_somebody_else_can_read_what_was_trained(installed: Path) -> None:
    """The model and the encoder, and the folders that they are in, are open to the service, but not to be written."""
    model = installed / "somewhere" / "model.tar.gz"
    assert _prepare(installed, str(model)).returncode == 0
    assert model.read_text() == "model\n"
    encoder = installed / "var" / "encoder" / "multilingual" / "sentence_vectors.onnx"
    for file in (model, encoder):
        assert stat.S_IMODE(file.stat().st_mode) == 0o644
    for folder in (model.parent, encoder.parent, encoder.parent.parent, installed / "var"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o755, folder


def test_where_to_is_asked_for(installed: Path) -> None:
    """Without a name for the model nothing is trained."""
    done = _prepare(installed)
    assert done.returncode != 0
    assert "name the file" in done.stderr
    assert not (installed / "var").exists()


def test_image_and_units_take_what_it_prepares() -> None:
    """Both ways to deploy a service that cannot write its code prepare the model so, and name it."""
    image = (DEPLOY / "Containerfile").read_text()
    assert "RUN deploy/prepare-model /model/model.tar.gz" in image
    assert "TANDEM_ENGINE__MODEL=/opt/tandem/model/model.tar.gz" in image
    for unit in ("tandem.service", "tandem-worker.service"):
        assert "TANDEM_ENGINE__MODEL=/opt/tandem/model.tar.gz" in (DEPLOY / "systemd" / unit).read_text()
    assert "deploy/prepare-model /opt/tandem/model.tar.gz" in (ROOT / "docs" / "operate.md").read_text()
