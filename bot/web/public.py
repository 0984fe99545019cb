"""The application that customers' networks, browsers and agents reach."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from sanic import Blueprint, Sanic

from bot.web.internal import add_health
from bot.web.refusals import add_refusals
from bot.web.webhooks import BODY_MAX


@dataclass(frozen=True, kw_only=True)
class PublicParts:
    """What the application is made of."""

    blueprints: tuple[Blueprint, ...]
    #: what is not ready, by name; empty: all is
    find_unready: Callable[[], Awaitable[dict[str, str]]]


def public_app(parts: PublicParts) -> Sanic[Any, Any]:
    """Return the application for the public port."""
    app = Sanic(f"public-{uuid4().hex[:8]}", configure_logging=False)
    # Held in memory before anything is known of the sender; what takes files reads its body itself.
    app.config.REQUEST_MAX_SIZE = BODY_MAX
    app.config.REQUEST_TIMEOUT = 30
    app.config.RESPONSE_TIMEOUT = 60
    app.config.KEEP_ALIVE_TIMEOUT = 30
    for blueprint in parts.blueprints:
        app.blueprint(blueprint)
    add_health(app, parts.find_unready)
    add_refusals(app)
    return app
