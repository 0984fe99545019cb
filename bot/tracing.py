"""Traces on request, by OpenTelemetry: one per message, from the channel's call to our call of the channel.

A message's id has 128 bits, and is its trace's id. So every process that works on the message adds to the same trace,
and nothing has to be handed on with it. What people wrote, and who they are, stands in no trace.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from bot.domain.errors import SettingsError

_ID = re.compile(r"[0-9a-f]{32}(?![0-9a-f])")
#: Seconds that a collector may take; what it does not take in time is lost.
_EXPORT_WITHIN = 1.0
_NOTHING: AbstractContextManager[None] = nullcontext()


class Tracer:
    """Writes spans through a provider of OpenTelemetry's SDK."""

    def __init__(self, exporter: Any) -> None:
        """Send spans to `exporter`; raises `SettingsError` where the SDK is not installed."""
        sdk = _sdk()
        self._api = sdk.trace
        self._ids = sdk.ids()
        resource = sdk.resource(
            {"service.name": "tandem", "service.instance.id": f"{socket.gethostname()}:{os.getpid()}"}
        )
        self._provider = sdk.provider(resource=resource, id_generator=self._ids)
        self._provider.add_span_processor(sdk.processor(exporter))
        self._tracer = self._provider.get_tracer("tandem")

    @contextmanager
    def span(self, name: str, message_id: str, attributes: dict[str, str | int]) -> Iterator[None]:
        """Write a span of the message's trace, below the one at work in this task, or else below its arrival."""
        current = self._api.get_current_span().get_span_context()
        context = None if f"{current.trace_id:032x}" == message_id else self._below_arrival(message_id)
        with self._tracer.start_as_current_span(
            name, context=context, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield
            except BaseException as error:
                # An error's text may hold what somebody wrote.
                span.set_status(self._api.StatusCode.ERROR, type(error).__name__)
                raise

    def arrived(self, message_id: str, since: float, attributes: dict[str, str | int]) -> None:
        """Write a trace's first span: the message came at `since`, by the wall clock in seconds, and is kept now."""
        self._ids.next = (int(message_id, 16), _arrival_id(message_id))
        no_parent = self._api.set_span_in_context(self._api.INVALID_SPAN)
        span = self._tracer.start_span("receive", no_parent, attributes=attributes, start_time=int(since * 1e9))
        span.end()

    def close(self) -> None:
        """Send what is left, within a second or so."""
        self._provider.shutdown()

    def _below_arrival(self, message_id: str) -> Any:
        context = self._api.SpanContext(
            trace_id=int(message_id, 16),
            span_id=_arrival_id(message_id),
            is_remote=True,
            trace_flags=self._api.TraceFlags(self._api.TraceFlags.SAMPLED),
        )
        return self._api.set_span_in_context(self._api.NonRecordingSpan(context))


_tracer: Tracer | None = None


def use(tracer: Tracer | None) -> None:
    """Write traces by `tracer` from now on; none: write none."""
    global _tracer  # noqa: PLW0603 - as with metrics, each process has one
    _tracer = tracer


@contextmanager
def exporting(endpoint: str | None) -> Iterator[None]:
    """Send traces to an OTLP collector, as http://127.0.0.1:4318, while the context lasts; none: make none."""
    if endpoint is None:
        yield
        return
    tracer = Tracer(_exporter(f"{endpoint.rstrip('/')}/v1/traces"))
    use(tracer)
    try:
        yield
    finally:
        use(None)
        tracer.close()


def span(name: str, message_id: str | None, **attributes: str | int) -> AbstractContextManager[None]:
    """Return a context that becomes a span of a message's trace; without traces, or a message, it does nothing."""
    if _tracer is None or message_id is None:
        return _NOTHING
    return _tracer.span(name, message_id, attributes)


def arrived(message_id: str, since: float, **attributes: str | int) -> None:
    """Write that a message came at `since`, by the wall clock in seconds, and is kept now."""
    if _tracer is not None:
        _tracer.arrived(message_id, since, attributes)


def cause_of(key: str) -> str | None:
    """Return the message that a row of the outbox answers, by the row's key; none where it answers none."""
    found = _ID.match(key)
    return found[0] if found else None


def now() -> float:
    """Return the wall clock's seconds, as spans have them."""
    return time.time()


def _arrival_id(message_id: str) -> int:
    return int.from_bytes(hashlib.sha256(message_id.encode()).digest()[:8])


def _exporter(url: str) -> Any:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as error:
        raise _missing() from error
    return OTLPSpanExporter(endpoint=url, timeout=_EXPORT_WITHIN)


class _Sdk:
    """The parts of OpenTelemetry that are used; importing them takes memory that only traces are worth."""

    def __init__(self) -> None:
        from opentelemetry import trace
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

        class Ids(RandomIdGenerator):
            """Random, but for the span that a trace begins with."""

            next: tuple[int, int] | None = None

            def generate_trace_id(self) -> int:
                return self.next[0] if self.next else super().generate_trace_id()

            def generate_span_id(self) -> int:
                chosen, self.next = self.next, None
                return chosen[1] if chosen else super().generate_span_id()

        self.trace: Any = trace
        self.resource = Resource.create
        self.provider = TracerProvider
        self.processor: Any = BatchSpanProcessor
        self.ids = Ids


def _sdk() -> _Sdk:
    try:
        return _Sdk()
    except ImportError as error:
        raise _missing() from error


def _missing() -> SettingsError:
    return SettingsError(
        "telemetry.endpoint is set, and OpenTelemetry is not installed; install the extra `telemetry` of pyproject.toml"
    )
