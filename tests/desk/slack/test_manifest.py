from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from bot.__main__ import main
from bot.desk.slack.buttons import DeskAction
from bot.desk.slack.check import SCOPES
from bot.desk.slack.envelope import COMMAND
from bot.desk.slack.manifest import manifest
from bot.domain.errors import SettingsError

MANIFEST = Path(__file__).parents[3] / "deploy" / "slack-app-manifest.yaml"


def test_the_manifest_asks_for_what_the_check_wants() -> None:
    """The app made from the manifest passes `doctor`, and asks for nothing that is not used."""
    read = yaml.safe_load(MANIFEST.read_text())
    assert set(read["oauth_config"]["scopes"]["bot"]) == SCOPES | {"usergroups:read"}


def test_the_manifest_fits_slacks_limits() -> None:
    """Names and descriptions are no longer than Slack takes."""
    read = yaml.safe_load(MANIFEST.read_text())
    told = read["display_information"]
    assert len(told["name"]) <= 35
    assert len(told["description"]) <= 140
    assert 174 <= len(told["long_description"]) <= 4000
    for shortcut in read["features"]["shortcuts"]:
        assert len(shortcut["name"]) <= 24
        assert len(shortcut["description"]) <= 150


def test_the_manifest_names_what_the_desk_listens_to() -> None:
    """The command, the entries of a message's menu and App Home are those that are read."""
    features = yaml.safe_load(MANIFEST.read_text())["features"]
    assert [command["command"] for command in features["slash_commands"]] == [COMMAND]
    offered = {shortcut["callback_id"] for shortcut in features["shortcuts"]}
    assert offered == {DeskAction.SEND_THIS, DeskAction.KEEP_THIS, DeskAction.MAKE_MACRO, DeskAction.ANSWER_THIS}
    assert features["app_home"]["home_tab_enabled"] is True


def test_over_http_every_address_is_ours() -> None:
    """Events, buttons and the command go to our address, and Socket Mode is off; else nothing is changed."""
    template = MANIFEST.read_text()
    read = yaml.safe_load(manifest(template, "https://care.example.com/"))
    address = "https://care.example.com/slack/events"
    assert read["settings"]["event_subscriptions"]["request_url"] == address
    assert read["settings"]["interactivity"]["request_url"] == address
    assert read["features"]["slash_commands"][0]["url"] == address
    assert read["settings"]["socket_mode_enabled"] is False
    assert manifest(template, None) == template


@pytest.mark.parametrize("url", ["http://care.example.com", "care.example.com", "https://", "https://a.example/?b\n"])
def test_an_address_that_slack_does_not_call_is_refused(url: str) -> None:
    """Slack calls HTTPS alone."""
    with pytest.raises(SettingsError, match="https://"):
        manifest("", url)


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    """`slack manifest --url` prints the one for HTTP; both ways at once are refused."""
    assert main(["slack", "manifest", "--url", "https://care.example.com"]) == 0
    assert "request_url: https://care.example.com/slack/events" in capsys.readouterr().out
    assert main(["slack", "manifest", "--socket-mode"]) == 0
    assert capsys.readouterr().out == MANIFEST.read_text()
