"""The engine's door: HTTP on a Unix socket or loopback, one process, nothing kept between two requests.

`POST /step` takes {"conversation", "message_id", "channel", "text", "intent", "events", "metadata"} and answers 200
with {"events", "answers", "intent", "ranking", "entities", "fallback", "active_loop", "slots", "actions", "parts",
"language", "model_id"}; 400 or 422 for a request that cannot be understood, 502 {"error": "action_failed",
"action_errors": [{"action", "error"}]} where an action failed, 500 for anything else. A failed turn is never a 200.
`GET /health` tells the model and the encoder in use.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import stat
import sys
import uuid
from pathlib import Path
from typing import Any

from sanic import HTTPResponse, Request, Sanic
from sanic.exceptions import SanicException
from sanic.response import json as json_response

from bot.engine.components.sentence_encoder import encoder_folders, load_encoder
from bot.engine.components.sentence_featurizer import SentenceEmbeddingFeaturizer
from bot.engine.processor import StepProcessor
from bot.engine.step import RequestError, StepRequest, TurnFailedError, step

logger = logging.getLogger(__name__)

#: A request carries a bounded dialogue; a larger one is no request of ours.
MAX_BODY = 8_000_000


def build_app(processor: StepProcessor, health: dict[str, Any]) -> Sanic[Any, Any]:
    """Return the server of a loaded model; `health` is what `/health` answers."""
    app = Sanic(f"engine-{uuid.uuid4().hex}", configure_logging=False)
    app.config.update(
        {"REQUEST_MAX_SIZE": MAX_BODY, "ACCESS_LOG": False, "KEEP_ALIVE_TIMEOUT": 600, "RESPONSE_TIMEOUT": 300}
    )

    async def answer_step(request: Request) -> HTTPResponse:
        try:
            body = json.loads(request.body)
        except (ValueError, RecursionError):
            return _error(400, "not_json")
        try:
            outcome = await step(processor, StepRequest.from_json(body))
        except RequestError as error:
            return _error(422, "not_understood", detail=str(error))
        except TurnFailedError as error:
            logger.warning("action_failed %s", error)
            return _error(502, "action_failed", action_errors=error.failures)
        return json_response(outcome, dumps=json.dumps)

    async def answer_health(_: Request) -> HTTPResponse:
        return json_response(health)

    async def answer_error(_: Request, error: Exception) -> HTTPResponse:
        if isinstance(error, SanicException):
            return _error(error.status_code, "refused", detail=str(error))
        # The trace tells where; the message could hold what a customer wrote.
        logger.error("step_failed %s", type(error).__name__, exc_info=error)
        return _error(500, "step_failed", detail=type(error).__name__)

    async def close(_: Sanic[Any, Any]) -> None:
        await processor.action_endpoint.close()

    app.add_route(answer_step, "/step", methods=["POST"])
    app.add_route(answer_health, "/health", methods=["GET"])
    app.exception(Exception)(answer_error)
    app.after_server_stop(close)
    return app


def describe(processor: StepProcessor, model: Path) -> dict[str, Any]:
    """Return what `/health` answers for this model, read from this file."""
    import rasa

    with model.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "status": "ready",
        "model_id": processor.model_metadata.model_id,
        "model_sha256": sha256,
        **_encoders(processor),
        "rasa": rasa.__version__,
    }


def _encoders(processor: StepProcessor) -> dict[str, Any]:
    """Return the hash of the encoder in use, and of those of single languages.

    It is "missing" where the encoder is not there, and "none" where the model wants none.
    """
    found = {"": "none"}
    for node in processor.model_metadata.predict_schema.nodes.values():
        if issubclass(node.uses, SentenceEmbeddingFeaturizer):
            for language, folder in encoder_folders(node.config).items():
                encoder = load_encoder(Path(folder))
                found[language] = encoder.sha256 if encoder else "missing"
    return {"encoder": found.pop(""), "encoders_by_language": found}


def stop_with_parent(app: Sanic[Any, Any]) -> None:
    """Stop the server when whoever started it is gone, as its standard input shows: a pipe, or uvloop's socket."""
    mode = os.fstat(sys.stdin.fileno()).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return

    async def watch(app: Sanic[Any, Any]) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(sys.stdin.fileno(), _read_or_stop, app, loop)

    app.after_server_start(watch)


def _read_or_stop(app: Sanic[Any, Any], loop: asyncio.AbstractEventLoop) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        loop.remove_reader(sys.stdin.fileno())
        app.stop()


def _error(status: int, error: str, **details: Any) -> HTTPResponse:
    return json_response({"error": error, **details}, status=status, dumps=json.dumps)
