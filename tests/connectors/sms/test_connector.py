from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import ValidationError

from bot.domain.connectors import Ambiguous, Permanent, Retry, SendAttachment, Sent, WebhookRequest
from bot.domain.errors import MediaError, SettingsError, WebhookRejectedError
from bot.domain.messages import (
    Attachment,
    AttachmentKind,
    Author,
    Choice,
    MediaId,
    OutboundMessage,
    Receipt,
    ReceiptKind,
)
from connectors.sms.connector import SendSms, SmsSettings
from connectors.sms.errors import CODES, DELIVERY, why_undelivered
from connectors.sms.events import pack_key, read_form, signature, unpack_key
from connectors.sms.text import segments
from connectors.verdicts import ACCOUNT, LATER
from simulator.twilio import ACCOUNT_SID, AUTH_TOKEN, NUMBER, SERVICE, Fault
from tests.connectors.sms.bench import JANE, Bench, bench

WEBHOOK = "https://care.example.com/webhooks/sms/447700900123"


@pytest.fixture
async def stand() -> AsyncIterator[Bench]:
    """A fake Twilio, a customer's phone and our connector."""
    async with bench() as made:
        yield made


# -------------------------------------------------------------------------------------------------------------- proof


def test_published_vector() -> None:
    """The example in Twilio's own libraries has the signature that we compute."""
    members = [
        *(("CallSid", "CA1234567890ABCDE"), ("Digits", "1234"), ("From", "+14158675309")),
        *(("To", "+18005551212"), ("Caller", "+14158675309")),
    ]
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"

    assert signature(url, members, "12345") == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    assert signature(url, members[::-1], "12345") == "RSOYDt4T1cUTdK1PDd93/VVr8B8="


def signed(url: str, body: bytes, query: dict[str, str] | None = None) -> WebhookRequest:
    """Return a call to an address, signed for it."""
    headers = {"x-twilio-signature": signature(url, read_form(body), AUTH_TOKEN)}
    return WebhookRequest(method="POST", headers=headers, query=query or {}, body=body)


async def test_another_address(stand: Bench) -> None:
    """A call that was signed for another address of ours is not for this number."""
    stand.connector.verify(signed(WEBHOOK, b"Body=hi"))
    for url in ("https://care.example.com/webhooks/sms/447700900999", WEBHOOK.replace("https", "http"), WEBHOOK + "/"):
        with pytest.raises(WebhookRejectedError):
            stand.connector.verify(signed(url, b"Body=hi"))


async def test_address_with_a_port() -> None:
    """Twilio leaves the port out of what it signs where it is not the usual one: both are taken."""
    async with bench(public_url="https://care.example.com:8443") as stand:
        for url in (WEBHOOK.replace(".com", ".com:8443"), WEBHOOK):
            stand.connector.verify(signed(url, b"Body=hi"))


async def test_key_in_the_query(stand: Bench) -> None:
    """The key of our call is part of what is signed: nobody can put another one there."""
    key = pack_key("turn:1:0")
    request = signed(f"{WEBHOOK}?key={key}", b"MessageStatus=sent", {"key": key})
    stand.connector.verify(request)
    with pytest.raises(WebhookRejectedError):
        stand.connector.verify(signed(f"{WEBHOOK}?key={key}", b"MessageStatus=sent", {"key": pack_key("turn:2:0")}))


async def test_too_many_members(stand: Bench) -> None:
    """A form without end is rejected before it is read."""
    with pytest.raises(WebhookRejectedError):
        stand.connector.verify(WebhookRequest(method="POST", headers={}, query={}, body=b"a=1&" * 5000))


@pytest.mark.parametrize("key", ["turn:1:0", "", "ä/+=?&", "x" * 200])
def test_keys_come_back(key: str) -> None:
    """A key is packed in letters that no address escapes, and comes back; anything else is no key."""
    assert pack_key(key).replace("-", "a").replace("_", "a").isalnum() or key == ""
    assert unpack_key(pack_key(key)) == key
    assert [unpack_key(each) for each in ("!", "\ud800", "_w", "a")] == ["", "", "", ""]


