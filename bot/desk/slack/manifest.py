"""The manifest of the Slack app, for one of the two ways in which Slack reaches us."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from bot.domain.errors import SettingsError

EVENTS = "/slack/events"
#: A line that HTTP needs and Socket Mode does not, as the file has it.
_ADDRESS = re.compile(r"^( *)# ((?:request_)?url): \S+$", re.MULTILINE)
_SOCKET_MODE = "socket_mode_enabled: true"


def manifest(template: str, url: str | None) -> str:
    """Return the manifest for HTTP at our address `url`, or for Socket Mode when that is none.

    Raises `SettingsError` for an address that Slack would not call.
    """
    if url is None:
        return template
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment or not url.isprintable():
        raise SettingsError(f"Slack calls no {url!r}: give an address that starts with https://")
    address = url.rstrip("/") + EVENTS
    named = _ADDRESS.sub(lambda found: f"{found[1]}{found[2]}: {address}", template)
    return named.replace(_SOCKET_MODE, _SOCKET_MODE.replace("true", "false"))
