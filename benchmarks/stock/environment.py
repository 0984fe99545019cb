"""Makes what a stock Rasa needs: its environment, and a model of the project trained with its default configuration.

requirements.txt beside this file is compiled from pyproject.toml by

    cd benchmarks/stock && uv pip compile pyproject.toml --output-file requirements.txt --python-version 3.11 \
        --python-platform x86_64-unknown-linux-gnu --generate-hashes --no-emit-index-url --no-annotate --no-header
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

_HERE = Path(__file__).parent
_REQUIREMENTS = _HERE / "requirements.txt"
_CONFIG = _HERE / "config.yml"
#: How often `rasa init`'s components see each message.
EPOCHS = 100
#: Rasa's own settings, and the quiet.
ENVIRON = {"RASA_TELEMETRY_ENABLED": "false", "PYTHONWARNINGS": "ignore", "TF_CPP_MIN_LOG_LEVEL": "3"}


def make_environment(folder: Path) -> Path:
    """Return the Python of an environment of Rasa and what it requires, made in `folder` where missing."""
    wanted = hashlib.sha256(_REQUIREMENTS.read_bytes()).hexdigest()
    stamp, python = folder / "made-from", folder / "bin" / "python"
    if stamp.is_file() and stamp.read_text() == wanted:
        return python
    print("Making the environment of a stock Rasa (2.5 GB, TensorFlow among it) …", flush=True)
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder], check=True)
    subprocess.run(
        [*uv, "pip", "sync", "--quiet", "--require-hashes", "--python", python, _REQUIREMENTS], check=True, cwd=_HERE
    )
    stamp.write_text(wanted)
    return python


def train(python: Path, project: Path, folder: Path, epochs: int = EPOCHS) -> Path:
    """Return a model of the project's domain.yml and data/, trained in `folder` unless it is there.

    Nothing of earlier trainings is taken up, so that the time it takes can be compared.
    """
    config, places = re.subn(rf"\bepochs: {EPOCHS}\b", f"epochs: {epochs}", _CONFIG.read_text("utf-8"))
    if not places:
        raise RuntimeError(f"{_CONFIG} does not say “epochs: {EPOCHS}”: mend EPOCHS in {Path(__file__).name}.")
    digest = hashlib.sha256(config.encode())
    for file in (_REQUIREMENTS, project / "domain.yml", *sorted((project / "data").rglob("*.yml"))):
        digest.update(file.read_bytes())
    model = folder / f"stock-{digest.hexdigest()[:16]}.tar.gz"
    if model.is_file():
        return model
    print(f"Training the stock model ({epochs} epochs, it takes minutes to hours) …", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        settings = Path(scratch) / "config.yml"
        settings.write_text(config, "utf-8")
        command = ["nice", str(python), "-m", "rasa", "train", "--config", str(settings)]
        command += ["--domain", str(project / "domain.yml"), "--data", str(project / "data")]
        command += ["--out", str(folder), "--fixed-model-name", model.name.removesuffix(".tar.gz")]
        environ = {**os.environ, **ENVIRON, "RASA_CACHE_DIRECTORY": str(Path(scratch) / "cache")}
        ran = subprocess.run(command, check=False, cwd=folder, env=environ, capture_output=True, text=True)
    if ran.returncode:
        raise RuntimeError(f"The stock Rasa did not train: {(ran.stdout + ran.stderr)[-1500:]}")
    return model
