from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr, ValidationError
from standardwebhooks.webhooks import Webhook

from bot.domain.channels import ChannelAddress
from bot.domain.connectors import (
    Ambiguous,
    Permanent,
    Retry,
    SendAttachment,
    SendText,
    Sent,
    WebhookRequest,
)
from bot.domain.errors import MalformedWebhookError, MediaError, SettingsError, WebhookRejectedError
from bot.domain.messages import Attachment, AttachmentKind, Choice, InboundMessage
from connectors import standard_webhooks
from connectors.app.connector import STATUSES, AppConnector, AppSettings
from connectors.app.events import CHANNEL
from tests.fakes.app import FakeApp, Fault, running
from tests.fakes.media import MemoryMedia

GUIDE = Path(__file__).parents[3] / "docs" / "connect-app.md"
KEY = bytes(range(32))
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"


@pytest.fixture
async def app() -> AsyncIterator[FakeApp]:
    """A running app."""
    async with running(FakeApp(secret=SECRET)) as served:
        yield served


@pytest.fixture
async def connector(app: FakeApp) -> AsyncIterator[AppConnector]:
    """Our side, with the app's secret."""
    made = connector_of(app.url)
    yield made
    await made.close()


def connector_of(url: str, **more: Any) -> AppConnector:
    """Return a connector for the app at that address."""
    return AppConnector(AppSettings(name="shop", url=url, **{"secret": SecretStr(SECRET)} | more), MemoryMedia())


def text(words: str, *choices: Choice) -> SendText:
    """Return the call that shows Jane a text."""
    return SendText(
        address=ChannelAddress(channel=CHANNEL, account=_SHOP, external_id="jane"), text=words, choices=choices
    )


_SHOP = connector_of("https://app.example.com/t").account


# -------------------------------------------------------------------------------------------------------- signatures


