"""The public and the internal port: what channels, the engine and operators are answered."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from sanic import Request, Sanic

from bot.domain.channels import AccountId
from bot.domain.connectors import Connector, ConnectorRegistry, WebhookAnswer, WebhookRequest
from bot.domain.errors import MalformedWebhookError, WebhookRejectedError
from bot.web import serving
from bot.web.internal import InternalParts, internal_app
from bot.web.public import PublicParts, public_app
from bot.web.serving import bind, inherited, serve
from bot.web.webhooks import WebhookParts, webhooks_blueprint
from tests.fakes.connector import FakeConnector


class AskingConnector(FakeConnector):
    """A channel that first asks who we are."""

    def challenge(self, request: WebhookRequest) -> WebhookAnswer | None:
        """Return what was asked, if something was."""
        asked = request.query.get("challenge")
        return WebhookAnswer(status=200, body=asked.encode()) if asked else None


class AnsweredConnector(FakeConnector):
    """A channel that reads what its calls are answered with."""

    @property
    def received(self) -> WebhookAnswer:
        """What it wants to read."""
        return WebhookAnswer(status=200, body=b"<Response/>", content_type="text/xml")


@dataclass
class Outside:
    """What the ports stand before."""

    #: what receiving comes to
    error: Exception | None = None
    received: list[WebhookRequest] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    warnings: dict[str, str] = field(default_factory=dict)

    async def receive(self, _connector: Connector, request: WebhookRequest) -> None:
        """Keep the request, or fail."""
        if self.error is not None:
            raise self.error
        self.received.append(request)

    async def find_unready(self) -> dict[str, str]:
        """Return what is missing."""
        return self.missing

    async def find_warnings(self) -> dict[str, str]:
        """Return what somebody should look at."""
        return self.warnings

    async def run_action(self, payload: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Say what was asked to run."""
        return 200, {"ran": payload["next_action"]}


@asynccontextmanager
async def served(app: Sanic[Any, Any]) -> AsyncIterator[httpx.AsyncClient]:
    """Serve the app and yield a client of it."""
    bound = bind("127.0.0.1", 0, "service.port")
    async with serve(app, bound):
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=url) as client:
            yield client


@pytest.fixture
def outside() -> Outside:
    """Return an outside where all is well."""
    return Outside()


@pytest.fixture
async def public(outside: Outside) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the public port with one channel account."""
    connectors = (AskingConnector(), AnsweredConnector(account=AccountId("answered")))
    parts = WebhookParts(connectors=ConnectorRegistry(connectors=connectors), receive=outside.receive)
    async with served(
        public_app(PublicParts(blueprints=(webhooks_blueprint(parts),), find_unready=outside.find_unready))
    ) as client:
        yield client


@pytest.fixture
async def internal(outside: Outside) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the internal port."""
    parts = InternalParts(
        run_action=outside.run_action,
        actions_token="right",
        find_unready=outside.find_unready,
        find_warnings=outside.find_warnings,
    )
    async with served(internal_app(parts)) as client:
        yield client


async def test_a_call_is_acknowledged_once_it_is_kept(public: httpx.AsyncClient, outside: Outside) -> None:
    """The connector gets method, lower-case headers, query and the raw bytes."""
    answer = await public.post("/webhooks/fake/brand?a=1", content=b'{"x":  1}', headers={"X-Signature": "s"})

    assert answer.status_code == 200
    [request] = outside.received
    assert (request.method, request.query, request.body) == ("POST", {"a": "1"}, b'{"x":  1}')
    assert request.headers["x-signature"] == "s"


async def test_a_channel_is_answered_in_its_own_words(public: httpx.AsyncClient, outside: Outside) -> None:
    """What a channel wants to read it reads once its events are kept, and not before."""
    answer = await public.post("/webhooks/fake/answered", content=b"{}")
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (200, "<Response/>", "text/xml")

    outside.error = ConnectionError("the database is down")
    refused = await public.post("/webhooks/fake/answered", content=b"{}")
    assert (refused.status_code, "Response" in refused.text) == (503, False)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (WebhookRejectedError("not signed"), 403),
        (MalformedWebhookError("no JSON"), 400),
        (ConnectionError("the database is down"), 503),
    ],
)
async def test_what_was_not_kept_is_not_acknowledged(
    public: httpx.AsyncClient, outside: Outside, error: Exception, status: int
) -> None:
    """A stranger is refused, nonsense is refused, and our own failure asks for another call without saying more."""
    outside.error = error

    answer = await public.post("/webhooks/fake/brand", content=b"{}")

    assert answer.status_code == status
    assert "database" not in answer.text


