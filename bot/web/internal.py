"""What only this machine may call: actions for the engine, health, metrics."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sanic import HTTPResponse, Request, Sanic, response

from bot.metrics import REGISTRY
from bot.web.refusals import add_refusals

#: A call carries the tracker of a bounded dialogue and the domain.
CALL_MAX = 16 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class InternalParts:
    """What the routes need."""

    #: runs one action: Rasa's payload to (status, answer)
    run_action: Callable[[dict[str, Any]], Awaitable[tuple[int, dict[str, Any]]]]
    #: the engine proves itself with it
    actions_token: str
    #: what is not ready, by name; empty: all is
    find_unready: Callable[[], Awaitable[dict[str, str]]]


def internal_app(parts: InternalParts) -> Sanic[Any, Any]:
    """Return the application for the internal port."""
    app = Sanic(f"internal-{uuid4().hex[:8]}", configure_logging=False)
    app.config.REQUEST_MAX_SIZE = CALL_MAX
    expected = f"Bearer {parts.actions_token}"

    @app.post("/actions")
    async def actions(request: Request) -> HTTPResponse:
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode()):
            return response.json({"error": "only the engine may call actions"}, 401)
        if not isinstance(request.json, dict):
            return response.json({"error": "not an action call"}, 400)
        status, answer = await parts.run_action(request.json)
        return response.json(answer, status)

    @app.get("/metrics")
    async def metrics(_request: Request) -> HTTPResponse:
        return response.raw(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)

    add_health(app, parts.find_unready)
    add_refusals(app)
    return app


def add_health(app: Sanic[Any, Any], find_unready: Callable[[], Awaitable[dict[str, str]]]) -> None:
    """Add `/healthz` (the process lives) and `/readyz` (it can do its work: 200, or 503 with what is missing)."""

    @app.get("/healthz")
    async def healthz(_request: Request) -> HTTPResponse:
        return response.json({"status": "alive"})

    @app.get("/readyz")
    async def readyz(_request: Request) -> HTTPResponse:
        unready = await find_unready()
        return response.json({"status": "waiting" if unready else "ready", "missing": unready}, 503 if unready else 200)
