"""What we write on Bluesky, and what was recorded of it, read by the models of others: `atproto` from PyPI."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from bot.domain.connectors import Sent
from bot.domain.messages import Attachment, AttachmentKind
from tests.connectors.bluesky.bench import Bench, bench
from tests.contracts.subject import FIXTURES
from tests.fakes.bluesky import JANE
from tests.peers.pypi import Peer


def _recorded(channel: str) -> list[Any]:
    paths = sorted((FIXTURES / channel).glob("*.json"))
    return [pytest.param(json.loads(path.read_text(encoding="utf-8"))["body"], id=path.stem) for path in paths]


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    """Run the library's models for this file."""
    made = Peer("bluesky", "peer.py")
    yield made
    made.close()


@pytest.fixture
async def stand() -> AsyncIterator[Bench]:
    """Return a bench whose connector has looked once."""
    async with bench() as made:
        yield made


async def test_posts_of_ours_are_posts(stand: Bench, peer: Peer) -> None:
    """An answer with links, and one with a picture, are posts to others, under keys that posts have."""
    asked = stand.bluesky.posts(JANE, "How?")
    (event,) = await stand.look()
    picture = Attachment(kind=AttachmentKind.IMAGE, name="tea.png", media_type="image/png")
    kept = await stand.media.put(b"\x89PNG", picture)
    for number, each in enumerate(stand.planned(event, "☕ https://copperleaf.example/tea", kept)):
        sent = await stand.public.send(each, f"k{number}")
        assert isinstance(sent, Sent)
        assert await peer.ask({"tid": sent.external_id.rpartition("/")[2]}) is True

    shown, linked = [
        await peer.ask({"model": "AppBskyFeedPost.Record", "value": each})
        for each in sorted(stand.bluesky.below(asked), key=lambda each: len(each["text"]))
    ]
    assert shown["embed"]["images"][0]["alt"] == "tea.png"
    assert linked["facets"][0]["features"][0]["uri"] == "https://copperleaf.example/tea"
    assert linked["reply"]["parent"]["uri"] == asked


async def test_messages_of_ours_are_messages(stand: Bench, peer: Peer) -> None:
    """A message with links is one to others."""
    stand.bluesky.says("convo0", JANE, "How?")
    (event,) = await stand.look()
    assert isinstance(await stand.answer(event, "See https://copperleaf.example"), Sent)
    said = stand.bluesky.logs[-1]["message"]
    value = {"text": said["text"], "facets": said["facets"]}

    assert (await peer.ask({"model": "ChatBskyConvoDefs.MessageInput", "value": value}))["text"] == said["text"]


async def test_what_is_no_post_is_none(peer: Peer) -> None:
    """The library is not content with anything."""
    assert "error" in await peer.ask({"model": "AppBskyFeedPost.Record", "value": {"text": "No moment"}})
    assert "error" in await peer.ask({"tid": "3kimage"})


@pytest.mark.parametrize("body", _recorded("bluesky-mentions"))
async def test_recorded_notifications(peer: Peer, body: dict[str, Any]) -> None:
    """What was recorded is what others read as notifications."""
    value = {"notifications": body["notifications"]}
    read = await peer.ask({"model": "AppBskyNotificationListNotifications.Response", "value": value})

    assert [each["uri"] for each in read["notifications"]] == [each["uri"] for each in value["notifications"]]


@pytest.mark.parametrize("body", _recorded("bluesky"))
async def test_recorded_messages(peer: Peer, body: dict[str, Any]) -> None:
    """What was recorded is what others read as the chat's log."""
    value = {"logs": body["logs"]}
    read = await peer.ask({"model": "ChatBskyConvoGetLog.Response", "value": value})

    assert [each["rev"] for each in read["logs"]] == [each["rev"] for each in value["logs"]]
