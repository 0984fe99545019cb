"""Our stand-in for Meta, and what we send to it, beside a client of others (npm `@chat-adapter/whatsapp`)."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.domain.connectors import SendOperation, Sent
from bot.domain.messages import Choice
from tests.connectors.meta.bench import Bench, bench
from tests.peers import npm

CLIENT = Path(npm.__file__).parent / "meta" / "client.mjs"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The fake after the other client has written, and what came of its calls."""

    stand: Bench
    came_to: dict[str, str]

    def sent(self) -> list[dict[str, Any]]:
        """Return the messages that the other client sent."""
        return self.stand.sent()


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """The fake with one customer, to whom the other client has written."""
    modules = await asyncio.to_thread(npm.modules_of, "meta")
    async with bench("whatsapp") as stand:
        graph, jane = stand.graph, stand.jane
        process = await asyncio.create_subprocess_exec(
            "node",
            str(CLIENT),
            *(graph.url, graph.token, graph.number_id, jane.id, f"wamid.{jane.id}.1"),
            env={**os.environ, "NODE_PATH": str(modules)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(30):
            said, _ = await process.communicate()
        yield Stage(stand=stand, came_to=json.loads(said))


async def test_another_client(stage: Stage) -> None:
    """Texts, buttons, files and templates of another client arrive, and it reads our answers and refusals as Meta's."""
    seen = {shown.message_id: shown for shown in stage.stand.jane.seen}
    text, buttons, file, template = (seen[stage.came_to[name]] for name in ("text", "buttons", "file", "template"))

    assert (text.kind, text.text) == ("text", "Where is my order? 🎉")
    assert [title for title, _ in buttons.choices] == ["Yes", "No"]
    assert (file.kind, file.name, file.content) == ("document", "invoice.pdf", b"%PDF-1.4")
    assert (template.sent_as, template.text) == ("template", "It left today.")
    assert stage.stand.jane.signs == [f"read wamid.{stage.stand.jane.id}.1"]
    assert "132001" in stage.came_to["missing"]
    assert "131026" in stage.came_to["stranger"]


async def test_we_send_the_same(stage: Stage) -> None:
    """What we send for the same messages is what the other client sends, but for our key."""
    theirs = {body["type"]: body for body in stage.sent()[:4]}
    choices = (Choice(title="Yes", payload="yes"), Choice(title="No", payload="no"))
    operations: list[SendOperation] = [
        stage.stand.text("Where is my order? 🎉"),
        stage.stand.text("Shall we?", *choices),
        await stage.stand.file(b"%PDF-1.4", "application/pdf", "invoice.pdf"),
        stage.stand.text("It left today.", is_late=True),
    ]
    count = len(stage.sent())
    for operation in operations:
        assert isinstance(await stage.stand.connector.send(operation, "key"), Sent)

    for ours in stage.sent()[count:]:
        assert ours.pop("biz_opaque_callback_data") == "tandem:key"
        assert _comparable(ours) == _comparable(theirs[ours["type"]])


def _comparable(body: dict[str, Any]) -> dict[str, Any]:
    """Return a message without what differs from one sending to the next: ids, and headers and captions of theirs."""
    content = dict(body[body["type"]])
    for name in ("header", "caption", "id"):
        content.pop(name, None)
    if body["type"] == "interactive":
        buttons = content.pop("action")["buttons"]
        content["buttons"] = [(each["type"], each["reply"]["title"]) for each in buttons]
    return body | {body["type"]: content}