def test_public_vector() -> None:
    """The signature is the one that the specification's own libraries give for their example."""
    key = standard_webhooks.read_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = standard_webhooks.signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')

    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def request_of(body: bytes, at: datetime, secret: str = SECRET) -> WebhookRequest:
    """Return a call that the specification's library has signed."""
    signature = Webhook(secret).sign("call-1", at, body.decode())
    headers = {"webhook-id": "call-1", "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}
    return WebhookRequest(method="POST", headers=headers, query={}, body=body)


def test_calls_of_others_library_are_taken() -> None:
    """What the specification's library signs is genuine, also beside the signature of another secret."""
    now, made = datetime.now(UTC), connector_of("https://app.example.com/t")
    request = request_of(b'{"events": []}', now)
    made.verify(request)

    both = f"v1,bm90IG91cnM= {request.headers['webhook-signature']}"
    made.verify(replace(request, headers={**request.headers, "webhook-signature": both}))


def test_old_calls_are_refused() -> None:
    """A call that somebody kept and sends again after five minutes is refused, and one from the future too."""
    made = connector_of("https://app.example.com/t")
    for away in timedelta(seconds=-302), timedelta(seconds=302):
        with pytest.raises(WebhookRejectedError, match="five minutes"):
            made.verify(request_of(b"{}", datetime.now(UTC) + away))
    made.verify(request_of(b"{}", datetime.now(UTC) - timedelta(seconds=290)))


@pytest.mark.parametrize("timestamp", ["", "soon", "-1", "1e9", "9" * 400, "١٢٣"])
def test_timestamps_that_are_none(timestamp: str) -> None:
    """Whatever stands in the timestamp, a call is refused and nothing breaks."""
    request = request_of(b"{}", datetime.now(UTC))
    with pytest.raises(WebhookRejectedError):
        connector_of("https://app.example.com/t").verify(
            replace(request, headers={**request.headers, "webhook-timestamp": timestamp})
        )


def test_the_secret_is_exchanged() -> None:
    """While there is an old secret, calls signed with either are taken; without it, only the new one's."""
    new = f"whsec_{base64.b64encode(bytes(32)).decode()}"
    both = connector_of("https://a.example.com", secret=SecretStr(new), old_secret=SecretStr(SECRET))
    for secret in new, SECRET:
        both.verify(request_of(b"{}", datetime.now(UTC), secret))
    with pytest.raises(WebhookRejectedError):
        connector_of("https://a.example.com", secret=SecretStr(new)).verify(request_of(b"{}", datetime.now(UTC)))


# ------------------------------------------------------------------------------------------------------------- calls


async def test_a_text_with_choices(app: FakeApp, connector: AppConnector) -> None:
    """The app proves our signature by its own library, shows the text, and names it."""
    result = await connector.send(text("Shall I?", Choice(title="Yes", payload="c_1")), "k1")

    assert result == Sent(external_id="s-k1")
    (seen,) = app.seen.values()
    assert (seen["text"], seen["choices"]) == ("Shall I?", [{"title": "Yes", "choice": "c_1"}])
    assert seen["customer"] == {"id": "jane"}


async def test_a_quote(app: FakeApp, connector: AppConnector) -> None:
    """The app is told which of its messages is answered."""
    await connector.send(replace(text("Yes"), quotes="m-1"), "k1")

    assert [seen["quotes"] for seen in app.seen.values()] == ["m-1"]


async def test_a_repeat_is_shown_once(app: FakeApp, connector: AppConnector) -> None:
    """After a cut connection nobody knows what the customer saw; the same key again shows it once."""
    app.faults.append(Fault(status=None, is_done=True))
    assert isinstance(await connector.send(text("Hello"), "k1"), Ambiguous)
    assert isinstance(await connector.send(text("Hello"), "k1"), Sent)

    assert [seen["text"] for seen in app.seen.values()] == ["Hello"]
    assert connector.capabilities.is_send_idempotent


async def test_a_file(app: FakeApp) -> None:
    """A file travels whole, in the call."""
    media = MemoryMedia()
    kept = await media.put(b"%PDF-1.4 label", Attachment(kind=AttachmentKind.FILE, name="label.pdf"))
    made = AppConnector(AppSettings(name="shop", url=app.url, secret=SecretStr(SECRET)), media)
    assert isinstance(await made.send(SendAttachment(address=text("").address, attachment=kept), "k1"), Sent)
    await made.close()

    (seen,) = app.seen.values()
    assert base64.b64decode(seen["attachment"]["content"]) == b"%PDF-1.4 label"
    assert seen["attachment"]["name"] == "label.pdf"


async def test_changes(app: FakeApp, connector: AppConnector) -> None:
    """What was said is changed and taken back by the id that the app gave it."""
    sent = await connector.send(text("Tuesday"), "k1")
    assert isinstance(sent, Sent)
    assert await connector.edit(text("Wednesday"), sent.external_id, "k2") == sent
    assert [seen["text"] for seen in app.seen.values()] == ["Wednesday"]

    assert await connector.unsend(text("").address, sent.external_id, "k3") == sent
    assert app.seen == {}


async def test_signs_only_for_those_who_take_them(app: FakeApp, connector: AppConnector) -> None:
    """Typing and read are told to an app that said it takes them, and to no other."""
    await connector.show_typing(text("").address)
    assert app.calls == []

    telling = connector_of(app.url, has_signs=True)
    await telling.show_typing(text("").address)
    await telling.mark_read(InboundMessage(address=text("").address, external_id="m-1", text="Hi"))
    await telling.close()
    assert [(call["type"], call.get("of")) for call in app.calls] == [("typing", None), ("read", "m-1")]


@pytest.mark.parametrize(
    ("fault", "outcome", "words"),
    [
        (Fault(status=200, body=b"thanks"), Sent, ""),
        (Fault(status=204), Sent, ""),
        (Fault(status=409, is_done=True), Sent, ""),
        (Fault(status=410), Permanent, "left the app"),
        (Fault(status=422, body=b'{"reason": "no pictures here"}'), Permanent, "no pictures here"),
        (Fault(status=422, body=b'{"reason": 7}'), Permanent, "cannot show"),
        (Fault(status=401), Permanent, "same secret"),
        (Fault(status=418), Permanent, "HTTP 418"),
        (Fault(status=429, headers={"Retry-After": "7"}), Retry, "pause"),
        (Fault(status=500), Ambiguous, "may have arrived"),
        (Fault(status=302, headers={"Location": "https://elsewhere.example"}), Ambiguous, "may have arrived"),
        (Fault(status=None), Ambiguous, "may have arrived"),
    ],
)
async def test_answers(app: FakeApp, connector: AppConnector, fault: Fault, outcome: type[Any], words: str) -> None:
    """Each answer says what is certain, in words for an agent."""
    app.faults.append(fault)
    result = await connector.send(text("Hello"), "k1")

    assert type(result) is outcome
    assert words in getattr(result, "reason", "")
    if isinstance(result, Permanent):
        assert result.is_account is (fault.status == 401)
    if isinstance(result, Retry):
        assert result.after == timedelta(seconds=7)


def test_the_guide_has_the_statuses() -> None:
    """Every status of the table in the code stands in the guide's."""
    written = set(re.findall(r"\b[2-5]\d\d\b", GUIDE.read_text(encoding="utf-8").partition("Answer within")[2]))

    assert {str(status) for status in STATUSES} <= written


async def test_doctor(app: FakeApp, connector: AppConnector) -> None:
    """The app is well when it answers a signed ping; a wrong secret and a dead address say what to do."""
    assert "answers signed calls" in await connector.check()
    for other, words in (
        (connector_of(app.url, secret=SecretStr(f"whsec_{base64.b64encode(bytes(24)).decode()}")), "same secret"),
        (connector_of("http://127.0.0.1:1/"), "no connection"),
    ):
        with pytest.raises(SettingsError, match=words):
            await other.check()
        await other.close()
    assert app.refused_count == 1


async def test_files_of_nobody(connector: AppConnector) -> None:
    """Without hosts that the operator named, no address that a customer's app wrote is followed."""
    with pytest.raises(MediaError, match="file_hosts"):
        await connector.fetch(Attachment(kind=AttachmentKind.IMAGE, reference="https://files.example.com/a.png"))


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"type": "message", "id": "m", "text": "x"}, "customer"),
        ({"type": "message", "id": "m 1", "customer": {"id": "j"}}, "id must be"),
        ({"type": "message", "id": "m", "customer": {"id": "j"}, "sent_at": "today"}, "sent_at"),
        ({"type": "message", "id": "m", "customer": {"id": "ü"}}, "customer's id"),
        ({"type": "message", "id": "m", "customer": {"id": "j"}, "attachments": [{}] * 11}, "at most 10"),
    ],
)
def test_mistakes_are_named(connector: AppConnector, event: dict[str, object], words: str) -> None:
    """Who writes the app is told what is wrong, and nothing of the call is kept."""
    good = {"type": "message", "id": "m-0", "customer": {"id": "j"}, "text": "Hi"}
    body = json.dumps({"events": [good, event]}).encode()
    with pytest.raises(MalformedWebhookError, match=words):
        connector.parse(WebhookRequest(method="POST", headers={}, query={}, body=body))


