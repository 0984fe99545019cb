from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.channels import AccountId, ChannelAddress
from bot.domain.connectors import Permanent, SendAttachment, SendText, Sent, ShowsTyping, WebhookRequest
from bot.domain.errors import MalformedWebhookError, WebhookRejectedError
from bot.domain.messages import (
    TEXT_MAX,
    Attachment,
    AttachmentKind,
    Author,
    Choice,
    InboundMessage,
    MediaId,
    OutboundMessage,
    Receipt,
    ReceiptKind,
    Unsupported,
)
from connectors.webchat.connector import FILES_MAX, VisitorKeys, WebChatConnector
from tests.fakes.feed import MemoryFeed

KEYS = VisitorKeys(secret=b"k" * 32)
SESSION = KEYS.session(b"0" * 26)
OTHER = KEYS.session(b"1" * 26)
PHOTO = Attachment(
    kind=AttachmentKind.IMAGE, name="mug \u202e.png", media_type="image/png", size=12, media_id=MediaId("a" * 32)
)


class FixedClock:
    """Stands still."""

    def now(self) -> datetime:
        """Return half past nine."""
        return datetime(2026, 3, 4, 9, 30, tzinfo=UTC)


def connector(feed: MemoryFeed | None = None) -> WebChatConnector:
    """Return a connector that shows what it sends in `feed`."""
    return WebChatConnector(account=AccountId("site"), keys=KEYS, feed=feed or MemoryFeed(), clock=FixedClock())


def request(body: object, token: str = SESSION.token) -> WebhookRequest:
    """Return a request with a body, JSON unless it is bytes."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return WebhookRequest(method="POST", headers={"authorization": f"Bearer {token}"}, query={}, body=raw)


def message(**fields: object) -> WebhookRequest:
    """Return a request with the members of a message."""
    return request({"id": "0123456789abcdef", **fields})


def parse_one(asked: WebhookRequest) -> InboundMessage:
    """Return the one message in a request."""
    (event,) = connector().parse(asked)
    assert isinstance(event, InboundMessage)
    return event


ADDRESS = ChannelAddress(channel=connector().channel, account=AccountId("site"), external_id=SESSION.visitor)


def test_a_session_hides_its_token() -> None:
    """The visitor's name is 32 hex digits of the token's hash, and the token holds more than 128 random bits."""
    assert len(SESSION.token) == 56
    assert len(SESSION.visitor) == 32
    assert SESSION.visitor not in SESSION.token
    assert OTHER.visitor != SESSION.visitor
    connector().verify(request({}))


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Basic {SESSION.token}",
        f"Bearer {SESSION.token[:-1]}",
        f"Bearer {SESSION.token}A",
        f"Bearer {SESSION.token}\n",
        f"Bearer {SESSION.visitor}",
        f"Bearer {'A' * 56}",
        f"Bearer {VisitorKeys(secret=b'x' * 32).session(b'0' * 26).token}",
    ],
)
def test_whoever_holds_no_token_of_ours_is_refused(header: str) -> None:
    """A missing, cut, invented or foreign token, and the visitor's name in its place, are rejected."""
    asked = WebhookRequest(method="POST", headers={"authorization": header}, query={}, body=b"{}")
    with pytest.raises(WebhookRejectedError):
        connector().verify(asked)


def test_no_changed_character_of_a_token_passes() -> None:
    """Each single changed character makes the token somebody else's or nobody's."""
    for at, character in enumerate(SESSION.token):
        changed = SESSION.token[:at] + ("A" if character != "A" else "B") + SESSION.token[at + 1 :]
        with pytest.raises(WebhookRejectedError):
            connector().verify(request({}, changed))


def test_a_message_is_parsed_with_all_it_carries() -> None:
    """Text, choice, name and files arrive; the id is the visitor's and the browser's together."""
    key = KEYS.file_key(SESSION.visitor, PHOTO)
    event = parse_one(message(text=" hi\r\nthere ", choice="c-1", name="Priya", attachments=[key], language="de-at"))
    assert event == InboundMessage(
        address=ADDRESS,
        external_id=f"{SESSION.visitor}:0123456789abcdef",
        text="hi\nthere",
        choice="c-1",
        display_name="Priya",
        language="de-at",
        attachments=(PHOTO,),
    )


