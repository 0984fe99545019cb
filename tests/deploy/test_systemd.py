from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.deploy.validating import DEPLOY, ROOT, run

FOLDER = DEPLOY / "systemd"
UNITS = sorted(path.name for path in FOLDER.glob("*.service"))
#: systemd's own measure of what a unit could do to the system: 0 nothing, 10 everything.
EXPOSURE_MAX = 1.5


def test_systemd_takes_every_unit(tmp_path: Path) -> None:
    """`systemd-analyze verify` finds nothing to say, with the paths of an installation put in the place of ours."""
    for path in FOLDER.iterdir():
        installed = (
            path.read_text().replace("/opt/tandem/.venv/bin/python", "/usr/bin/env").replace("file:/opt", "man:")
        )
        (tmp_path / path.name).write_text(installed)
    status, printed = run("systemd-analyze", "verify", "--man=no", *(str(path) for path in sorted(tmp_path.iterdir())))
    assert (status, printed) == (0, "")


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_can_do_little_harm(unit: str) -> None:
    """`systemd-analyze security` gives each unit a low exposure."""
    status, printed = run("systemd-analyze", "security", "--offline=true", "--no-pager", str(FOLDER / unit))
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", printed)
    assert status == 0
    assert found, printed
    assert float(found[1]) <= EXPOSURE_MAX


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_starts_a_command_that_exists_from_code_it_cannot_write(unit: str) -> None:
    """Units run as their own user, call commands of ours, write to their state alone and wait for a stop to end."""
    text = (FOLDER / unit).read_text()
    command = re.search(r"^ExecStart=\S+ -m bot (\w+)$", text, re.MULTILINE)
    assert command
    assert f'add("{command[1]}"' in (ROOT / "bot" / "__main__.py").read_text()
    for line in ("User=tandem", "ProtectSystem=strict", "NoNewPrivileges=yes", "StateDirectory=tandem"):
        assert line in text.splitlines()
    assert int(re.findall(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)[0]) > 10
