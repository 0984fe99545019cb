"""A brand's own app: takes our calls as docs/connect-app.md says, and keeps what its customers saw.

Signatures are made and checked by a library of others', the specification's own.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from standardwebhooks.webhooks import Webhook, WebhookVerificationError


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong with one call."""

    #: what is answered; none: the connection is cut
    status: int | None
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    #: whether the app has shown it all the same
    is_done: bool = False


@dataclass(kw_only=True)
class FakeApp:
    """The app's truth."""

    secret: str
    url: str = ""
    #: what goes wrong with the next calls
    faults: deque[Fault] = field(default_factory=deque)
    #: every call that was proved, in order
    calls: list[dict[str, Any]] = field(default_factory=list)
    #: what customers see, by the call's id
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused_count: int = 0

    def sign(self, call: str, body: str) -> dict[str, str]:
        """Return the headers of a call that the app makes now."""
        now = datetime.now(UTC)
        signature = Webhook(self.secret).sign(call, now, body)
        return {"webhook-id": call, "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Take a call of Tandem's."""
        body = await request.read()
        try:
            Webhook(self.secret).verify(body, dict(request.headers))
        except WebhookVerificationError:
            self.refused_count += 1
            return web.Response(status=401)
        call, said = request.headers["webhook-id"], json.loads(body)
        self.calls.append(said)
        fault = self.faults.popleft() if self.faults else None
        if fault is None or fault.is_done:
            self._show(call, said)
        if fault is None:
            return web.json_response({"id": f"s-{call}"})
        if fault.status is None:
            assert request.transport is not None
            request.transport.abort()
            await asyncio.sleep(0)
        return web.Response(status=fault.status or 500, body=fault.body, headers=fault.headers)

    def _show(self, call: str, said: dict[str, Any]) -> None:
        if said["type"] == "message":
            self.seen.setdefault(call, said)
        elif said["type"] == "edit":
            self.seen[said["of"].removeprefix("s-")]["text"] = said["text"]
        elif said["type"] == "withdrawal":
            self.seen.pop(said["of"].removeprefix("s-"), None)


@asynccontextmanager
async def running(app: FakeApp) -> AsyncIterator[FakeApp]:
    """Serve `app` on a loopback port until the block ends; its `url` says where."""
    served = web.Application(client_max_size=16_000_000)
    served.router.add_post("/tandem", app.answer)
    runner = web.AppRunner(served, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    app.url = f"http://127.0.0.1:{runner.addresses[0][1]}/tandem"
    try:
        yield app
    finally:
        await runner.cleanup()