@pytest.mark.parametrize("language", ["", "German", "d", "de_AT", "de" + "-at" * 9, "<b>"])
def test_a_language_that_is_none_is_not_taken_for_one(language: str) -> None:
    """What a page says of its language is nothing that a message could be lost for."""
    assert parse_one(message(text="hi", language=language)).language is None


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"text": "  \u200b "},
        {"text": None},
        {"text": 7},
        {"text": "x", "id": "short"},
        {"text": "x", "id": "a" * 65},
        {"text": "x", "id": "../../../etc"},
        {"text": "x", "id": None},
        {"text": "x", "choice": "a" * 25},
        {"text": "x", "choice": "with space"},
        {"text": "x", "choice": ["a"]},
        {"text": "x", "attachments": "a"},
        {"text": "x", "attachments": [7]},
        {"text": "x", "attachments": ["a.b"]},
        {"text": "x", "attachments": ["é.b"]},
        {"text": "x", "attachments": [KEYS.file_key(OTHER.visitor, PHOTO)]},
        {"text": "x", "attachments": [KEYS.file_key(SESSION.visitor, PHOTO)] * (FILES_MAX + 1)},
        {"text": "x", "type": 7},
        {"type": "read", "of": ["x"]},
        {"type": "read", "of": ["a" * 32] * 51},
    ],
)
def test_what_is_not_the_protocol_is_malformed(fields: dict[str, object]) -> None:
    """Empty messages, odd ids and choices, and files of another visitor are refused as malformed."""
    with pytest.raises(MalformedWebhookError):
        connector().parse(message(**fields))


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"id": NaN}', b"[" * 60_000, b"9" * 60_000, b"null"])
def test_what_is_not_json_is_malformed(body: bytes) -> None:
    """Broken, deeply nested and enormous values end in one kind of error."""
    with pytest.raises(MalformedWebhookError):
        connector().parse(request(body))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
FIELDS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("id", "type", "text", "choice", "attachments", "name", "of"), JSON)
)


@settings(deadline=None)
@given(FIELDS | JSON)
def test_any_json_is_parsed_or_malformed(value: object) -> None:
    """Whatever JSON arrives, the only error is `MalformedWebhookError`, and what is parsed can be stored."""
    try:
        events = connector().parse(request(json.dumps(value).encode()))
    except MalformedWebhookError:
        return
    for event in events:
        if isinstance(event, InboundMessage):
            (event.text + (event.display_name or "")).encode()


def test_lone_surrogates_and_long_texts_are_made_storable() -> None:
    """Half characters become marks, and a text over the limit is cut with an ellipsis."""
    event = parse_one(request(b'{"id": "0123456789abcdef", "text": "a\\ud800b\\u0000c"}'))
    assert event.text == "a\ufffdb\ufffdc"
    assert len(parse_one(message(text="x" * 20_000)).text) == TEXT_MAX


def test_what_was_read_is_reported_for_each_message_once() -> None:
    """N messages read are N receipts, and a second tab that reports the same makes the same ids."""
    events = connector().parse(request({"type": "read", "of": ["a" * 32, "b" * 32, "a" * 32]}))
    assert [event.of_external_id for event in events if isinstance(event, Receipt)] == ["a" * 32, "b" * 32]
    assert {event.kind for event in events if isinstance(event, Receipt)} == {ReceiptKind.READ}
    assert events == connector().parse(request({"type": "read", "of": ["a" * 32, "b" * 32]}))


def test_unknown_events_are_values() -> None:
    """A kind of event that a newer widget may send is named and kept out."""
    (event,) = connector().parse(message(type="wave"))
    assert event == Unsupported(external_id=f"{SESSION.visitor}:0123456789abcdef", kind="wave")


async def test_the_same_send_is_shown_once() -> None:
    """A repeated send changes nothing and names the same message; another key is another message."""
    feed = MemoryFeed()
    (operation,) = connector().plan(OutboundMessage(author=Author.BOT, text="hello"), ADDRESS)
    first = await connector(feed).send(operation, "turn-1/0")
    again = await connector(feed).send(operation, "turn-1/0")
    other = await connector(feed).send(operation, "turn-1/1")
    assert first == again != other
    assert len(feed.entries[SESSION.visitor]) == 2


