from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.connectors import (
    Ambiguous,
    Permanent,
    Refusal,
    Retry,
    SendAttachment,
    SendText,
    Sent,
    WebhookAnswer,
    WebhookRequest,
)
from bot.domain.errors import MediaError, SettingsError, WebhookRejectedError
from bot.domain.messages import Attachment, AttachmentKind, Author, MediaId, OutboundMessage
from connectors.x.connector import XAccount, XMentionsConnector, signature
from connectors.x.limits import Allowance
from connectors.x.oauth import Credentials
from connectors.x.oauth import signature as oauth_signature
from connectors.x.text import POST_MAX, weight
from tests.connectors.x.bench import CREDENTIALS, Bench, bench
from tests.fakes.x import CONSUMER_SECRET, JANE, US, Fault

PICTURE = b"\x89PNG" + bytes(100)


@pytest.fixture
async def stand() -> AsyncIterator[Bench]:
    """A fake X, a customer and our connectors."""
    async with bench() as made:
        yield made


# -------------------------------------------------------------------------------------------------------------- proof


def test_published_vector() -> None:
    """The example of OAuth Core 1.0 (appendix A) has the signature that we compute."""
    credentials = Credentials(
        consumer_key="dpf43f3p2l4k3l03",
        consumer_secret="kd94hf93k423kf44",
        token="nnch734d00sl2jdk",
        token_secret="pfkkdhi9sl3r4s00",
    )
    told = {
        "oauth_consumer_key": credentials.consumer_key,
        "oauth_token": credentials.token,
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": "1191242096",
        "oauth_nonce": "kllo9940pd9333jh",
        "oauth_version": "1.0",
    }
    url = "http://photos.example.net/photos?file=vacation.jpg&size=original"
    assert oauth_signature("GET", url, told.items(), credentials) == "tR3+Ty81lMeYAr/Fid0kMTYa/WM="


def asked(method: str = "GET", **query: str) -> WebhookRequest:
    """Return a call without a body."""
    return WebhookRequest(method=method, headers={}, query=query, body=b"")


async def test_challenge(stand: Bench) -> None:
    """X's challenge is answered as its documents compute it; any other GET is refused."""
    answer = stand.messages.challenge(asked(crc_token="challenge_string"))
    assert isinstance(answer, WebhookAnswer)
    assert json.loads(answer.body) == {"response_token": signature(b"challenge_string", CONSUMER_SECRET)}
    assert answer.content_type == "application/json"
    assert signature(b"challenge_string", "your_consumer_secret_here") == (
        "sha256=mchn+rKsGVnYHN/lGyanuEw6XariJ3D+ARDLDsd0dS0="
    )
    assert stand.messages.challenge(asked("POST")) is None
    with pytest.raises(WebhookRejectedError):
        stand.messages.challenge(asked())


async def test_challenge_signs_no_call(stand: Bench) -> None:
    """Nobody can have a webhook call signed by asking for it as a challenge."""
    for token in ('{"data": {}}', "a" * 129, "a b", "{}", "ä"):
        with pytest.raises(WebhookRejectedError):
            stand.messages.challenge(asked(crc_token=token))


async def test_both_secrets() -> None:
    """An app with an OAuth 2.0 secret answers challenges with that, and takes calls signed with either."""
    async with bench(client_secret="oauth2-secret") as stand:
        answer = stand.messages.challenge(asked(crc_token="abc"))
        assert answer is not None
        assert signature(b"abc", "oauth2-secret").encode() in answer.body
        for header, secret, is_good in (
            ("x-twitter-webhooks-signature-oauth2", "oauth2-secret", True),
            ("x-twitter-webhooks-signature", CONSUMER_SECRET, True),
            ("x-twitter-webhooks-signature", "oauth2-secret", False),
            ("x-twitter-webhooks-signature-oauth2", CONSUMER_SECRET, False),
        ):
            request = WebhookRequest(method="POST", headers={header: signature(b"{}", secret)}, query={}, body=b"{}")
            if is_good:
                stand.messages.verify(request)
            else:
                with pytest.raises(WebhookRejectedError):
                    stand.messages.verify(request)


