"""Structured logs: constant event names with fields, ids rather than objects, secrets never."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterable
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

#: Shapes of credentials, wherever they turn up: in URLs that libraries log, in exception texts.
_SECRET_SHAPES = re.compile(
    r"bot\d{5,}:[\w-]{20,}|\b\d{5,}:[\w-]{30,}|xox[abpers]-[\w-]{8,}|xapp-[\w-]{8,}|(?<=Bearer )[\w.~+/=-]{12,}"
)
#: Libraries that log whole payloads or URLs with tokens.
_QUIET = (
    "httpx",
    "httpcore",
    "telegram",
    "slack_bolt",
    "slack_sdk",
    "aiohttp",
    "sanic",
    "alembic",
    "asyncio",
    "rasa_sdk",
)


#: What a terminal obeys or hides; line ends of tracebacks stay.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def _seen(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Write out what a terminal would obey: texts in an event may be anybody's."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = _UNSEEN.sub(lambda found: ascii(found[0])[1:-1], value)
    return event


class Redactor:
    """Replaces secrets in everything that is logged."""

    def __init__(self, secrets: Iterable[str]) -> None:
        """Know these exact values, and the shapes of credentials in general."""
        known = {form for value in secrets if len(value) > 5 for form in (value, json.dumps(value)[1:-1])}
        self._values = sorted(known, key=len, reverse=True)

    def clean(self, text: str) -> str:
        """Return `text` without any secret."""
        for value in self._values:
            text = text.replace(value, "***")
        return _SECRET_SHAPES.sub("***", text)

    def rendering(self, render: Processor) -> Processor:
        """Return `render` with its whole line cleaned: whatever an event holds, it becomes text only there."""

        def rendered(logger: WrappedLogger, method: str, event: EventDict) -> str:
            return self.clean(str(render(logger, method, event)))

        return rendered


def configure(level: str, style: str, secrets: Iterable[str], stream: TextIO = sys.stderr) -> None:
    """Send all logs, our own and the libraries', to `stream` as JSON lines or for a person's eyes.

    `style` is `json`, `console`, or `auto`: console when `stream` is a terminal.
    """
    is_json = style == "json" or (style == "auto" and not stream.isatty())
    render: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=True)
        if is_json
        else structlog.dev.ConsoleRenderer(colors=stream.isatty())
    )
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                # JSON writes it out itself.
                *([] if is_json else [_seen]),
                Redactor(secrets).rendering(render),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
