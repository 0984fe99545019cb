"""`desk-link`: a new one-time link to the local desk."""

from __future__ import annotations

from bot.desk.sessions import desk_link as new_link
from bot.instance import service_secret
from bot.settings import Settings


def desk_link(settings: Settings) -> int:
    """Print a link that lets one browser in, once."""
    print(new_link(service_secret(settings.service.secret, settings.service.state_dir), settings.service.home))
    return 0