async def test_changes_are_entries_of_their_own() -> None:
    """A change and a taking back follow the message they are about, each once under its key."""
    feed = MemoryFeed()
    speaker = connector(feed)
    address = parse_one(message(text="hello")).address
    sent = await speaker.send(SendText(address=address, text="one"), "k")
    assert isinstance(sent, Sent)
    for _ in range(2):
        assert await speaker.edit(SendText(address=address, text="two"), sent.external_id, "k:edit") == sent
        assert await speaker.unsend(address, sent.external_id, "k:gone") == sent
    entries = [body for _, body in await feed.after(address.external_id, 0, 10)]
    at = "2026-03-04T09:30:00+00:00"
    assert entries[1:] == [
        {"type": "edited", "of": sent.external_id, "text": "two", "at": at},
        {"type": "removed", "of": sent.external_id, "at": at},
    ]


async def test_what_is_shown_names_its_author_and_choices() -> None:
    """An agent's message carries the name, the choices their payloads, and nothing of ours but an opaque id."""
    feed = MemoryFeed()
    said = OutboundMessage(
        author=Author.AGENT, author_name="Sam", text="Which one?", choices=(Choice(title="This", payload="c-9"),)
    )
    (operation,) = connector().plan(said, ADDRESS)
    result = await connector(feed).send(operation, "secret-key")
    assert isinstance(result, Sent)
    assert feed.entries[SESSION.visitor]["secret-key"] == {
        "type": "message",
        "id": result.external_id,
        "author": "agent",
        "author_name": "Sam",
        "text": "Which one?",
        "choices": [{"title": "This", "payload": "c-9"}],
        "attachments": [],
        "at": "2026-03-04T09:30:00+00:00",
    }


async def test_a_file_is_shown_to_its_visitor_only() -> None:
    """The key in the feed opens the file for this visitor and for nobody else."""
    feed = MemoryFeed()
    result = await connector(feed).send(SendAttachment(address=ADDRESS, attachment=PHOTO), "k")
    assert isinstance(result, Sent)
    key = connector().shown_file(SESSION.visitor, PHOTO)["file"]
    assert feed.entries[SESSION.visitor]["k"]["attachments"] == [connector().shown_file(SESSION.visitor, PHOTO)]
    assert isinstance(key, str)
    assert KEYS.file(SESSION.visitor, key) == PHOTO
    with pytest.raises(MalformedWebhookError):
        KEYS.file(OTHER.visitor, key)


async def test_a_file_that_was_not_kept_is_refused_or_linked() -> None:
    """Without our copy an attachment with a web address becomes its address; one without is refused for good."""
    feed = MemoryFeed()
    linked = Attachment(kind=AttachmentKind.IMAGE, reference="https://example.com/a.png")
    await connector(feed).send(SendAttachment(address=ADDRESS, attachment=linked), "k")
    assert feed.entries[SESSION.visitor]["k"]["text"] == "https://example.com/a.png"
    lost = Attachment(kind=AttachmentKind.IMAGE, reference="file-id")
    assert isinstance(await connector(feed).send(SendAttachment(address=ADDRESS, attachment=lost), "l"), Permanent)


async def test_the_visitors_own_message_is_echoed_once() -> None:
    """However often a message is handed in, the feed holds it once, under the id the browser made."""
    feed = MemoryFeed()
    event = parse_one(message(text="hello"))
    await asyncio.gather(*(connector(feed).echo(event) for _ in range(3)))
    (body,) = feed.entries[SESSION.visitor].values()
    assert (body["id"], body["author"], body["text"]) == ("0123456789abcdef", "customer", "hello")


async def test_typing_reaches_the_visitor() -> None:
    """The connector can show that an answer is being written."""
    feed = MemoryFeed()
    shows = connector(feed)
    assert isinstance(shows, ShowsTyping)
    await shows.show_typing(ADDRESS)
    assert feed.typed == [SESSION.visitor]
