"""`desk-link`: a new one-time link to the local desk."""

from __future__ import annotations

import sys

from bot.desk.local.sessions import desk_link as new_link
from bot.instance import service_secret
from bot.settings import Settings


def desk_link(settings: Settings) -> int:
    """Print a link that lets one browser in, once."""
    secret = service_secret(settings.service.secret, settings.service.state_dir)
    sys.stdout.write(new_link(secret, settings.service.home) + "\n")
    return 0
