from __future__ import annotations

from pathlib import Path

import yaml

from bot.desk.slack.check import SCOPES

MANIFEST = Path(__file__).parents[3] / "deploy" / "slack-app-manifest.yaml"


def test_the_manifest_asks_for_what_the_check_wants() -> None:
    """The app made from the manifest passes `doctor`, and asks for nothing that is not used."""
    manifest = yaml.safe_load(MANIFEST.read_text())
    assert set(manifest["oauth_config"]["scopes"]["bot"]) == SCOPES | {"usergroups:read"}


def test_the_manifest_fits_slacks_limits() -> None:
    """Names and descriptions are no longer than Slack takes."""
    told = yaml.safe_load(MANIFEST.read_text())["display_information"]
    assert len(told["name"]) <= 35
    assert len(told["description"]) <= 140
    assert 174 <= len(told["long_description"]) <= 4000
