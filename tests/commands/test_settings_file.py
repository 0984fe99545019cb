from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from bot.commands.settings_file import put_account, put_public_url, write
from bot.domain.errors import SettingsError

EXAMPLE = Path("deploy/tandem.example.toml")


def test_everything_else_stays() -> None:
    """In the example file only the new lines are new: comments, order and other sections stay as they are."""
    text = EXAMPLE.read_text(encoding="utf-8")
    made = put_account(text, "telegram", {"token": "1:a", "on_ambiguous": "resend"}, is_another=False)

    assert tomllib.loads(made)["telegram"]["token"] == "1:a"
    assert tomllib.loads(made)["telegram"]["on_ambiguous"] == "resend"
    gone = [line for line in text.splitlines() if line not in made.splitlines()]
    assert [line.partition(" =")[0] for line in gone] == ["on_ambiguous"]


def test_another_account() -> None:
    """One more account makes the section one of several; the next change is to the last one."""
    text = '[telegram]\ntoken = "1:a" # first\n'
    several = put_account(text, "telegram", {"token": "2:b"}, is_another=True)
    assert tomllib.loads(several)["telegram"] == [{"token": "1:a"}, {"token": "2:b"}]
    assert "# first" in several

    three = put_account(several, "telegram", {"token": "3:c"}, is_another=True)
    changed = put_account(three, "telegram", {"token": "4:d"}, is_another=False)
    assert [each["token"] for each in tomllib.loads(changed)["telegram"]] == ["1:a", "2:b", "4:d"]


def test_public_url() -> None:
    """Our address is put into its section, which is made where there is none."""
    assert tomllib.loads(put_public_url("", "https://a.example"))["service"]["public_url"] == "https://a.example"
    made = put_public_url("[service]\nport = 1\n", "https://a.example")
    assert tomllib.loads(made)["service"] == {"port": 1, "public_url": "https://a.example"}


@pytest.mark.parametrize("text", ["[telegram", 'telegram = "x"'])
def test_what_cannot_be_written_to(text: str) -> None:
    """What is no TOML, or has something else in the section's place, is refused."""
    with pytest.raises(SettingsError):
        put_account(text, "telegram", {"token": "1:a"}, is_another=False)


def test_file_keeps_its_rights(tmp_path: Path) -> None:
    """A new file is its owner's alone; one that is there keeps the rights it has."""
    path = tmp_path / "new" / "tandem.toml"
    write(path, "a = 1\n")
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    write(path, "a = 2\n")
    assert (path.stat().st_mode & 0o777, path.read_text()) == (0o640, "a = 2\n")
