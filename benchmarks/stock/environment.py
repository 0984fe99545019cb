"""Makes what a stock Rasa needs: its environment, and a model of the project trained with its default configuration.

requirements.txt beside this file is compiled from pyproject.toml by

    cd benchmarks/stock && uv pip compile pyproject.toml --output-file requirements.txt --python-version 3.11 \
        --python-platform x86_64-unknown-linux-gnu --generate-hashes --no-emit-index-url --no-annotate --no-header
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

_HERE = Path(__file__).parent
_REQUIREMENTS = _HERE / "requirements.txt"
_CONFIG = _HERE / "config.yml"
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


def train(python: Path, project: Path, folder: Path) -> Path:
    """Return a model of the project's domain.yml and data/, trained in `folder` unless it is there."""
    digest = hashlib.sha256()
    files = [_CONFIG, _REQUIREMENTS, project / "domain.yml", *sorted((project / "data").rglob("*.yml"))]
    for file in files:
        digest.update(file.read_bytes())
    model = folder / f"stock-{digest.hexdigest()[:16]}.tar.gz"
    if model.is_file():
        return model
    print(
        "Training the stock model (once for this data; DIET's 100 epochs take some 25 minutes on 2 cores) …", flush=True
    )
    folder.mkdir(parents=True, exist_ok=True)
    command = [str(python), "-m", "rasa", "train", "--config", str(_CONFIG)]
    command += ["--domain", str(project / "domain.yml"), "--data", str(project / "data")]
    command += ["--out", str(folder), "--fixed-model-name", model.name.removesuffix(".tar.gz")]
    with (folder / "training.log").open("wb") as log:
        subprocess.run(
            ["nice", *command], check=True, cwd=folder, env={**os.environ, **ENVIRON}, stdout=log, stderr=log
        )
    return model