async def test_no_empty_secret(stand: Bench) -> None:
    """Without an OAuth 2.0 secret nothing that is signed with an empty one is taken."""
    headers = {"x-twitter-webhooks-signature-oauth2": signature(b"{}", "")}
    with pytest.raises(WebhookRejectedError):
        stand.messages.verify(WebhookRequest(method="POST", headers=headers, query={}, body=b"{}"))


def test_token_that_cannot_be() -> None:
    """A token that is not an account's is refused at the start."""
    with pytest.raises(SettingsError, match="access_token"):
        XAccount(credentials=Credentials(**CREDENTIALS | {"token": "AAAAbearer"}))


# -------------------------------------------------------------------------------------------------------------- length


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a" * 280, 280),
        ("ä" * 280, 280),
        ("茶" * 140, 280),
        ("🎉", 2),
        ("see https://example.com/a/very/long/address/of/a/page/that/nobody/types", 27),
        ("https://t.co/a https://t.co/b", 47),
        ("a.co", 23),
        ("£3.50 for CL-104233.", 20),
    ],
)
def test_weight(text: str, expected: int) -> None:
    """Letters of most alphabets weigh one, all others two, and an address always the same."""
    assert weight(text) == expected


@given(text=st.text(st.sampled_from("a ä茶🎉.b/:https\n"), min_size=1, max_size=700))
def test_posts_are_never_too_heavy(text: str) -> None:
    """Whatever is said in public, no post of it weighs more than X takes, and nothing is lost."""
    connector = object.__new__(XMentionsConnector)
    planned = connector._plan(OutboundMessage(author=Author.AGENT, text=text), _anywhere())
    assert not isinstance(planned, Refusal)
    texts = [each.text for each in planned if isinstance(each, SendText)]
    assert all(weight(each) <= POST_MAX for each in texts)
    assert "".join("".join(texts).split()) == "".join(text.split())


def _anywhere() -> ChannelAddress:
    return ChannelAddress(channel=ChannelName("x-mentions"), account=AccountId(US), external_id=f"1:{JANE}")


# ------------------------------------------------------------------------------------------------------------- messages


async def test_message(stand: Bench) -> None:
    """A message arrives as it is; X's name of it is what we keep, and what it costs is counted."""
    text = "Order CL-104233 left today: https://example.com/?a=1&b=2 – 🎉"
    result = await stand.messages.send(stand.text(text), "k")

    (shown,) = stand.x.messages[JANE]
    assert (shown.text, result) == (text, Sent(external_id=shown.id))
    assert json.loads(stand.cursors.kept[f"bill:x/{US}:2026-11"]) == {"message": 1}


@pytest.mark.parametrize(
    ("media_type", "category"), [("image/png", "dm_image"), ("image/gif", "dm_gif"), ("video/mp4", "dm_video")]
)
async def test_file(stand: Bench, media_type: str, category: str) -> None:
    """A file goes up in parts, is waited for while X works on it, and arrives byte for byte."""
    content = PICTURE * (1 if media_type != "video/mp4" else 90_000)
    stand.x.works_for = 2 if media_type == "video/mp4" else 0
    result = await stand.messages.send(await stand.file(stand.text(""), content, media_type), "k")

    assert isinstance(result, Sent)
    (shown,) = stand.x.messages[JANE]
    assert (shown.content, shown.category) == (content, category)
    assert stand.pauses == [2.0] * (2 if media_type == "video/mp4" else 0)


@pytest.mark.parametrize("call", ["initialize", "append", "finalize"])
async def test_file_that_does_not_go_up(stand: Bench, call: str) -> None:
    """While a file only goes up nobody sees it, so whatever fails may be tried again."""
    picture = await stand.file(stand.text(""), PICTURE, "image/png")
    for fault in (Fault(call=call), Fault(call=call, is_cut=True), Fault(call=call, status=200)):
        stand.x.faults.append(fault)
        assert isinstance(await stand.messages.send(picture, "k"), Retry)
    assert stand.seen == []