# ------------------------------------------------------------------------------------------------------ what it costs


@pytest.mark.parametrize(
    ("text", "encoding", "count"),
    [
        ("", "GSM-7", 1),
        ("a" * 160, "GSM-7", 1),
        ("a" * 161, "GSM-7", 2),
        ("a" * 306, "GSM-7", 2),
        ("a" * 307, "GSM-7", 3),
        ("€" * 80, "GSM-7", 1),
        ("€" * 81, "GSM-7", 2),
        # An escaped character is not cut in two: 76 of them fit into 153.
        ("€" * 153, "GSM-7", 3),
        ("It’s on its way – “soon”…", "GSM-7", 1),
        ("ą" * 70, "UCS-2", 1),
        ("ą" * 71, "UCS-2", 2),
        ("🎉" * 35, "UCS-2", 1),
        # 33 pairs fit into 67.
        ("🎉" * 67, "UCS-2", 3),
        ("a" * 100 + "🎉", "UCS-2", 2),
    ],
)
def test_segments(text: str, encoding: str, count: int) -> None:
    """A text is sent in as many segments as GSM 03.38 says, and one strange letter more than halves their length."""
    assert (segments(text).encoding, segments(text).count) == (encoding, count)


async def test_plan_says_what_it_costs(stand: Bench) -> None:
    """A planned SMS says in how many segments it is sent."""
    planned = stand.connector.plan(OutboundMessage(author=Author.BOT, text="ą" * 100), stand.address)
    assert isinstance(planned, tuple)
    (sms,) = planned
    assert isinstance(sms, SendSms)
    assert sms.segments.count == 2


# ---------------------------------------------------------------------------------------------------------------- send


async def test_text(stand: Bench) -> None:
    """A text arrives as it is; Twilio's name of it is what we keep, and its segments are counted for the month."""
    text = "Order CL-104233 left today: https://example.com/?a=1&b=2 + more – 🎉"
    result = await stand.connector.send(stand.text(text), "turn:1:0")

    (shown,) = stand.twilio.phones[JANE]
    assert (shown.text, shown.sent_from) == (text, NUMBER)
    assert result == Sent(external_id=shown.sid)
    assert stand.cursors.kept == {"bill:sms/447700900123:2026-11": '{"segment": 1}'}


async def test_choices_are_numbered(stand: Bench) -> None:
    """Choices are written out with numbers to answer with."""
    choices = (Choice(title="Refund", payload="a"), Choice(title="Voucher", payload="b"))
    planned = stand.connector.plan(OutboundMessage(author=Author.BOT, text="Which?", choices=choices), stand.address)
    assert isinstance(planned, tuple)
    for each in planned:
        assert isinstance(await stand.connector.send(each, "k"), Sent)

    assert stand.texts == ["Which?\n1. Refund\n2. Voucher"]


async def test_mms() -> None:
    """Where the number has MMS, a picture goes as one and is counted as one; every other file goes as a link."""
    link = "https://care.example.com/files/x"
    picture = Attachment(
        kind=AttachmentKind.IMAGE, name="a.png", media_type="image/png", size=10, media_id=MediaId("a"), link=link
    )
    invoice = replace(picture, kind=AttachmentKind.FILE, name="b.pdf", media_type="application/pdf")
    message = OutboundMessage(author=Author.AGENT, text="Here", attachments=(picture, invoice))
    for has_mms, shown in ((True, [("", link), (f"Here\nb.pdf – {link}", "")]),
                           (False, [(f"Here\na.png – {link}\nb.pdf – {link}", "")])):  # fmt: skip
        async with bench(has_mms=has_mms) as stand:
            planned = stand.connector.plan(message, stand.address)
            assert isinstance(planned, tuple)
            for each in planned:
                assert isinstance(await stand.connector.send(each, "k"), Sent)
            assert [(sms.text, sms.media_url) for sms in stand.twilio.phones[JANE]] == shown
            assert ('"mms": 1' in "".join(stand.cursors.kept.values())) == has_mms


