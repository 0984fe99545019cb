from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bot.domain.channels import ChannelAddress
from bot.domain.connectors import Ambiguous, Permanent, Retry, SendText, Sent
from connectors.discord.api import CODES, STATUSES, read_answer
from connectors.http import Answer
from connectors.verdicts import Verdict
from simulator.discord_values import Fault, RefusedError
from tests.connectors.discord.bench import Bench


@pytest.mark.parametrize(
    ("status", "code", "outcome", "words"),
    [
        (403, 50007, Permanent, "takes no direct messages"),
        (400, 50278, Permanent, "takes no direct messages"),
        (404, 10003, Permanent, "no such channel"),
        (400, 50035, Permanent, "does not understand"),
        (413, 40005, Permanent, "larger"),
        (403, 50013, Permanent, "right"),
        (403, 0, Permanent, "right"),
        (400, 999, Permanent, "refuses it"),
        (400, 20028, Retry, "pause"),
        (503, 0, Ambiguous, "may have arrived"),
        (301, 0, Ambiguous, "may have arrived"),
    ],
)
async def test_refusals(stand: Bench, status: int, code: int, outcome: type[Any], words: str) -> None:
    """Each refusal says what is certain, in words for an agent."""
    body = b'{"code": %d, "message": "Discord\'s words"}' % code
    stand.discord.fail(Fault(call="POST messages", status=status, body=body))
    result = await stand.connector.send(stand.text("…"), "k1")

    assert type(result) is outcome
    assert words in getattr(result, "reason", "")
    assert stand.jane.seen == []


async def test_customers_who_cannot_be_written_to(stand: Bench) -> None:
    """A customer who blocked the bot is a plain no for one message, and no alarm."""
    stand.jane.direct.refusal = RefusedError(403, 50007, "Cannot send messages to this user")
    result = await stand.connector.send(stand.text("…"), "k1")

    assert isinstance(result, Permanent)
    assert (result.code, result.is_account) == ("50007", False)


async def test_a_revoked_token_is_the_account(stand: Bench) -> None:
    """A token that Discord refuses stops everything, and is one alarm."""
    stand.discord.token = "another"
    result = await stand.connector.send(stand.text("…"), "k1")

    assert isinstance(result, Permanent)
    assert result.is_account


def test_tables_are_readable() -> None:
    """Every row of the tables has a verdict, and words that an agent can read."""
    rows = [*CODES.values(), *STATUSES.values()]

    assert all(isinstance(verdict, Verdict) and len(words) > 10 for verdict, words in rows)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"<html>", b'{"code": "x"}', b'{"message": 7}', b"\xff"])
@pytest.mark.parametrize("status", [200, 302, 400, 401, 429, 500])
def test_answers_that_make_no_sense(status: int, body: bytes) -> None:
    """Whatever Discord answers is read, and says what is certain."""
    read_answer(Answer(status=status, headers={}, body=body))


async def test_pauses_are_kept_to_the_millisecond(stand: Bench) -> None:
    """A 429 waits as it says; the route is left alone until then, and others are not."""
    body = b'{"message": "You are being rate limited.", "retry_after": 64.57, "global": false}'
    stand.discord.fail(Fault(call="POST messages", status=429, body=body))
    first = await stand.connector.send(stand.text("…"), "k1")
    call_count = len(stand.discord.calls)
    stand.now[0] += 60
    second = await stand.connector.send(stand.text("…"), "k1")
    elsewhere = ChannelAddress(
        channel=stand.connector.channel,
        account=stand.connector.account,
        external_id=stand.discord.member("770000000000000002").direct.id,
    )

    assert first == Retry(reason="Discord asks for a pause", after=timedelta(seconds=64.57))
    assert isinstance(second, Retry)
    assert second.after is not None
    assert second.after.total_seconds() == pytest.approx(4.57)
    assert len(stand.discord.calls) == call_count
    assert isinstance(await stand.connector.send(SendText(address=elsewhere, text="hello"), "k2"), Sent)
    stand.now[0] += 5
    assert isinstance(await stand.connector.send(stand.text("…"), "k1"), Sent)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b'{"message": "", "retry_after": 3.5, "global": true}', {}),
        (b'{"message": "", "retry_after": 3.5}', {"X-RateLimit-Global": "true"}),
        (b"<html>error 1015</html>", {"Retry-After": "4"}),
    ],
)
async def test_pauses_of_everything(stand: Bench, body: bytes, headers: dict[str, str]) -> None:
    """A pause that is meant for all is kept by all."""
    stand.discord.fail(Fault(call="POST messages", status=429, body=body, headers=headers))
    await stand.connector.send(stand.text("…"), "k1")
    await stand.connector.show_typing(stand.address)
    assert stand.jane.direct.typing_count == 0

    stand.now[0] += 4
    await stand.connector.show_typing(stand.address)
    assert stand.jane.direct.typing_count == 1


async def test_the_pace_of_a_channel(stand: Bench) -> None:
    """What the headers say is kept before Discord has to refuse: nothing is ever one too many."""
    stand.discord.has_pace = True
    refused = 0
    for number in range(12):
        result = await stand.connector.send(stand.text(f"message {number}"), f"k{number}")
        if isinstance(result, Retry):
            refused += 1
            assert result.after is not None
            stand.now[0] += result.after.total_seconds()
            result = await stand.connector.send(stand.text(f"message {number}"), f"k{number}")
        assert isinstance(result, Sent)

    assert [each["content"] for each in stand.jane.seen] == [f"message {number}" for number in range(12)]
    assert len(stand.discord.calls) == 12
    assert refused == 2


def test_many_routes_are_forgotten(stand: Bench) -> None:
    """Pauses of routes that nobody uses any more do not pile up."""
    for number in range(3_000):
        answer = Answer(status=200, headers={"x-ratelimit-remaining": "0", "x-ratelimit-reset-after": "1.5"}, body=b"")
        stand.connector._api._note_pauses(f"POST /channels/{number}/messages", answer)
        stand.now[0] += 0.01

    assert len(stand.connector._api._paused_until) <= 1_000