async def test_film_that_x_cannot_show(stand: Bench) -> None:
    """A film that X gives up on is given up; one that it works on for ever is tried again later."""
    film = await stand.file(stand.text(""), PICTURE, "video/mp4")
    stand.x.works_for = -1
    assert isinstance(await stand.messages.send(film, "k"), Permanent)
    stand.x.works_for = 100
    assert isinstance(await stand.messages.send(film, "k"), Retry)


async def test_files_that_x_does_not_show(stand: Bench) -> None:
    """A picture of a type or size that X does not take is named in the text."""
    files = (
        Attachment(kind=AttachmentKind.IMAGE, name="plan.bmp", media_type="image/bmp", media_id=MediaId("a" * 32)),
        Attachment(
            kind=AttachmentKind.IMAGE,
            name="huge.png",
            media_type="image/png",
            size=6_000_000,
            media_id=MediaId("b" * 32),
        ),
        Attachment(
            kind=AttachmentKind.IMAGE, name="fine.png", media_type="image/png", size=10, media_id=MediaId("c" * 32)
        ),
    )
    planned = stand.messages.plan(
        OutboundMessage(author=Author.AGENT, text="Here", attachments=files), stand.text("").address
    )
    assert isinstance(planned, tuple)
    picture, text = planned
    assert isinstance(picture, SendAttachment)
    assert picture.attachment.name == "fine.png"
    assert isinstance(text, SendText)
    assert all(name in text.text for name in ("plan.bmp", "huge.png"))


async def test_no_file(stand: Bench) -> None:
    """A file that is not kept, or of a type that X does not show, is given up without a call."""
    address = stand.text("").address
    for attachment in (
        Attachment(kind=AttachmentKind.IMAGE, reference="/etc/passwd"),
        Attachment(kind=AttachmentKind.IMAGE, media_id=MediaId("f" * 32)),
    ):
        assert isinstance(
            await stand.messages.send(SendAttachment(address=address, attachment=attachment), "k"), Permanent
        )
    kept = await stand.media.put(b"%PDF", Attachment(kind=AttachmentKind.IMAGE, media_type="application/pdf"))
    assert isinstance(await stand.messages.send(SendAttachment(address=address, attachment=kept), "k"), Permanent)
    assert stand.x.calls == []


async def test_fifteen_messages(stand: Bench) -> None:
    """After fifteen messages X takes no more for a quarter of an hour: it is not asked, and the rest is shown."""
    for number in range(15):
        assert isinstance(await stand.messages.send(stand.text(str(number)), "k"), Sent)
    count = len(stand.x.calls)
    waits = await stand.messages.send(stand.text("more"), "k")

    assert waits == Retry(reason="X takes no more messages for now", after=timedelta(seconds=901))
    assert len(stand.x.calls) == count
    await stand.messages.register()
    assert "0 of 15 messages left until 09:15 UTC" in await stand.messages.check()
    # Only that waits: what is said in public has limits of its own.
    assert isinstance(await stand.mentions.send(stand.answer("Hello"), "k"), Sent)
    stand.now += timedelta(seconds=901)
    assert isinstance(await stand.messages.send(stand.text("more"), "k"), Sent)


async def test_another_process_has_used_it_up(stand: Bench) -> None:
    """When X asks for a pause, it says until when."""
    for number in range(15):
        await stand.messages.send(stand.text(str(number)), "k")
    await stand.restart()
    waits = await stand.messages.send(stand.text("more"), "k")

    assert waits == Retry(reason="X asks for a pause", after=timedelta(seconds=901))


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({}, None),
        ({"x-rate-limit-limit": "15", "x-rate-limit-remaining": "x", "x-rate-limit-reset": "1"}, None),
        ({"x-rate-limit-limit": "15", "x-rate-limit-remaining": "٣", "x-rate-limit-reset": "1"}, None),
        ({"x-rate-limit-limit": "15", "x-rate-limit-remaining": "3", "x-rate-limit-reset": "9" * 30}, None),
        ({"x-rate-limit-limit": "15", "x-rate-limit-remaining": "3", "x-rate-limit-reset": "0"}, 3),
    ],
)
def test_nonsense_in_headers(headers: dict[str, str], found: int | None) -> None:
    """Headers that say nothing, or nonsense, are no limit."""
    allowance = Allowance.read(headers, "x-rate-limit")
    assert (allowance.remaining if allowance else None) == found