async def test_a_handshake_is_answered_and_not_received(public: httpx.AsyncClient, outside: Outside) -> None:
    """A channel that asks who we are hears it."""
    answer = await public.get("/webhooks/fake/brand?challenge=4711")

    assert (answer.status_code, answer.text, outside.received) == (200, "4711", [])


async def test_accounts_nobody_has_are_not_found(public: httpx.AsyncClient) -> None:
    """Neither is any other path."""
    assert (await public.post("/webhooks/fake/other", content=b"{}")).status_code == 404
    assert (await public.get("/nowhere")).status_code == 404


@pytest.mark.parametrize("missing", [{}, {"engine": "starting"}])
async def test_both_ports_say_whether_they_are_ready(
    public: httpx.AsyncClient, internal: httpx.AsyncClient, outside: Outside, missing: dict[str, str]
) -> None:
    """Alive is not ready: an operator's balancer sees 503 and what is missing."""
    outside.missing = missing
    for client in (public, internal):
        assert (await client.get("/healthz")).status_code == 200
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["missing"]) == (503 if missing else 200, missing)


async def test_what_should_be_looked_at_leaves_it_ready(
    public: httpx.AsyncClient, internal: httpx.AsyncClient, outside: Outside
) -> None:
    """A desk that is gone stands in the answer of the internal port alone; customers are answered all the same."""
    outside.warnings = {"slack/C1": "the channel is archived"}
    answer = await internal.get("/readyz")
    assert (answer.status_code, answer.json()["warnings"]) == (200, outside.warnings)
    assert "warnings" not in (await public.get("/readyz")).json()


async def test_only_the_engine_runs_actions(internal: httpx.AsyncClient) -> None:
    """The token of this start opens the door, nothing else does."""
    call = {"next_action": "action_order_status"}
    right, wrong = {"Authorization": "Bearer right"}, {"Authorization": "Bearer wrong"}

    assert (await internal.post("/actions", json=call, headers=right)).json() == {"ran": "action_order_status"}
    assert (await internal.post("/actions", json=call, headers=wrong)).status_code == 401
    assert (await internal.post("/actions", json=call)).status_code == 401
    assert (await internal.post("/actions", json=[1], headers=right)).status_code == 400


async def test_metrics_are_served_inside_only(public: httpx.AsyncClient, internal: httpx.AsyncClient) -> None:
    """Prometheus reads them on the internal port."""
    assert "tandem_turns_total" in (await internal.get("/metrics")).text
    assert (await public.get("/metrics")).status_code == 404


async def test_actions_are_for_this_machine_alone(internal: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the internal port is open to a network, for probes and figures, actions are refused to whoever is there."""
    monkeypatch.setattr(Request, "ip", "10.1.2.3")
    answer = await internal.post("/actions", json={}, headers={"Authorization": "Bearer right"})
    assert answer.status_code == 403
    assert (await internal.get("/metrics")).status_code == 200


def test_an_inherited_socket_is_taken_by_whom_it_is_meant_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The socket that systemd hands over is used by the process it names, and nobody else takes it for one."""
    with socket.create_server(("127.0.0.1", 0)) as given:
        monkeypatch.setattr(serving, "_FIRST_INHERITED", os.dup(given.fileno()))
        assert inherited({}) is None
        assert inherited({"LISTEN_FDS": "1", "LISTEN_PID": "1"}) is None
        assert inherited({"LISTEN_FDS": "2", "LISTEN_PID": str(os.getpid())}) is None
        taken = inherited({"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())})
        assert taken is not None
        assert taken.getsockname() == given.getsockname()
        taken.close()
