from __future__ import annotations

import sys
import timeit
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from bot import tracing
from bot.domain.errors import SettingsError
from bot.tracing import Tracer
from tests.fakes.connector import message
from tests.pipeline.rig import Rig


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """Return what keeps the spans that are written meanwhile."""
    exporter = InMemorySpanExporter()
    tracer = Tracer(exporter)
    tracing.use(tracer)
    yield exporter
    tracing.use(None)
    tracer.close()


def _finished(tracer_spans: InMemorySpanExporter) -> list[ReadableSpan]:
    assert tracing._tracer is not None
    tracing._tracer._provider.force_flush()
    return list(tracer_spans.get_finished_spans())


async def test_a_message_is_one_trace_from_webhook_to_channel_call(rig: Rig, spans: InMemorySpanExporter) -> None:
    """What takes a message in, works on it, sends the answer and calls the channel is one trace with one beginning.

    Receiving, turn and sending know nothing of each other but the rows of the database.
    """
    await rig.writes("hello", "ann")
    await rig.writes("again", "bob")
    traces: dict[int, dict[str, ReadableSpan]] = {}
    for span in _finished(spans):
        assert span.context is not None
        traces.setdefault(span.context.trace_id, {})[span.name] = span
    assert len(traces) == 2
    for by_name in traces.values():
        assert set(by_name) == {"receive", "turn", "send", "call"}
        assert by_name["receive"].parent is None
        root = by_name["receive"].context
        assert root is not None
        parents = {name: span.parent.span_id if span.parent else None for name, span in by_name.items()}
        send = by_name["send"].context
        assert send is not None
        assert parents == {"receive": None, "turn": root.span_id, "send": root.span_id, "call": send.span_id}
    assert {f"{trace_id:032x}" for trace_id in traces} == {
        (await rig.transcript(customer))[0].id for customer in ("ann", "bob")
    }


async def test_a_repeat_has_no_trace_of_its_own(rig: Rig, spans: InMemorySpanExporter) -> None:
    """A channel that brings a message three times has caused one trace."""
    for _ in range(3):
        await rig.bring(message(rig.connector, "ann", "in-1", "hello"))
    await rig.settle()
    assert len([span for span in _finished(spans) if span.name == "receive"]) == 1


async def test_no_words_of_people_stand_in_traces(rig: Rig, spans: InMemorySpanExporter) -> None:
    """Neither a message nor a name nor an error's text gets into a span, also where the work fails."""
    rig.engine.by_text["my card is 4111"] = RuntimeError("cannot read: my card is 4111")
    await rig.writes("my card is 4111", "ann-secret")
    await rig.writes("hello", "ann-secret")
    written = " ".join(span.to_json() for span in _finished(spans))
    assert "turn" in written
    assert "4111" not in written
    assert "ann-secret" not in written
    assert "hello" not in written


async def test_a_failure_marks_its_span(spans: InMemorySpanExporter) -> None:
    """A span whose work breaks off says which kind of error that was."""
    with pytest.raises(TimeoutError), tracing.span("turn", "ab" * 16):
        raise TimeoutError("words")
    (span,) = _finished(spans)
    assert span.status.description == "TimeoutError"


def test_without_an_endpoint_traces_cost_nothing() -> None:
    """Where no traces are asked for, a span is the same empty context each time, and takes no time worth the name."""
    assert tracing.span("turn", "ab" * 16) is tracing.span("send", "cd" * 16)
    rounds = 20_000
    assert timeit.timeit(lambda: tracing.span("turn", "ab" * 16, kind="message"), number=rounds) / rounds < 20e-6


def test_an_answer_is_known_by_the_message_that_it_answers() -> None:
    """Rows of the outbox that answer a message begin with its id; what agents and timers say answers none."""
    assert tracing.cause_of(f"{'ab' * 16}:0") == "ab" * 16
    assert tracing.cause_of("place:12:34") is None
    assert tracing.cause_of("ab" * 20) is None


async def test_traces_reach_a_collector(rig: Rig) -> None:
    """With an endpoint set, an OTLP collector gets the spans of a message at the latest when the process stops."""
    got: list[ExportTraceServiceRequest] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            got.append(ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Collector)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        with tracing.exporting(f"http://127.0.0.1:{server.server_port}/"):
            await rig.writes("hello")
    finally:
        server.shutdown()
        server.server_close()
    found = [
        span.name
        for request in got
        for each in request.resource_spans
        for scope in each.scope_spans
        for span in scope.spans
    ]
    assert sorted(found) == ["call", "receive", "send", "turn"]


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without OpenTelemetry's packages the settings are to blame, in one sentence."""
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(SettingsError, match="telemetry"):
        Tracer(InMemorySpanExporter())
