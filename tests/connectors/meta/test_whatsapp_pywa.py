"""Our reading of WhatsApp's calls beside that of a library nobody here wrote (PyPI `pywa`)."""

from __future__ import annotations

import copy
import json
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from pywa.client import WhatsApp
from pywa.types.callback import CallbackButton, CallbackSelection
from pywa.types.message import Message

from bot.domain.messages import AttachmentKind, InboundMessage, Receipt, ReceiptKind, Withdrawal
from connectors.meta.account import signature
from tests.contracts import whatsapp
from tests.contracts.meta import APP_SECRET
from tests.contracts.subject import FIXTURES

RECORDED = FIXTURES / "whatsapp"
#: Of older calls, which lack the user id: pywa loses them, see `test_where_they_part`.
NOT_FOR_PYWA = frozenset({"phone_number_only", "delivered_to_a_number"})
_KINDS = {"image": AttachmentKind.IMAGE, "video": AttachmentKind.VIDEO, "audio": AttachmentKind.AUDIO}
_STATES = {
    "sent": ReceiptKind.SENT,
    "delivered": ReceiptKind.DELIVERED,
    "read": ReceiptKind.READ,
    "failed": ReceiptKind.FAILED,
}


@pytest.fixture
def client() -> WhatsApp:
    """The library with no server and no handlers of ours."""
    return WhatsApp(phone_id=whatsapp.NUMBER, token="EAAG", server=None, app_secret=APP_SECRET, verify_token="x")


def read(client: WhatsApp, body: Any) -> Any:
    """Return what pywa makes of a call; none when it does nothing with it."""
    seen: list[Any] = []
    for name in (
        "message",
        "edited_message",
        "deleted_message",
        "message_status",
        "callback_button",
        "callback_selection",
    ):
        getattr(client, f"on_{name}")(lambda _, update: seen.append(update))
    client.webhook_update_handler(json.dumps(body).encode())
    return seen[0] if seen else None


def recorded(kind: str) -> list[Any]:
    """Return the payloads that are one event of ours of that kind."""
    found = []
    for path in sorted(RECORDED.glob("*.json")):
        recording = json.loads(path.read_text(encoding="utf-8"))
        if [event["event"] for event in recording["events"]] == [kind] and path.stem not in NOT_FOR_PYWA:
            found.append(pytest.param(recording["body"], id=path.stem))
    return found


def ours(body: Any) -> Any:
    """Return our one event."""
    subject = whatsapp.subject()
    (event,) = subject.connector.parse(subject.request(json.dumps(body).encode()))
    return event


@pytest.mark.parametrize("body", recorded("InboundMessage"))
def test_messages(client: WhatsApp, body: Any) -> None:
    """Who wrote, when, which message it is and what it says are the same to both."""
    theirs, event = read(client, body), ours(body)
    assert isinstance(event, InboundMessage)

    assert theirs is not None
    assert theirs.id == event.external_id
    assert theirs.from_user.bsuid == event.address.external_id
    assert theirs.timestamp.astimezone(UTC) == event.sent_at
    if isinstance(theirs, CallbackButton | CallbackSelection):
        assert event.choice in (theirs.data, None)
    elif isinstance(theirs, Message) and theirs.text:
        assert theirs.text == event.text
    for name, kind in _KINDS.items():
        if (file := getattr(theirs, name, None)) is not None:
            (attachment,) = event.attachments
            assert (attachment.reference, attachment.kind) == (file.id, kind)


@pytest.mark.parametrize("body", recorded("Withdrawal"))
def test_deletions(client: WhatsApp, body: Any) -> None:
    """What a customer deleted is the same message to both."""
    theirs, event = read(client, body), ours(body)
    assert isinstance(event, Withdrawal)
    assert theirs is not None
    assert theirs.original_message_id == event.of_external_id


@pytest.mark.parametrize("body", recorded("Receipt"))
def test_reports(client: WhatsApp, body: Any) -> None:
    """A report speaks of the same message, and says the same, to both."""
    theirs, event = read(client, body), ours(body)
    assert isinstance(event, Receipt)
    assert theirs is not None
    assert theirs.id == event.of_external_id
    assert _STATES.get(theirs.status, event.kind) is event.kind
    if theirs.tracker and theirs.tracker.startswith("tandem:"):
        assert theirs.tracker == f"tandem:{event.of_key}"


def test_signature(client: WhatsApp) -> None:
    """A call that we accept is one that pywa accepts, and a changed one is accepted by neither."""
    body = json.dumps(json.loads(Path(RECORDED / "text.json").read_text(encoding="utf-8"))["body"]).encode()
    assert client.webhook_update_validator(body, signature(body, APP_SECRET)) is None
    assert client.webhook_update_validator(body + b" ", signature(body, APP_SECRET)) is not None


def test_where_they_part(client: WhatsApp) -> None:
    """A call in the old form, without a user id, is a message to us, and lost in pywa."""
    body = json.loads((RECORDED / "phone_number_only.json").read_text(encoding="utf-8"))["body"]

    assert read(client, copy.deepcopy(body)) is None
    assert isinstance(ours(body), InboundMessage)
