from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from bot.domain.connectors import (
    Ambiguous,
    Permanent,
    RepliesPrivately,
    Retry,
    SendAttachment,
    SendText,
    Sent,
)
from bot.domain.errors import SettingsError
from bot.domain.messages import (
    Attachment,
    AttachmentKind,
    InboundMessage,
)
from connectors.mastodon.connector import MastodonSettings, weight
from tests.connectors.mastodon.bench import Bench, bench
from tests.fakes.mastodon import Fault


@pytest.fixture
async def stand() -> AsyncIterator[Bench]:
    """Return a bench whose connector has looked once."""
    async with bench() as made:
        yield made


# ---------------------------------------------------------------------------------------------------------- sending


async def test_a_repeat_is_shown_once(stand: Bench) -> None:
    """An answer whose receipt was lost is there once, however often it is sent."""
    stand.mastodon.writes("jane", "@care Where is it?")
    (event,) = await stand.look()
    stand.mastodon.faults.append(Fault(status=None, is_done=True, method="POST"))
    first = await stand.answer(event, "On its way.")
    second = await stand.answer(event, "On its way.")

    assert isinstance(first, Ambiguous)
    assert isinstance(second, Sent)
    assert [each.text for each in stand.mastodon.statuses.values()][2:] == ["@jane On its way."]


@pytest.mark.parametrize("is_done", [True, False])
async def test_a_repeat_after_the_key_is_forgotten(stand: Bench, is_done: bool) -> None:
    """After an hour the server knows no key any more: what is there already is found, and not written again."""
    stand.mastodon.writes("jane", "@care Where is it?")
    (event,) = await stand.look()
    stand.mastodon.faults.append(Fault(status=502, is_done=is_done, method="POST"))
    assert isinstance(await stand.answer(event, "On its way."), Ambiguous)
    stand.mastodon.keys.clear()
    stand.now += timedelta(hours=2)

    assert isinstance(await stand.answer(event, "On its way."), Sent)
    assert [each.text for each in stand.mastodon.statuses.values()][2:] == ["@jane On its way."]


async def test_files_are_shown_when_they_are_ready(stand: Bench) -> None:
    """A file is uploaded, waited for, and shown to whom it is for."""
    film = await stand.media.put(b"film", Attachment(kind=AttachmentKind.VIDEO, name="f.mp4", media_type="video/mp4"))
    stand.mastodon.writes("jane", "@care How?")
    (event,) = await stand.look()
    stand.mastodon.busy_count = 3
    (operation,) = stand.planned(event, "", film)
    assert isinstance(operation, SendAttachment)

    assert isinstance(await stand.private.send(operation, "k1"), Sent)
    shown = list(stand.mastodon.statuses.values())[-1]
    assert (shown.text, [stand.mastodon.files[each] for each in shown.media]) == ("@jane", [b"film"])
    assert stand.slept == [2, 2, 2]


async def test_names_and_warnings_count(stand: Bench) -> None:
    """With the customer's name, the warning and addresses counted, every piece is taken."""
    stand.mastodon.writes("joe@elsewhere.example", "@care Which?", warning="Tea")
    (event,) = await stand.look()
    pieces = stand.planned(event, "word http://a.io " * 60)
    results = [await stand.private.send(each, f"k{n}") for n, each in enumerate(pieces)]

    assert all(isinstance(each, Sent) for each in results)
    assert all(weight(each.text) <= 473 for each in pieces if isinstance(each, SendText))
    assert "".join(each.text for each in pieces if isinstance(each, SendText)).split() == ["word", "http://a.io"] * 60


async def test_an_answer_without_a_message(stand: Bench) -> None:
    """Where only the customer is known, or the thread, they are called by the name that the server knows."""
    stand.mastodon.writes("jane", "@care Open?", "public")
    (event,) = await stand.look()
    assert isinstance(event, InboundMessage)
    assert isinstance(await stand.public.send(SendText(address=event.address, text="Yes."), "k1"), Sent)

    shown = list(stand.mastodon.statuses.values())[-1]
    assert (shown.text, shown.visibility, shown.parent) == ("@jane Yes.", "unlisted", event.external_id)


