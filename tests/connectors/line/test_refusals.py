from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bot.domain.connectors import Ambiguous, Permanent, Retry, Sent
from connectors.line.api import STATUSES, WORDS
from connectors.verdicts import Verdict
from simulator.line import Fault
from tests.connectors.line.bench import Bench


@pytest.mark.parametrize(
    ("status", "message", "outcome", "words"),
    [
        (400, "The request body has 1 error(s)", Permanent, "does not understand"),
        (400, "Failed to send messages", Permanent, "no longer exists"),
        (401, "Authentication failed due to the following reason: invalid token", Permanent, "access token"),
        (403, "Access to this API is not available for your account", Permanent, "plan"),
        (404, "Not found", Permanent, "no such customer"),
        (413, "Payload Too Large", Permanent, "too large"),
        (429, "You have reached your monthly limit.", Permanent, "used up"),
        (429, "The API rate limit has been exceeded. Try again later.", Retry, "pause"),
        (418, "", Permanent, "HTTP 418"),
        (500, "Internal error", Ambiguous, "may have arrived"),
        (302, "", Ambiguous, "may have arrived"),
    ],
)
async def test_refusals(stand: Bench, status: int, message: str, outcome: type[Any], words: str) -> None:
    """Each refusal says what is certain, in words for an agent."""
    stand.line.fail(Fault(call="push", status=status, body=b'{"message": "%s"}' % message.encode()))
    result = await stand.connector.send(stand.text("…"), "k1")

    assert type(result) is outcome
    assert words in getattr(result, "reason", "")
    assert stand.jane.seen == []


async def test_what_breaks_the_account(stand: Bench) -> None:
    """A token, a plan or a quota stops everything and is one alarm; other refusals stop one message."""
    for message, is_account in {"You have reached your monthly limit.": True, "Failed to send messages": False}.items():
        stand.line.fail(Fault(call="push", status=429, body=b'{"message": "%s"}' % message.encode()))
        result = await stand.connector.send(stand.text("…"), "k1")
        assert isinstance(result, Permanent)
        assert result.is_account is is_account


async def test_the_month_is_over(stand: Bench) -> None:
    """When the month's messages are used up, answers within a minute still go."""
    stand.line.quota = 0
    pushed = await stand.connector.send(stand.text("…"), "k1")
    replied = await stand.connector.send(stand.text("…", answers=stand.hears("?")), "k2")

    assert isinstance(pushed, Permanent)
    assert pushed.is_account
    assert isinstance(replied, Sent)


async def test_a_pause_is_kept(stand: Bench) -> None:
    """Should LINE say how long to wait, it is waited."""
    stand.line.fail(Fault(call="push", status=429, headers={"Retry-After": "17"}))

    result = await stand.connector.send(stand.text("…"), "k1")
    assert isinstance(result, Retry)
    assert result.after == timedelta(seconds=17)


async def test_the_detail_of_a_refusal(stand: Bench) -> None:
    """What LINE does not understand is said in its own words, with the member it is about."""
    result = await stand.connector.send(stand.text(" " * 6000), "k1")

    assert isinstance(result, Permanent)
    assert "messages[0].text" in result.reason


def test_tables_are_readable() -> None:
    """Every row of the tables has a verdict, and words that an agent can read."""
    rows = [*STATUSES.values(), *WORDS.values()]

    assert all(isinstance(verdict, Verdict) and len(words) > 10 for verdict, words in rows)
    assert all(theirs == theirs.lower() for theirs in WORDS)
