from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.domain.errors import SettingsError
from bot.instance import only_instance, service_secret

_HOLD = """
import sys, pathlib
from bot.instance import only_instance
with only_instance(pathlib.Path(sys.argv[1]), "http://here:1"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_one_is_told_about_the_first(tmp_path: Path) -> None:
    """Whoever starts in a folder in use learns who uses it; when that one has ended, however, the way is free."""
    command = [sys.executable, "-c", _HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"held\n"
        named = rf"running already: http://here:1 \(process {first.pid}\)"
        with pytest.raises(SettingsError, match=named), only_instance(tmp_path, "http://there:2"):
            pass
        first.kill()
    with (
        only_instance(tmp_path, "http://there:2"),
        pytest.raises(SettingsError, match="http://there:2"),
        only_instance(tmp_path, "http://elsewhere:3"),
    ):
        pass
    with only_instance(tmp_path, "http://again:4"):
        pass


def test_a_folder_of_somebody_else_is_named(tmp_path: Path) -> None:
    """Where nothing can be written, the error says which setting to change."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"service\.state_dir"), only_instance(tmp_path / "file", "http://x"):
        pass


def test_a_secret_is_made_once(tmp_path: Path) -> None:
    """Without a secret in the settings one is made, kept for the owner's eyes, and found again."""
    folder = tmp_path / "not" / "there"
    secret = service_secret(None, folder)
    assert len(secret) >= 32
    assert service_secret(None, folder) == secret
    assert (folder / "secret").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in folder.iterdir()] == ["secret"]


def test_processes_that_start_together_get_one_secret(tmp_path: Path) -> None:
    """Of several that make the secret at the same moment all get the same, and never half of it."""
    with ThreadPoolExecutor(16) as threads:
        found = set(threads.map(lambda _: service_secret(None, tmp_path), range(64)))
    assert len(found) == 1
    assert len(found.pop()) >= 32


def test_a_chosen_secret_is_used(tmp_path: Path) -> None:
    """A secret in the settings is used as it is, and nothing is written."""
    assert service_secret(SecretStr("chosen"), tmp_path) == "chosen"
    assert list(tmp_path.iterdir()) == []
