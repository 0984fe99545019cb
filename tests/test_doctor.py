from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bot.commands.doctor import find_exposed, find_risks
from bot.settings import load

PUBLIC = {"TANDEM_SERVICE__PUBLIC_URL": "https://care.example.com"}


def test_a_public_chat_behind_nobody_knows_what_is_a_risk() -> None:
    """Where visitors come through a proxy that is not named they share one count, and doctor says what to set."""
    assert "service.trusted_proxies" in find_risks(load(PUBLIC))["proxies"]
    assert find_risks(load(PUBLIC | {"TANDEM_SERVICE__TRUSTED_PROXIES": "10.0.0.5"})) == {}
    assert find_risks(load(PUBLIC | {"TANDEM_WEBCHAT__IS_ENABLED": "false"})) == {}
    assert find_risks(load({})) == {}


def test_what_customers_wrote_is_not_for_everybody(tmp_path: Path) -> None:
    """State that every user of the machine can read is named; none is, where the folder or the files are closed."""
    for name in ("tandem.db", "secret"):
        (tmp_path / name).touch(mode=0o644)
    (tmp_path / "tandem.db-wal").touch(mode=0o600)
    tmp_path.chmod(0o755)
    assert find_exposed(tmp_path) == ["secret", "tandem.db"]
    tmp_path.chmod(0o700)
    assert find_exposed(tmp_path) == []
    assert find_exposed(tmp_path / "nothing") == []


def test_commands_write_for_nobody_else(tmp_path: Path) -> None:
    """Whatever a command makes is its user's alone, the database with all conversations above all."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    environ = {**os.environ, "TANDEM_SERVICE__STATE_DIR": str(state)}
    subprocess.run([sys.executable, "-m", "bot", "migrate"], env=environ, check=True, umask=0o022)
    made = [state, *state.rglob("*")]
    assert state / "tandem.db" in made
    assert [path.name for path in made if path.stat().st_mode & 0o077] == []
