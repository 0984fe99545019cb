from __future__ import annotations

import inspect
import json
from typing import Any

import pytest

from bot.domain.connectors import Challenging, Permanent, Retry, WebhookRequest
from bot.domain.errors import SettingsError, WebhookRejectedError
from connectors.meta import errors as meta_errors
from connectors.meta.account import signature, verify
from connectors.meta.errors import CODES, SUBCODES, GraphError
from connectors.meta.instagram import InstagramAccount
from connectors.meta.messenger import MessengerAccount
from connectors.meta.whatsapp import WhatsAppAccount
from connectors.meta.whatsapp_payloads import Template
from connectors.verdicts import Verdict
from tests.contracts import instagram, messenger, whatsapp
from tests.contracts.meta import VERIFY_TOKEN, proof

SUBJECTS = [messenger.subject, instagram.subject, whatsapp.subject]
#: A call as Meta made it, published with its secret (which is reset) by the authors of pywa.
REAL_BODY = (
    b'{"object":"whatsapp_business_account","entry":[{"id":"264937493375603","changes":[{"value":{"messaging_product":'
    b'"whatsapp","metadata":{"display_phone_number":"15550953877","phone_number_id":"277321005464405"},"contacts":[{'
    b'"profile":{"name":"PyWa Tests"},"wa_id":"972544401243"}],"messages":[{"from":"972544401243","id":'
    b'"wamid.HBgMOTcyNTQ0NDAxMjQzFQIAEhggM0RFQTNCMEEwRTY3QzUwODYzMDc4NjQ4QzM4ODAxM0YA","timestamp":"1730231903",'
    b'"text":{"body":"Hey there! I am using PyWa."},"type":"text"}]},"field":"messages"}]}]}'
)
VECTORS = [
    (
        "1222e786b144d0e85b9f365372d93676",
        REAL_BODY,
        "54edfa1d7259e0eb13c677cc7d73d1b5c86cfa12433d19156e058ab9251bc441",
    ),
    (
        "It's a Secret to Everybody",
        b"Hello, World!",
        "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
    ),
    # Viber signs in the same way.
    (
        "44dafb7e0f40021e-61a47a1e6778d187-f2c5a676a07050b3",
        b'{"event":"webhook","timestamp":4977069964384421269,"message_token":1478683725125}',
        "d21b343448c8aee33b8e93768ef6ceb64a6ba6163099973a2b8bd028fea510ef",
    ),
]


def _request(body: bytes, header: str) -> WebhookRequest:
    return WebhookRequest(method="POST", headers={"x-hub-signature-256": header}, query={}, body=body)


@pytest.mark.parametrize(("secret", "body", "digest"), VECTORS)
def test_public_vectors(secret: str, body: bytes, digest: str) -> None:
    """Signatures that others published are accepted, and no other is."""
    verify(_request(body, f"sha256={digest}"), secret)
    for header in (digest, f"sha1={digest}", f"sha256={digest[:-1]}", f"sha256={digest.upper()}"):
        with pytest.raises(WebhookRejectedError):
            verify(_request(body, header), secret)


def test_signed_bytes_are_the_raw_ones() -> None:
    """The same JSON written another way is not what was signed."""
    body = json.dumps({"text": "Córdoba 🙄"}, ensure_ascii=False).encode()
    header = signature(body, "secret")

    verify(_request(body, header), "secret")
    with pytest.raises(WebhookRejectedError):
        verify(_request(json.dumps(json.loads(body)).encode(), header), "secret")


# --------------------------------------------------------------------------------------------------------- handshake


def _handshake(**query: str) -> WebhookRequest:
    named = {f"hub.{name}": value for name, value in query.items()}
    return WebhookRequest(method="GET", headers={}, query=named, body=b"")


@pytest.mark.parametrize("make", SUBJECTS)
def test_handshake(make: Any) -> None:
    """Who knows our verify token gets the challenge back as it came."""
    connector = make().connector
    assert isinstance(connector, Challenging)

    asked = _handshake(mode="subscribe", verify_token=VERIFY_TOKEN, challenge="1158201444")
    answer = connector.challenge(asked)
    assert answer is not None
    assert (answer.status, answer.body) == (200, b"1158201444")
    assert connector.challenge(make().request(b"{}")) is None


