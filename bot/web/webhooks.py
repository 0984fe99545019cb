"""Where channels call us: `/webhooks/CHANNEL/ACCOUNT`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from sanic import Blueprint, HTTPResponse, Request, response

from bot.domain.connectors import (
    AnswersWebhooks,
    Challenging,
    Connector,
    ConnectorRegistry,
    WebhookAnswer,
    WebhookRequest,
)
from bot.domain.errors import MalformedWebhookError, WebhookRejectedError

log = structlog.get_logger()

#: Longer than any channel's calls; a longer body is refused before it is read.
BODY_MAX = 4 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class WebhookParts:
    """What the routes need."""

    connectors: ConnectorRegistry
    #: makes the request's events durable
    receive: Callable[[Connector, WebhookRequest], Awaitable[None]]


def webhooks_blueprint(parts: WebhookParts) -> Blueprint:
    """Return the routes under `/webhooks`.

    200: everything is durable, or was before. 400: not the channel's protocol. 403: not from the channel. 404: no such
    account. 503: nothing was kept; call again.
    """
    blueprint = Blueprint("webhooks", url_prefix="/webhooks")

    async def webhook(request: Request, channel: str, account: str) -> HTTPResponse:
        connector = parts.connectors.find(channel, account)
        if connector is None:
            return response.text("no such account", 404)
        asked = WebhookRequest(
            method=request.method,
            headers={name.lower(): value for name, value in request.headers.items()},
            query={name: values[0] for name, values in request.args.items()},
            body=request.body,
        )
        try:
            if isinstance(connector, Challenging) and (answer := connector.challenge(asked)) is not None:
                return _response(answer)
            await parts.receive(connector, asked)
        except WebhookRejectedError as error:
            log.warning("webhook_rejected", channel=channel, reason=str(error))
            return response.text("refused", 403)
        except MalformedWebhookError as error:
            log.warning("webhook_malformed", channel=channel, reason=str(error))
            return response.text(f"malformed: {error}", 400)
        except Exception:
            log.exception("webhook_not_kept", channel=channel)
            return response.text("not kept, call again", 503, headers={"Retry-After": "5"})
        return _response(connector.received) if isinstance(connector, AnswersWebhooks) else response.text("ok")

    blueprint.add_route(webhook, "/<channel:str>/<account:str>", methods=["GET", "POST"])
    return blueprint


def _response(answer: WebhookAnswer) -> HTTPResponse:
    return response.raw(answer.body, answer.status, content_type=answer.content_type)
