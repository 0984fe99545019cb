"""Mastodon as others wrote it: `mastodon-mock` from PyPI, a server with statuses, notifications and files."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from bot.domain.connectors import SendAttachment, SendText, Sent
from bot.domain.messages import Attachment, AttachmentKind, Author, InboundMessage, OutboundMessage, Withdrawal
from connectors.mastodon.connector import MastodonConnector, MastodonMentionsConnector, MastodonSettings, Office
from tests.connectors.looker import Looker, words
from tests.fakes.cursors import MemoryCursors
from tests.fakes.media import MemoryMedia
from tests.peers.pypi import python_of
from tests.ports import free_port

_READY_WITHIN = 60


class Customer:
    """Grace, who writes to Ada."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, headers={"Authorization": "Bearer grace_token"}, trust_env=False)

    def writes(self, text: str, visibility: str = "direct", **more: Any) -> Any:
        """Write a status and return it."""
        return self._call("POST", "/api/v1/statuses", json={"status": text, "visibility": visibility} | more)

    def changes(self, status: Any, text: str) -> None:
        """Change a status."""
        self._call("PUT", f"/api/v1/statuses/{status['id']}", json={"status": text})

    def deletes(self, status: Any) -> None:
        """Delete a status."""
        self._call("DELETE", f"/api/v1/statuses/{status['id']}")

    def sees(self, status: Any) -> list[Any]:
        """Return what was answered below a status."""
        answers: list[Any] = self._call("GET", f"/api/v1/statuses/{status['id']}/context")["descendants"]
        return answers

    def _call(self, method: str, path: str, **more: Any) -> Any:
        answer = self._client.request(method, path, **more)
        answer.raise_for_status()
        return answer.json()

    def close(self) -> None:
        """Close all connections."""
        self._client.close()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Run the server for this file; return where it is."""
    port = free_port()
    program = python_of("mastodon").parent / "mastodon_mock"
    command = [str(program), "serve", "--in-memory", "--demo", "--port", str(port), "--log-level", "warning"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + _READY_WITHIN
        while not _answers(url):
            if time.monotonic() > until or process.poll() is not None:
                (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("mastodon-mock did not start")
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/v2/instance", trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


@pytest.fixture
def grace(server: str) -> Iterator[Customer]:
    """Return a customer."""
    made = Customer(server)
    yield made
    made.close()


class Ada:
    """The brand's account and its connectors."""

    def __init__(self, url: str) -> None:
        self.media = MemoryMedia()
        account = MastodonSettings(name="ada@127.0.0.1", token=SecretStr("ada_token"), base_url=url)
        self.office = Office(account, self.media, MemoryCursors())
        self.private = MastodonConnector(self.office)
        self.public = MastodonMentionsConnector(self.office)

        def looking(sleep: Any) -> MastodonConnector:
            self._looking = Office(account, self.media, MemoryCursors(), sleep)
            return MastodonConnector(self._looking)

        self.looker = Looker(looking)

    async def stop(self) -> None:
        """End everything."""
        await self.looker.stop()
        await self._looking.close()
        await self.office.close()


@pytest.fixture
async def ada(server: str) -> AsyncIterator[Ada]:
    """Return the brand, which has looked once."""
    made = Ada(server)
    await made.looker.look()
    yield made
    await made.stop()


async def test_a_private_conversation(ada: Ada, grace: Customer) -> None:
    """A message is read, answered by name and in private, and a repeat of the answer is shown once."""
    asked = grace.writes("@ada Where is my <order>? https://copperleaf.example/tea")
    (event,) = await ada.looker.look()
    assert isinstance(event, InboundMessage)
    operation = SendText(address=event.address, text="On its way & soon.", reply_context=event.reply_context)
    results = [await ada.private.send(operation, "k1") for _ in range(2)]

    assert event.text == "Where is my <order>? https://copperleaf.example/tea"
    assert event.address.channel == "mastodon"
    (answer,) = grace.sees(asked)
    assert results == [Sent(external_id=answer["id"])] * 2
    assert (answer["visibility"], answer["content"]) == ("direct", "<p>@grace On its way &amp; soon.</p>")


async def test_a_public_thread(ada: Ada, grace: Customer) -> None:
    """What is said in a public thread has one address; a change and a deletion are noticed."""
    first = grace.writes("@ada Open today?", "unlisted")
    (one,) = await ada.looker.look()
    assert isinstance(one, InboundMessage)
    sent = await ada.public.send(SendText(address=one.address, text="Yes.", reply_context=one.reply_context), "k2")
    assert isinstance(sent, Sent)
    second = grace.writes("@ada Until when?", "unlisted", in_reply_to_id=sent.external_id)
    found = await ada.looker.look()
    grace.changes(second, "@ada Until six?")
    edited = await ada.looker.look()
    grace.deletes(second)
    gone = [*await ada.looker.look(), *await ada.looker.look()]

    # The mock calls our app by no name, so our own answer is told of as well; the pipeline knows it.
    two = [each for each in found if isinstance(each, InboundMessage)]
    assert [each.address.external_id for each in (one, *two)] == [f"{first['id']}:{first['account']['id']}"] * 2
    assert words([*two, *edited]) == ["Until when?", "Until six?"]
    assert [each.of_external_id for each in gone if isinstance(each, Withdrawal)] == [second["id"]]


async def test_files_changes_and_deletions_of_ours(ada: Ada, grace: Customer) -> None:
    """A picture arrives; our own words can be changed and taken back."""
    asked = grace.writes("@ada Show me")
    (event,) = await ada.looker.look()
    assert isinstance(event, InboundMessage)
    picture = Attachment(kind=AttachmentKind.IMAGE, name="tea.png", media_type="image/png")
    kept = await ada.media.put(b"\x89PNG", picture)
    message = OutboundMessage(author=Author.AGENT, text="Here.", attachments=(kept,), reply_context=event.reply_context)
    planned = ada.private.plan(message, event.address)
    assert isinstance(planned, tuple)
    file, text = planned
    assert isinstance(file, SendAttachment)
    assert isinstance(text, SendText)
    assert isinstance(await ada.private.send(file, "k3"), Sent)
    sent = await ada.private.send(text, "k4")
    assert isinstance(sent, Sent)
    assert await ada.private.edit(SendText(address=event.address, text="There."), sent.external_id, "k5") == sent

    shown, words_of_ours = grace.sees(asked)
    assert [each["type"] for each in shown["media_attachments"]] == ["image"]
    url = shown["media_attachments"][0]["url"]
    assert await ada.private.fetch(Attachment(kind=AttachmentKind.IMAGE, reference=url)) == b"\x89PNG"
    assert words_of_ours["content"] == "<p>@grace There.</p>"
    assert await ada.private.unsend(event.address, sent.external_id, "k6") == sent
    assert len(grace.sees(asked)) == 1


async def test_check(ada: Ada) -> None:
    """The line of the account names the server's version and limit."""
    assert "@ada@127.0.0.1 (Mastodon 4.6.0, 500 characters)" in await ada.private.check()
