"""Our LINE beside LINE's own library: what it reads in the calls that we read, and how it fares with our fake."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.domain.messages import Choice, InboundMessage, Unsupported, Withdrawal
from connectors.line.connector import quick_replies, shown_as, signature
from connectors.line.events import CHOICE_MARK
from simulator.line import Fault
from tests.connectors.line.bench import JANE, Bench, bench
from tests.contracts import line
from tests.contracts.subject import FIXTURES
from tests.peers import pypi

SECRET = "9f2c0secret0of0the0contract"
#: What the library refuses as a whole, for one member of an event that nobody needs.
NOT_FOR_THE_LIBRARY = frozenset({"other_kinds"})


class Library:
    """LINE's library in a process of its own."""

    def __init__(self, peer: pypi.Peer) -> None:
        self._peer = peer

    async def parse(self, body: bytes, given: str) -> Any:
        """Return the events that it reads in a call."""
        return await self._peer.ask({"parse": body.decode(), "signature": given, "secret": SECRET})

    async def call(self, stand: Bench, method: str, models: dict[str, str] | None = None, **arguments: Any) -> Any:
        """Return what comes of a call to our fake."""
        where = {"host": stand.line.url, "token": stand.line.token, "models": models or {}}
        return await self._peer.ask({"call": method, "arguments": arguments, **where})


@pytest.fixture(scope="module")
def library() -> Iterator[Library]:
    """The library, ready to be asked: it takes seconds to start."""
    peer = pypi.Peer("line", "peer.py")
    yield Library(peer)
    peer.close()


async def test_the_same_events(library: Library) -> None:
    """In every recorded call the library reads as many events, of the same people, ids, words and moments."""
    subject = line.subject()
    compared = 0
    for path in sorted((FIXTURES / "line").glob("*.json")):
        if path.stem in NOT_FOR_THE_LIBRARY:
            continue
        body = json.dumps(json.loads(path.read_text(encoding="utf-8"))["body"]).encode()
        theirs = await library.parse(body, signature(body, SECRET.encode()).decode())
        ours = subject.connector.parse(subject.request(body))
        assert len(theirs) == len(ours), path.stem
        for their, our in zip(theirs, ours, strict=True):
            compared += _is_compared(path, their, our)
    assert compared > 20


def _is_compared(path: Path, their: dict[str, Any], our: object) -> bool:
    if isinstance(our, Withdrawal):
        assert (their["type"], their["unsend"]["messageId"]) == ("unsend", our.of_external_id)
        return True
    if not isinstance(our, InboundMessage):
        assert isinstance(our, Unsupported)
        assert their["type"] not in {"message", "postback", "unsend"} or path.stem in {
            "content_of_the_future",
            "group",
            "nameless_source",
            "room",
            "standby",
        }
        return False
    assert our.sent_at is not None
    assert their["timestamp"] == round(our.sent_at.timestamp() * 1000)
    assert their["source"]["userId"] == our.address.external_id
    assert their["replyToken"] == our.reply_context["reply_token"]
    if their["type"] == "postback":
        assert their["webhookEventId"] == our.external_id
        assert their["postback"]["data"].removeprefix(CHOICE_MARK) in (
            our.choice,
            our.text.split()[0] if our.text else "",
        )
    elif their["type"] == "message":
        assert their["message"]["id"] == our.external_id
        if their["message"]["type"] == "text" and path.stem != "unstorable_text":
            assert their["message"]["text"] == our.text
    return True


async def test_signatures(library: Library) -> None:
    """A call that we accept is one that the library accepts, and a changed one is accepted by neither."""
    body = b'{"destination": "U0123456789abcdef0123456789abcdef", "events": []}'
    proof = signature(body, SECRET.encode()).decode()

    assert await library.parse(body, proof) == []
    assert await library.parse(body + b" ", proof) == "invalid signature"


async def test_our_messages_are_theirs(library: Library) -> None:
    """What we send is what the library reads as its own messages, member for member, and sends on."""
    async with bench() as stand:
        choices = (Choice(title="Yes, please", payload="c_1"), Choice(title="No", payload="c_2"))
        operation = stand.text("Shall I cancel it?", *choices, author_name="Sam")
        message = shown_as(operation)
        request = {"to": JANE, "messages": [message]}
        made = await library.call(
            stand,
            "push_message",
            {"push_message_request": "PushMessageRequest"},
            push_message_request=request,
            x_line_retry_key=str(uuid.uuid4()),
        )

        (seen,) = stand.jane.seen
        assert made["sentMessages"][0]["id"] == seen.message_id
        assert (seen.text, seen.sender, len(seen.choices)) == ("Shall I cancel it?", "Sam", len(quick_replies(choices)))


async def test_our_fake_is_theirs(library: Library) -> None:
    """The library replies, pushes, repeats, shows signs, fetches files and asks after quotas at our fake."""
    async with bench() as stand:
        stand.line.quota = 200
        heard = stand.hears("hello")
        text = {"type": "text", "text": "hello from the library"}
        reply = {"replyToken": heard.reply_context["reply_token"], "messages": [text]}
        kinds = {"reply_message_request": "ReplyMessageRequest"}
        replied = await library.call(stand, "reply_message", kinds, reply_message_request=reply)
        again = await library.call(stand, "reply_message", kinds, reply_message_request=reply)
        assert replied["sentMessages"]
        assert (again["status"], again["body"]["message"]) == (400, "Invalid reply token")

        key, push = str(uuid.uuid4()), {"to": JANE, "messages": [text]}
        kinds = {"push_message_request": "PushMessageRequest"}
        pushed = await library.call(stand, "push_message", kinds, push_message_request=push, x_line_retry_key=key)
        repeat = await library.call(stand, "push_message", kinds, push_message_request=push, x_line_retry_key=key)
        assert repeat["status"] == 409
        assert repeat["body"]["sentMessages"] == pushed["sentMessages"]
        assert [each.is_paid for each in stand.jane.seen] == [False, True]

        loading = {"chatId": JANE, "loadingSeconds": 5}
        kinds = {"show_loading_animation_request": "ShowLoadingAnimationRequest"}
        await library.call(stand, "show_loading_animation", kinds, show_loading_animation_request=loading)
        assert stand.jane.signs == ["typing"]
        assert (await library.call(stand, "get_profile", user_id=JANE))["displayName"] == "Haruka"
        assert (await library.call(stand, "get_message_quota"))["value"] == 200
        assert (await library.call(stand, "get_message_quota_consumption"))["totalUsage"] == 1
        sent = stand.line.sends_file(stand.jane, "image", b"\x89PNG")
        content = await library.call(stand, "get_message_content", message_id=sent["message"]["id"])
        assert bytes(content) == b"\x89PNG"
        stand.line.fail(Fault(call="info", status=503))
        assert (await library.call(stand, "get_bot_info"))["status"] == 503
