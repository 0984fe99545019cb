"""What every connector does with what comes in."""

from __future__ import annotations

import copy
import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from bot.domain.channels import ChannelAddress
from bot.domain.connectors import WebhookRequest
from bot.domain.errors import MalformedWebhookError, WebhookRejectedError
from bot.domain.messages import InboundEvent, InboundMessage, Unsupported
from tests.contracts.plain import plain
from tests.contracts.subject import FIXTURES, Subject
from tests.contracts.subjects import SUBJECTS

EVENT: TypeAdapter[InboundEvent] = TypeAdapter(InboundEvent)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)
RECORDED = [
    pytest.param(channel, path, id=f"{channel}/{path.stem}")
    for channel in SUBJECTS
    for path in sorted((FIXTURES / channel).glob("*.json"))
]


def _recorded(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _parse(subject: Subject, body: bytes) -> list[InboundEvent]:
    return subject.connector.parse(subject.request(body))


# ------------------------------------------------------------------------------------------------------------- proof


def test_genuine(subject: Subject) -> None:
    """A request of the channel is accepted; none is, where the channel never calls us."""
    genuine = subject.request(subject.bodies(["hello"])[0])
    with nullcontext() if subject.proof_header else pytest.raises(WebhookRejectedError):
        subject.connector.verify(genuine)


def test_no_proof(subject: Subject) -> None:
    """A request without proof, or with an empty one, is rejected."""
    genuine = subject.request(subject.bodies(["hello"])[0])
    bare = {name: value for name, value in genuine.headers.items() if name != subject.proof_header}
    for headers in (bare, bare | {subject.proof_header or "authorization": ""}):
        with pytest.raises(WebhookRejectedError):
            subject.connector.verify(replace(genuine, headers=headers))


@given(data=st.data())
def test_forged_proof(subject: Subject, data: st.DataObject) -> None:
    """A proof with any one character changed, missing or added is rejected."""
    if subject.proof_header is None:
        return
    genuine = subject.request(subject.bodies(["hello"])[0])
    proof = genuine.headers[subject.proof_header]
    at = data.draw(st.integers(0, len(proof) - 1))
    new = data.draw(st.sampled_from(["", "x", proof[at] + "x", "\ud800", "é", chr(ord(proof[at]) ^ 1)]))
    forged = proof[:at] + new + proof[at + 1 :]
    if forged != proof:
        with pytest.raises(WebhookRejectedError):
            subject.connector.verify(
                replace(genuine, headers={**genuine.headers, subject.proof_header: forged}),
            )


@given(data=st.data())
def test_flipped_byte(subject: Subject, data: st.DataObject) -> None:
    """Where the proof covers the body, a body with any one bit changed is rejected, unless it says the very same."""
    if not subject.is_body_proved:
        return
    genuine = subject.request(subject.bodies(["hello"])[0])
    at, bit = data.draw(st.integers(0, len(genuine.body) - 1)), data.draw(st.integers(0, 7))
    flipped = bytearray(genuine.body)
    flipped[at] ^= 1 << bit
    if subject.proved(bytes(flipped)) == subject.proved(genuine.body):
        return
    with pytest.raises(WebhookRejectedError):
        subject.connector.verify(replace(genuine, body=bytes(flipped)))


# ------------------------------------------------------------------------------------------------------------ meaning


@pytest.mark.parametrize(("channel", "path"), RECORDED)
def test_recorded(channel: str, path: Path) -> None:
    """A recorded payload means what its file says."""
    recorded = _recorded(path)
    subject = SUBJECTS[channel]()
    events = _parse(subject, subject.encode(recorded["body"]))

    assert [plain(event) for event in events] == recorded["events"]


def test_has_recorded_payloads(subject: Subject) -> None:
    """Every connector brings recorded payloads."""
    assert list((FIXTURES / subject.name).glob("*.json"))


@given(texts=st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1), max_size=8))
def test_nothing_is_lost(subject: Subject, texts: list[str]) -> None:
    """As many messages come out as went in, in order, each with an id of its own."""
    events = [event for body in subject.bodies(texts) for event in _parse(subject, body)]

    assert len({event.external_id for event in events}) == len(texts)
    assert [event.text for event in events if isinstance(event, InboundMessage)] == [
        _as_read(subject, text) for text in texts
    ]