@pytest.mark.parametrize(
    "wrong",
    [
        {"secret": "swordfish"},
        {"secret": "whsec_c2hvcnQ="},
        {"name": "My shop"},
        {"url": "http://app.example.com/t"},
        {"url": "app.example.com"},
        {"text_max": 3},
        {"choices_max": -1},
        {"url": ""},
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, object]) -> None:
    """A secret that is none, a name that does not fit an address and an address without https are refused."""
    with pytest.raises(ValidationError):
        AppSettings.model_validate({"name": "shop", "secret": SECRET, "url": "https://app.example.com/t"} | wrong)


# --------------------------------------------------------------------------------------------------- the guide's words


@pytest.mark.parametrize("language", ["sh", "python"])
async def test_examples_of_the_guide(language: str) -> None:
    """What the guide says to write brings a message, as it stands there."""
    came: list[str] = []
    connector = connector_of("https://app.example.com/t")

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = WebhookRequest(method="POST", headers=headers, query={}, body=body)
        connector.verify(asked)
        came.extend(event.text for event in connector.parse(asked) if isinstance(event, InboundMessage))
        return web.Response()

    blocks = re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    program = blocks[-1]
    served = web.Application()
    served.router.add_post("/webhooks/app/shop", take)
    runner = web.AppRunner(served, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    environ = os.environ | {"SECRET": SECRET, "TANDEM": f"http://127.0.0.1:{runner.addresses[0][1]}"}
    command = ["bash", "-eu", "-c", program] if language == "sh" else [sys.executable, "-c", program]
    try:
        await _run(command, {name: value for name, value in environ.items() if "proxy" not in name.lower()})
    finally:
        await runner.cleanup()
        await connector.close()

    assert came == ["Where is my order?" if language == "sh" else "It is CL-104233"]


async def _run(command: list[str], environ: dict[str, str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
