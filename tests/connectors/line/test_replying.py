from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.connectors import Ambiguous, Retry, Sent
from simulator.line import Fault
from tests.connectors.line.bench import Bench, bench


async def test_an_answer_within_a_minute_costs_nothing(stand: Bench) -> None:
    """What answers a message at once is a reply: the customer sees it, and it is not counted."""
    result = await stand.connector.send(stand.text("It left today 🎉", answers=stand.hears("where is it?")), "k1")

    (seen,) = stand.jane.seen
    assert (seen.text, seen.is_paid, stand.line.used) == ("It left today 🎉", False, 0)
    assert result == Sent(external_id=seen.message_id)


async def test_a_token_is_used_once(stand: Bench) -> None:
    """The second answer to a message is a push, without a vain try of the token."""
    heard = stand.hears("where is it?")
    for number in range(2):
        assert isinstance(await stand.connector.send(stand.text("…", answers=heard), f"k{number}"), Sent)

    assert [each.is_paid for each in stand.jane.seen] == [False, True]
    assert stand.paths() == ["reply", "push"]


@pytest.mark.parametrize(("seconds", "paths"), [(49, ["reply"]), (51, ["push"])])
async def test_an_old_token_is_not_tried(stand: Bench, seconds: int, paths: list[str]) -> None:
    """Towards the end of its minute a token is left alone."""
    heard = stand.hears("where is it?")
    await stand.connector._sleep(seconds)
    await stand.connector.send(stand.text("…", answers=heard), "k1")

    assert stand.paths() == paths
    assert len(stand.jane.seen) == 1


async def test_a_void_token_is_no_loss(stand: Bench) -> None:
    """A token that another process used, or that LINE dropped early, makes a push of the answer."""
    heard = stand.hears("where is it?")
    stand.line._tokens.clear()
    result = await stand.connector.send(stand.text("…", answers=heard), "k1")

    assert isinstance(result, Sent)
    assert [each.is_paid for each in stand.jane.seen] == [True]


@pytest.mark.parametrize("until", ["", "soon", "nan"])
async def test_a_context_that_makes_no_sense(stand: Bench, until: str) -> None:
    """A token without a time that can be read is not used."""
    operation = replace(stand.text("…"), reply_context={"reply_token": "t", "reply_until": until})

    assert isinstance(await stand.connector.send(operation, "k1"), Sent)
    assert stand.paths() == ["push"]


async def test_a_reply_that_was_put_off_is_a_reply_later(stand: Bench) -> None:
    """A token is not lost with a call that LINE refused for now."""
    heard = stand.hears("where is it?")
    stand.line.fail(Fault(call="reply", status=429, body=b'{"message": "The API rate limit has been exceeded."}'))
    first = await stand.connector.send(stand.text("…", answers=heard), "k1")
    second = await stand.connector.send(stand.text("…", answers=heard), "k1")

    assert isinstance(first, Retry)
    assert isinstance(second, Sent)
    assert stand.line.used == 0


@pytest.mark.parametrize("is_done", [True, False])
async def test_a_reply_in_doubt_cannot_be_repeated(stand: Bench, is_done: bool) -> None:
    """Where the answer to a reply is lost nobody knows, and LINE has no way to find out."""
    stand.line.fail(Fault(call="reply", is_done=is_done, cut_after=20))
    result = await stand.connector.send(stand.text("…", answers=stand.hears("?")), "k1")

    assert isinstance(result, Ambiguous)
    assert not result.is_repeatable


@pytest.mark.parametrize(
    "fault",
    [
        Fault(call="push", is_done=True, cut_after=0),
        Fault(call="push", is_done=True, cut_after=40),
        Fault(call="push", is_done=False, cut_after=0),
        Fault(call="push", is_done=True, status=500),
        Fault(call="push", is_done=False, status=503, body=b"<html>"),
        Fault(call="push", is_done=True, status=200, body=b"<html>"),
        Fault(call="push", is_done=True, status=200, body=b"{}"),
    ],
)
async def test_a_push_in_doubt_is_repeated_and_seen_once(stand: Bench, fault: Fault) -> None:
    """Whatever became of a push, the same call again shows it once and ends in what LINE calls the message."""
    stand.line.fail(fault)
    first = await stand.connector.send(stand.text("Your refund is on its way"), "k1")
    second = await stand.connector.send(stand.text("Your refund is on its way"), "k1")

    assert isinstance(first, Ambiguous)
    assert first.is_repeatable
    (seen,) = stand.jane.seen
    assert second == Sent(external_id=seen.message_id)
    assert stand.line.used == 1
    assert len({key for *_, key in stand.line.calls}) == 1


async def test_accepted_without_a_name(stand: Bench) -> None:
    """A repeat that LINE refuses as accepted is sent, even where it does not say what it is called."""
    accepted = {"X-Line-Accepted-Request-Id": "request-7"}
    stand.line.fail(
        Fault(call="push", status=409, body=b'{"message": "The retry key is already accepted"}', headers=accepted)
    )

    assert await stand.connector.send(stand.text("…"), "k1") == Sent(external_id="request-7")


async def test_different_messages_have_different_keys(stand: Bench) -> None:
    """The same words under another key are another message."""
    for number in range(3):
        await stand.connector.send(stand.text("Hello"), f"k{number}")

    assert len(stand.jane.seen) == 3


async def test_without_reply_tokens() -> None:
    """Whoever prefers that nothing is ever in doubt pays for every message, and has a channel that repeats."""
    async with bench(uses_reply_tokens=False) as stand:
        await stand.connector.send(stand.text("…", answers=stand.hears("?")), "k1")

        assert stand.paths() == ["push"]
        assert stand.connector.capabilities.is_send_idempotent
        assert not stand.connector.capabilities.has_reply_context