def _as_read(subject: Subject, text: str) -> str:
    """Return the text as the connector reads it alone: some channels compose their letters."""
    (event,) = _parse(subject, subject.bodies([text])[0])
    assert isinstance(event, InboundMessage)
    return event.text


def test_same_again(subject: Subject) -> None:
    """The same request means the same events with the same ids, however often it comes."""
    body = subject.bodies(["hello"])[0]

    assert _parse(subject, body) == _parse(subject, body)


def test_address_is_readable(subject: Subject) -> None:
    """Addresses survive the form the database keys by, and name our account."""
    (event,) = _parse(subject, subject.bodies(["hello"])[0])
    assert isinstance(event, InboundMessage)

    assert ChannelAddress.parse(str(event.address)) == event.address
    assert (event.address.channel, event.address.account) == (subject.connector.channel, subject.connector.account)


def test_unknown_kind(subject: Subject) -> None:
    """A kind of event that does not exist yet is a value, not an error."""
    (event,) = _parse(subject, subject.unknown)

    assert isinstance(event, Unsupported)


def test_commands_are_text(subject: Subject) -> None:
    """What looks like a command of the engine is plain text."""
    for text in ("/restart", "/start", '/greet{"customer": "1"}', "EXTERNAL: x"):
        (event,) = _parse(subject, subject.bodies([text])[0])
        assert isinstance(event, InboundMessage)
        assert (event.text, event.choice) == (text, None)


def test_a_megabyte(subject: Subject) -> None:
    """A very long text is read, or refused as malformed."""
    try:
        (event,) = _parse(subject, subject.bodies(["tea " * 250_000])[0])
    except MalformedWebhookError:
        return
    assert isinstance(event, InboundMessage)


# ------------------------------------------------------------------------------------------------------------ nonsense


def _nothing_but_malformed(subject: Subject, request: WebhookRequest) -> None:
    """Parse; whatever comes out must be well typed and fit to be stored, whatever goes wrong must say 400."""
    try:
        events = subject.connector.parse(request)
    except MalformedWebhookError:
        return
    for event in events:
        stored = EVENT.dump_json(event)
        assert EVENT.validate_json(stored) == event
        assert b"\\u0000" not in stored


@given(value=JSON)
def test_any_json(subject: Subject, value: object) -> None:
    """Whatever JSON comes, it is read or refused as malformed."""
    _nothing_but_malformed(subject, subject.request(json.dumps(value).encode()))


@given(body=st.binary())
def test_any_bytes(subject: Subject, body: bytes) -> None:
    """Whatever bytes come, they are read or refused as malformed."""
    _nothing_but_malformed(subject, subject.request(body))


@given(data=st.data())
def test_damaged_payload(subject: Subject, data: st.DataObject) -> None:
    """A recorded payload with any one member replaced, emptied or removed is read or refused as malformed."""
    path = data.draw(st.sampled_from(sorted((FIXTURES / subject.name).glob("*.json"))))
    body = copy.deepcopy(_recorded(path)["body"])
    holder, key = data.draw(st.sampled_from(_places(body)))
    if data.draw(st.booleans()) and isinstance(holder, dict):
        del holder[key]
    else:
        holder[key] = data.draw(JSON)
    _nothing_but_malformed(subject, subject.request(subject.encode(body)))


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return every place in a JSON value that can be changed, as its holder and key."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in items for place in ((value, key), *_places(inner))]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"NaN",
        b'{"a": Infinity}',
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b'{"update_id": ' + b"9" * 5_000 + b"}",
        b"\xff\xfe{\x00}\x00",
        b'\xef\xbb\xbf{"update_id": 1}',
        b'{"a": "\xed\xa0\x80"}',
        b"payload=%7B%7D",
    ],
    ids=lambda body: body[:24].decode("ascii", "replace"),
)
def test_nonsense(subject: Subject, body: bytes) -> None:
    """What is not the channel's protocol is refused as malformed."""
    with pytest.raises(MalformedWebhookError):
        _parse(subject, body)