async def test_messaging_service() -> None:
    """With a messaging service it is that which sends, and which is told where we are."""
    async with bench(messaging_service=SERVICE) as stand:
        await stand.connector.send(stand.text("hi"), "k")
        assert stand.twilio.phones[JANE][0].sent_from == SERVICE
        await stand.connector.register()
        assert stand.twilio.service_url == WEBHOOK
        assert WEBHOOK in await stand.connector.check()


async def test_a_report_finds_what_it_is_about(stand: Bench) -> None:
    """A report brings the key of the call back, so that it is found although its answer was lost."""
    stand.twilio.faults.append(Fault(is_done=True, is_cut=True))
    assert isinstance(await stand.connector.send(stand.text("hi"), "turn:1:0"), Ambiguous)

    (shown,) = stand.twilio.phones[JANE]
    key = shown.report_url.partition("?key=")[2]
    body = f"MessageSid={shown.sid}&MessageStatus=delivered&To=%2B{JANE[1:]}&From=%2B{NUMBER[1:]}".encode()
    (event,) = stand.connector.parse(WebhookRequest(method="POST", headers={}, query={"key": key}, body=body))
    assert isinstance(event, Receipt)
    assert (event.kind, event.of_key, event.of_external_id) == (ReceiptKind.DELIVERED, "turn:1:0", shown.sid)


async def test_unsubscribed(stand: Bench) -> None:
    """Who has texted STOP gets nothing, and the agent reads why."""
    stand.twilio.stopped.add(JANE)
    result = await stand.connector.send(stand.text("hi"), "k")

    assert isinstance(result, Permanent)
    assert ("STOP" in result.reason, result.code, result.is_account) == (True, "21610", False)
    assert stand.cursors.kept == {}


async def test_wrong_token() -> None:
    """A token that Twilio refuses is the account's trouble."""
    async with bench(auth_token="another") as stand:
        result = await stand.connector.send(stand.text("hi"), "k")
        assert isinstance(result, Permanent)
        assert result.is_account
        with pytest.raises(SettingsError, match="auth_token"):
            await stand.connector.check()
        with pytest.raises(SettingsError, match="auth_token"):
            await stand.connector.register()


@pytest.mark.parametrize("code", CODES)
async def test_codes(stand: Bench, code: int) -> None:
    """Every code of the table comes to what the table says."""
    verdict, words = CODES[code]
    stand.twilio.faults.append(Fault(status=400, code=code))
    result = await stand.connector.send(stand.text("hi"), "k")

    assert isinstance(result, Retry if verdict is LATER else Permanent)
    assert words in result.reason
    if isinstance(result, Permanent):
        assert (result.is_account, result.code) == (verdict is ACCOUNT, str(code))
    assert stand.texts == []


async def test_pause(stand: Bench) -> None:
    """When Twilio asks for a pause, it says how long."""
    stand.twilio.faults.append(Fault(status=429, code=20429, headers={"Retry-After": "7"}))
    result = await stand.connector.send(stand.text("hi"), "k")
    assert result == Retry(reason="Twilio asks for a pause", after=timedelta(seconds=7))

    stand.twilio.faults.append(Fault(status=429, headers={"Retry-After": "soon"}))
    assert await stand.connector.send(stand.text("hi"), "k") == Retry(reason="Twilio asks for a pause")


@pytest.mark.parametrize(
    "fault",
    [Fault(status=500), Fault(status=503, code=20503), Fault(is_done=True, is_cut=True), Fault(status=200)],
    ids=["500", "503", "cut", "no JSON"],
)
async def test_nobody_knows(stand: Bench, fault: Fault) -> None:
    """Where Twilio failed or its answer is lost, nobody knows whether it was sent."""
    stand.twilio.faults.append(fault)
    assert isinstance(await stand.connector.send(stand.text("hi"), "k"), Ambiguous)


async def test_new_refusal(stand: Bench) -> None:
    """A refusal with a code that is not in the table is told with Twilio's words."""
    stand.twilio.faults.append(Fault(status=400, code=29999))
    result = await stand.connector.send(stand.text("hi"), "k")
    assert result == Permanent(reason="Twilio refuses it: as the test wants (29999)", code="29999")


