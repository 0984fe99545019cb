"""What operators and this machine may call: health and metrics, and actions, which are the engine's alone."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from uuid import uuid4

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sanic import HTTPResponse, Request, Sanic, response

from bot.metrics import REGISTRY
from bot.web.refusals import add_refusals

#: A call carries the tracker of a bounded dialogue and the domain.
CALL_MAX = 16 * 1024 * 1024


async def _find_none() -> dict[str, str]:
    return {}


@dataclass(frozen=True, kw_only=True)
class InternalParts:
    """What the routes need."""

    #: runs one action: Rasa's payload to (status, answer)
    run_action: Callable[[dict[str, Any]], Awaitable[tuple[int, dict[str, Any]]]]
    #: the engine proves itself with it
    actions_token: str
    #: what is not ready, by name; empty: all is
    find_unready: Callable[[], Awaitable[dict[str, str]]]
    #: what somebody should look at although the work goes on, by name
    find_warnings: Callable[[], Awaitable[dict[str, str]]] = _find_none
    #: how each breaker is, by what it guards
    breakers: Callable[[], dict[str, str]] = dict


def internal_app(parts: InternalParts) -> Sanic[Any, Any]:
    """Return the application for the internal port."""
    app = Sanic(f"internal-{uuid4().hex[:8]}", configure_logging=False)
    app.config.REQUEST_MAX_SIZE = CALL_MAX
    expected = f"Bearer {parts.actions_token}"

    @app.post("/actions")
    async def actions(request: Request) -> HTTPResponse:
        given = request.headers.get("authorization", "")
        if not ip_address(request.ip).is_loopback:
            return response.json({"error": "actions are called on this machine alone"}, 403)
        if not hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode()):
            return response.json({"error": "only the engine may call actions"}, 401)
        if not isinstance(request.json, dict):
            return response.json({"error": "not an action call"}, 400)
        status, answer = await parts.run_action(request.json)
        return response.json(answer, status)

    @app.get("/metrics")
    async def metrics(_request: Request) -> HTTPResponse:
        return response.raw(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)

    @app.get("/breakers")
    async def breakers(_request: Request) -> HTTPResponse:
        return response.json(parts.breakers())

    add_health(app, parts.find_unready, parts.find_warnings)
    add_refusals(app)
    return app


def add_health(
    app: Sanic[Any, Any],
    find_unready: Callable[[], Awaitable[dict[str, str]]],
    find_warnings: Callable[[], Awaitable[dict[str, str]]] = _find_none,
) -> None:
    """Add `/healthz` (the process lives) and `/readyz` (it can do its work: 200, or 503 with what is missing).

    What somebody should look at stands in the answer too, and leaves it at 200: the desk may be gone, and customers are
    answered all the same.
    """

    @app.get("/healthz")
    async def healthz(_request: Request) -> HTTPResponse:
        return response.json({"status": "alive"})

    @app.get("/readyz")
    async def readyz(_request: Request) -> HTTPResponse:
        unready = await find_unready()
        said = {"status": "waiting" if unready else "ready", "missing": unready}
        warnings = {} if unready else await find_warnings()
        return response.json(said | ({"warnings": warnings} if warnings else {}), 503 if unready else 200)