# ------------------------------------------------------------------------------------------------------------ in public


async def test_answer(stand: Bench) -> None:
    """An answer in public is below what it answers; one with an address in it costs more, and is counted so."""
    for text in ("We are on it.", "See https://example.com"):
        result = await stand.mentions.send(stand.answer(text), text)
        assert result == Sent(external_id=stand.x.posts[-1].id)

    assert [(post.text, post.answers) for post in stand.x.posts] == [
        *(("We are on it.", "5001"), ("See https://example.com", "5001"))
    ]
    assert json.loads(stand.cursors.kept[f"bill:x/{US}:2026-11"]) == {"post": 1, "post with a link": 1}


async def test_answer_with_a_picture(stand: Bench) -> None:
    """A picture is shown in public as one of a post."""
    assert isinstance(await stand.mentions.send(await stand.file(stand.answer(""), PICTURE, "image/png"), "k"), Sent)
    assert (stand.x.posts[0].content, stand.x.posts[0].category) == (PICTURE, "tweet_image")


async def test_only_where_we_are_called(stand: Bench) -> None:
    """Who has not named or quoted us is not answered in public, and the agent reads why; X is not even asked."""
    for context in ({"summoned": ""}, {"in_reply_to": ""}):
        result = await stand.mentions.send(stand.answer("Hello", **context), "k")
        assert isinstance(result, Permanent)
        assert "names us or quotes us" in result.reason
    assert stand.x.calls == []
    unknown = stand.answer("Hello", "6001")
    stand.x.summoning.clear()
    refused = await stand.mentions.send(unknown, "k")
    assert isinstance(refused, Permanent)
    assert "names us or quotes us" in refused.reason


async def test_the_same_twice(stand: Bench) -> None:
    """What X refuses as a double is said to be one."""
    await stand.mentions.send(stand.answer("Hello"), "one")
    result = await stand.mentions.send(stand.answer("Hello"), "two")
    assert isinstance(result, Permanent)
    assert "just said the same" in result.reason


async def test_a_double_proves_the_first(stand: Bench) -> None:
    """Where the first call broke off, the refusal of the second as a double proves that the first arrived."""
    stand.x.faults.append(Fault(call="tweets", is_done=True, is_cut=True))
    assert isinstance(await stand.mentions.send(stand.answer("Hello"), "one"), Ambiguous)
    assert isinstance(await stand.mentions.send(stand.answer("Hello"), "one"), Sent)
    assert len(stand.x.posts) == 1


async def test_take_back(stand: Bench) -> None:
    """A post can be taken back; one that is gone already is."""
    operation = stand.answer("Hello")
    sent = await stand.mentions.send(operation, "k")
    assert isinstance(sent, Sent)
    for _ in range(2):
        assert isinstance(await stand.mentions.unsend(operation.address, sent.external_id, "k"), Sent)
    assert stand.x.posts == []
    stand.x.faults.append(Fault(call="1"))
    assert isinstance(await stand.mentions.unsend(operation.address, "1", "k"), Ambiguous)


# ---------------------------------------------------------------------------------------------------------------- files


async def test_fetch(stand: Bench) -> None:
    """What came by direct message is fetched with a signature, and from X's own servers only."""
    picture = Attachment(kind=AttachmentKind.IMAGE, reference=f"{stand.x.url}/ton/1.1/ton/data/dm/1/2/a.jpg")
    assert await stand.messages.fetch(picture) == b"\xff\xd8tea"
    for url in ("https://evil.example/x.jpg", "https://twimg.com.evil.example/x.jpg", "file:///etc/passwd", ""):
        with pytest.raises(MediaError):
            await stand.messages.fetch(Attachment(kind=AttachmentKind.IMAGE, reference=url))