async def test_a_private_answer_to_a_public_message(stand: Bench) -> None:
    """Who spoke in public can be answered so that nobody else reads it, and what they say then is private."""
    stand.mastodon.writes("jane", "@care Where is it?", "public")
    (event,) = await stand.look()
    assert isinstance(event, InboundMessage)
    operation = SendText(address=event.address, text="Which?", reply_context=event.reply_context)
    assert isinstance(stand.public, RepliesPrivately)
    assert isinstance(await stand.public.reply_privately(operation, "k1"), Sent)
    ours = list(stand.mastodon.statuses.values())[-1]
    stand.mastodon.writes("jane", "@care CL-104233", parent=ours.id)
    (private,) = await stand.look()

    assert (ours.text, ours.visibility, ours.parent) == ("@jane Which?", "direct", event.external_id)
    assert isinstance(private, InboundMessage)
    assert (private.address.channel, private.address.external_id) == ("mastodon", "44")


async def test_own_words_are_changed_and_taken_back(stand: Bench) -> None:
    """A change keeps the name that is called and the warning; what is gone already is taken back."""
    stand.mastodon.writes("jane", "@care Where is it?", warning="Tea")
    (event,) = await stand.look()
    sent = await stand.answer(event, "Monday.")
    assert isinstance(event, InboundMessage)
    assert isinstance(sent, Sent)
    edit = SendText(address=event.address, text="Tuesday.")

    assert await stand.private.edit(edit, sent.external_id, "k2") == sent
    shown = stand.mastodon.statuses[sent.external_id]
    assert (shown.text, shown.warning) == ("@jane Tuesday.", "Tea")
    assert [await stand.private.unsend(event.address, sent.external_id, "k3") for _ in range(2)] == [sent, sent]
    assert isinstance(await stand.private.edit(edit, sent.external_id, "k4"), Permanent)


@pytest.mark.parametrize(
    ("fault", "outcome", "said"),
    [
        (Fault(status=401, error="The access token is invalid"), Permanent, "make a new one"),
        (Fault(status=403, error="This action is not allowed"), Permanent, "not allow"),
        (Fault(status=403, error="Your login is currently disabled"), Permanent, "disabled"),
        (Fault(status=404, error="Record not found"), Permanent, "no longer there"),
        (Fault(status=422, error="Validation failed: Text character limit exceeded"), Permanent, "limit"),
        (Fault(status=418), Permanent, "418"),
        (Fault(status=429, headers={"Retry-After": "7"}), Retry, "pause"),
        (Fault(status=302, headers={"Location": "https://elsewhere.example"}), Ambiguous, "may be there"),
        (Fault(status=500), Ambiguous, "may be there"),
        (Fault(status=None), Ambiguous, "may have arrived"),
    ],
)
async def test_refusals(stand: Bench, fault: Fault, outcome: type[Any], said: str) -> None:
    """Each refusal says what is certain, in words for an agent; those of the whole account are told apart."""
    stand.mastodon.writes("jane", "@care Where is it?")
    (event,) = await stand.look()
    stand.mastodon.faults.append(fault)
    result = await stand.answer(event, "On its way.")

    assert type(result) is outcome
    assert said in getattr(result, "reason", "")
    if isinstance(result, Permanent):
        assert result.is_account is (fault.status == 401 or "login" in fault.error)
    if isinstance(result, Retry):
        assert result.after == timedelta(seconds=7)


# ---------------------------------------------------------------------------------------------------------- settings


async def test_check(stand: Bench) -> None:
    """The line says who we are; a wrong token, another's, a longer text and ignored mentions say what to do."""
    assert "Mastodon 4.5.0, 500 characters" in await stand.private.check()
    stand.mastodon.policy = "drop"
    with pytest.raises(SettingsError, match="ignores private mentions"):
        await stand.private.check()
    for wrong, said in (
        ({"token": SecretStr("x")}, "make a new one"),
        ({"name": "shop@mastodon.example"}, "but of care"),
        ({"text_max": 5000}, "500 at most"),
        ({"base_url": "http://127.0.0.1:1"}, "no connection"),
    ):
        made = Bench(stand.mastodon, **wrong)
        with pytest.raises(SettingsError, match=said):
            await made.private.check()
        await made.stop()


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "care"},
        {"base_url": "http://a.example"},
        {"base_url": "http://localhost.a.example"},
        {"token": ""},
        {"looks_every": 1},
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, object]) -> None:
    """A name without a server, an address without https, no token, and a pause that no server forgives are named."""
    with pytest.raises(ValidationError):
        MastodonSettings.model_validate({"name": "care@mastodon.example", "token": "x"} | wrong)
