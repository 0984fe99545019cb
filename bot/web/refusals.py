"""How an application says no: one plain sentence, and nothing of its insides."""

from __future__ import annotations

from typing import Any

import structlog
from sanic import HTTPResponse, Request, Sanic, response
from sanic.exceptions import SanicException
from sanic.response import BaseHTTPResponse

log = structlog.get_logger()


def add_refusals(app: Sanic[Any, Any]) -> None:
    """Answer refused and failed requests in words, and let no browser guess what an answer is."""

    @app.exception(SanicException)
    async def refuse(_request: Request, error: SanicException) -> HTTPResponse:
        return response.text(str(error), error.status_code)

    @app.exception(Exception)
    async def fail(request: Request, error: Exception) -> HTTPResponse:
        log.error("request_failed", path=request.path, exc_info=error)
        return response.text("something went wrong on our side", 500)

    async def say_what_it_is(_request: Any, answer: BaseHTTPResponse) -> None:
        answer.headers.setdefault("x-content-type-options", "nosniff")

    app.register_middleware(say_what_it_is, "response")