@pytest.mark.parametrize("make", SUBJECTS)
@pytest.mark.parametrize(
    "query",
    [
        {},
        {"mode": "subscribe", "challenge": "1"},
        {"mode": "subscribe", "verify_token": "", "challenge": "1"},
        {"mode": "subscribe", "verify_token": "x" + VERIFY_TOKEN, "challenge": "1"},
        {"mode": "unsubscribe", "verify_token": VERIFY_TOKEN, "challenge": "1"},
        {"mode": "subscribe", "verify_token": "é\ud800", "challenge": "1"},
    ],
)
def test_wrong_handshake(make: Any, query: dict[str, str]) -> None:
    """Whoever does not know the token learns nothing."""
    connector = make().connector
    assert isinstance(connector, Challenging)
    with pytest.raises(WebhookRejectedError):
        connector.challenge(_handshake(**query))


# ------------------------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize("code", [1, 2, 4, 32, 613, 80007, 130429, 131016, 131048, 131053, 131056, 131057, 133016])
def test_errors_that_pass(code: int) -> None:
    """What Meta documents as passing is certainly unsent, and tried again."""
    assert isinstance(GraphError(code=code).outcome(400, None), Retry)


@pytest.mark.parametrize("code", [10, 102, 190, 200, 299, 368, 131031, 131042, 131045, 133010])
def test_errors_of_the_account(code: int) -> None:
    """What breaks everything is told from what breaks one message."""
    result = GraphError(code=code).outcome(400, None)
    assert isinstance(result, Permanent)
    assert result.is_account
    assert result.code == str(code)


@pytest.mark.parametrize(
    ("code", "subcode"),
    [(10, 2018278), (10, 2534022), (551, 1545041), (100, 2018001), (131047, 0), (131026, 0), (132001, 0), (139999, 0)],
)
def test_errors_of_one_message(code: int, subcode: int) -> None:
    """A shut window, a lost customer and a code of the future are plain noes, with a reason and the code."""
    result = GraphError(code=code, subcode=subcode, message="because").outcome(400, None)
    assert isinstance(result, Permanent)
    assert not result.is_account
    assert str(code) in result.reason
    assert result.code.startswith(str(code))


def test_unknown_failure_of_the_server() -> None:
    """A failure of Meta's that nobody has written down leaves nothing certain, unless Meta says that it passes."""
    assert type(GraphError(code=139999).outcome(500, None)).__name__ == "Ambiguous"
    assert isinstance(GraphError(code=139999, is_transient=True).outcome(500, None), Retry)


def test_tables_have_words_for_all() -> None:
    """Every row of the tables says something that an agent can read, and the account's rows what to do."""
    rows = [*CODES.values(), *SUBCODES.values()]
    assert all(isinstance(verdict, Verdict) and len(words) > 10 for verdict, words in rows)
    assert inspect.getdoc(meta_errors) is not None
    account = [words for verdict, words in rows if verdict is Verdict.ACCOUNT]
    assert all(any(hint in words for hint in ("dashboard", "set it", "deleted")) for words in account)


# ---------------------------------------------------------------------------------------------------------- accounts


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("id", ""),
        ("id", "copperleaf"),
        ("id", "1/2"),
        ("app_id", "careapp"),
        ("token", ""),
        ("token", "EAA G"),
        ("token", "EAA\nG"),
        ("app_secret", ""),
        ("verify_token", "é"),
    ],
)
def test_bad_account(member: str, value: str) -> None:
    """What cannot be an id or a secret is refused at start, by its name and without repeating it."""
    with pytest.raises(SettingsError, match=r"messenger") as caught:
        MessengerAccount(**proof("messenger", "1") | {member: value})
    assert value in {"", "é"} or value not in str(caught.value)


def test_bad_details() -> None:
    """A page, business account or template that cannot be one is refused at start."""
    with pytest.raises(SettingsError, match=r"instagram\.page_id"):
        InstagramAccount(**proof("instagram", "1"), page="my-page")
    with pytest.raises(SettingsError, match=r"whatsapp\.business_account_id"):
        WhatsAppAccount(**proof("whatsapp", "1"), business_account_id="")
    template = Template(name="Follow up!", language="en")
    with pytest.raises(SettingsError, match=r"whatsapp\.template"):
        WhatsAppAccount(**proof("whatsapp", "1"), business_account_id="1", template=template)