async def test_no_files(stand: Bench) -> None:
    """A file, which no plan has, is not sent."""
    file = SendAttachment(address=stand.address, attachment=Attachment(kind=AttachmentKind.IMAGE))
    assert isinstance(await stand.connector.send(file, "k"), Permanent)


@pytest.mark.parametrize("code", DELIVERY)
def test_why_it_did_not_arrive(code: int) -> None:
    """Every code of a report is told in words."""
    assert why_undelivered(str(code)) == f"{DELIVERY[code]} ({code})"
    assert why_undelivered("x\u0664") == "the message did not arrive (x\u0664)"


# ------------------------------------------------------------------------------------------------------- files, set-up


async def test_fetch(stand: Bench) -> None:
    """What a customer sent is fetched with the account's token, and only from its own addresses."""
    path = f"2010-04-01/Accounts/{ACCOUNT_SID}/Messages/MM1/Media/ME1"
    stand.twilio.files[path] = ("image/jpeg", b"\xff\xd8tea")
    picture = Attachment(kind=AttachmentKind.IMAGE, reference=f"{stand.twilio.url}/{path}")
    assert await stand.connector.fetch(picture) == b"\xff\xd8tea"

    for url in ("https://evil.example/x.jpg", f"{stand.twilio.url}/2010-04-01/Accounts/AC1/x", "file:///etc/passwd"):
        with pytest.raises(MediaError):
            await stand.connector.fetch(Attachment(kind=AttachmentKind.IMAGE, reference=url))


async def test_register(stand: Bench) -> None:
    """Twilio is told where we are, through its outages, and doctor says what stands there."""
    stand.twilio.faults += [Fault(call="IncomingPhoneNumbers", status=503), Fault(call="PN1", status=429, code=20429)]
    await stand.connector.register()

    assert stand.twilio.webhook_url == WEBHOOK
    assert stand.twilio.calls[-1][2]["SmsFallbackUrl"] == WEBHOOK
    assert stand.pauses == [1.0, 2.0]
    await stand.connector.send(stand.text("hi"), "k")
    line = await stand.connector.check()
    said = f"Copperleaf, {NUMBER}, webhook {WEBHOOK}, 12.34 GBP left, segments sent this month: 1"
    assert line == f"{said}, nobody proves who texts (docs/connect-sms.md)"


async def test_doctor_says_what_to_fix(stand: Bench) -> None:
    """Whatever is wrong with the account is said with what to do."""
    with pytest.raises(SettingsError, match="start Tandem"):
        await stand.connector.check()
    stand.twilio.webhook_url = "https://other.example.com"
    with pytest.raises(SettingsError, match=r"other\.example\.com"):
        await stand.connector.check()
    stand.twilio.status = "suspended"
    with pytest.raises(SettingsError, match="suspended"):
        await stand.connector.check()
    stand.twilio.faults.append(Fault(call=ACCOUNT_SID, status=500))
    with pytest.raises(SettingsError, match="network"):
        await stand.connector.check()
    async with bench(number="+447700900999") as other:
        with pytest.raises(SettingsError, match="not of this account"):
            await other.connector.register()


async def test_trial(stand: Bench) -> None:
    """A trial account is named as what it is."""
    stand.twilio.webhook_url, stand.twilio.kind = WEBHOOK, "Trial"
    assert "verified numbers only" in await stand.connector.check()


@pytest.mark.parametrize(
    "wrong",
    [{"number": "07700900123"}, {"number": "+0"}, {"account_sid": "AC12"}, {"messaging_service": "service"}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_settings_that_cannot_be(wrong: dict[str, str]) -> None:
    """What Twilio would not know is refused at the start."""
    whole = {"account_sid": ACCOUNT_SID, "auth_token": AUTH_TOKEN, "number": NUMBER}
    SmsSettings.model_validate(whole)
    with pytest.raises(ValidationError):
        SmsSettings.model_validate(whole | wrong)
