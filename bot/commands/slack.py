"""`slack manifest`: what Slack makes the app from."""

from __future__ import annotations

import sys
from pathlib import Path

from bot.desk.slack import manifest as manifests
from bot.domain.errors import SettingsError
from bot.settings import Settings

TEMPLATE = Path("deploy/slack-app-manifest.yaml")


def manifest(settings: Settings, url: str | None, *, is_socket_mode: bool) -> int:
    """Print the app's manifest for the way that is asked for, else for the one that the settings choose."""
    try:
        template = TEMPLATE.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{TEMPLATE} cannot be read ({error.strerror}): run this in Tandem's folder") from None
    chosen = url or (None if settings.slack.app_token else settings.service.public_url)
    sys.stdout.write(manifests.manifest(template, None if is_socket_mode else chosen))
    return 0
