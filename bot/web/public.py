"""The application that customers' networks, browsers and agents reach."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import structlog
from sanic import Blueprint, HTTPResponse, Request, Sanic, response
from sanic.exceptions import SanicException

from bot.web.internal import add_health
from bot.web.webhooks import BODY_MAX

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class PublicParts:
    """What the application is made of."""

    blueprints: tuple[Blueprint, ...]
    #: what is not ready, by name; empty: all is
    find_unready: Callable[[], Awaitable[dict[str, str]]]


def public_app(parts: PublicParts) -> Sanic[Any, Any]:
    """Return the application for the public port."""
    app = Sanic(f"public-{uuid4().hex[:8]}", configure_logging=False)
    # One file of the web chat is the largest thing anybody sends.
    app.config.REQUEST_MAX_SIZE = max(BODY_MAX, 12 * 1024 * 1024)
    app.config.REQUEST_TIMEOUT = 30
    app.config.RESPONSE_TIMEOUT = 60
    app.config.KEEP_ALIVE_TIMEOUT = 30
    for blueprint in parts.blueprints:
        app.blueprint(blueprint)
    add_health(app, parts.find_unready)

    @app.exception(SanicException)
    async def refuse(_request: Request, error: SanicException) -> HTTPResponse:
        return response.text(str(error), error.status_code)

    @app.exception(Exception)
    async def fail(request: Request, error: Exception) -> HTTPResponse:
        log.error("request_failed", path=request.path, exc_info=error)
        return response.text("something went wrong on our side", 500)

    return app
