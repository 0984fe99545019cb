from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from telegram import Update
from telegram.constants import UpdateType

from bot.domain.channels import AccountId
from bot.domain.messages import InboundMessage, Reaction, Unsupported
from connectors.telegram.updates import ALLOWED_UPDATES, callback_query_id, read_update
from tests.contracts import telegram
from tests.contracts.subject import FIXTURES

ACCOUNT = AccountId("7000001")
#: The library reads these no better than we do.
_NOT_COMPARED = {"unstorable_text"}
RECORDED = sorted(path for path in (FIXTURES / "telegram").glob("*.json") if path.stem not in _NOT_COMPARED)


def _body(path: Path) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["body"]
    return body


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_library_reads_the_same(path: Path) -> None:
    """python-telegram-bot reads the recorded payload as well, and finds the same in it."""
    body = _body(path)
    with warnings.catch_warnings(action="ignore"):
        update = Update.de_json(body, None)
    event = read_update(body, ACCOUNT)

    if isinstance(event, Unsupported):
        assert update.effective_chat is None or event.kind.partition(".")[0] in body
        return
    if isinstance(event, Reaction):
        sign = update.message_reaction
        assert sign is not None
        assert event.of_external_id == f"{sign.chat.id}:{sign.message_id}"
        assert bool(event.emoji) == bool(sign.new_reaction)
        return
    assert isinstance(event, InboundMessage)
    if (query := update.callback_query) is not None:
        assert (callback_query_id(event.external_id), event.choice) == (query.id, query.data)
        return
    message = update.edited_message or update.message
    assert message is not None
    assert event.address.external_id == str(message.chat.id)
    assert (event.edits or event.external_id) == f"{message.chat.id}:{message.message_id}"
    assert event.sent_at == (message.edit_date or message.date)
    if written := message.text or message.caption:
        assert f"{event.text} {event.referral}".strip() == written
    if message.photo:
        assert event.attachments[0].reference == max(message.photo, key=lambda size: size.width).file_id
    for member in ("animation", "video", "video_note", "voice", "audio", "document"):
        if (file := getattr(message, member)) is not None:
            assert (event.attachments[0].reference, event.attachments[0].size) == (file.file_id, file.file_size)
            break


@pytest.mark.parametrize("kind", [kind for kind in UpdateType if kind not in ALLOWED_UPDATES])
def test_every_other_kind(kind: UpdateType) -> None:
    """Every kind of update that the library knows and we did not ask for is a value."""
    update = {"update_id": 5, str(kind): {"chat": {"id": 1}}}
    event = read_update(update, ACCOUNT)

    raw = json.dumps(update)
    assert event == Unsupported(external_id=f"update:5:{kind}", kind=str(kind), is_unread=True, raw=raw)


def test_allowed_updates_exist() -> None:
    """What we ask for is what the library calls so."""
    assert set(ALLOWED_UPDATES) <= {str(kind) for kind in UpdateType}


def test_edits_within_one_second() -> None:
    """Two edits in one second are two events of the same message; the same update again is the same event."""
    edit = _body(FIXTURES / "telegram" / "edited_text.json")
    events = [read_update(edit | {"update_id": number}, ACCOUNT) for number in (1, 2, 2)]

    assert len({event.external_id for event in events}) == 2
    assert {event.edits for event in events if isinstance(event, InboundMessage)} == {"5551234567:1222"}


def test_same_message_under_another_update_number() -> None:
    """A message stays the same event when Telegram's numbers jump: it is named by its chat and its number there."""
    text = _body(FIXTURES / "telegram" / "text.json")

    assert read_update(text, ACCOUNT) == read_update(text | {"update_id": 3}, ACCOUNT)


def test_an_unreadable_message_holds_up_nothing() -> None:
    """A call whose message cannot be read is taken: Telegram would keep back all that its customer writes after it."""
    body = {"update_id": 7, "message": {"message_id": "odd", "chat": {"id": 5, "type": "private"}, "date": 1}}
    made = telegram.subject()
    raw = json.dumps(body)
    (event,) = made.connector.parse(made.request(raw.encode()))

    assert event == Unsupported(external_id="update:7:malformed", kind="malformed", is_unread=True, raw=raw)


def test_odd_member_nobody_needs() -> None:
    """A member that we do not read may be anything: the message is read all the same."""
    text = _body(FIXTURES / "telegram" / "text.json")
    text["message"] |= {"from": 7, "entities": "?", "via_bot": [], "reply_to_message": "nonsense"}

    event = read_update(text, ACCOUNT)
    assert isinstance(event, InboundMessage)
    assert event.text.startswith("wheres my order")
