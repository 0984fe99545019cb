from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.domain.connectors import (
    Ambiguous,
    Permanent,
    Retry,
)
from bot.domain.errors import SettingsError
from connectors.verdicts import ACCOUNT, LATER
from connectors.x.errors import CODES, outcome
from tests.connectors.x.bench import Bench, bench
from tests.fakes.x import Fault, RefusedError


@pytest.fixture
async def stand() -> AsyncIterator[Bench]:
    """A fake X, a customer and our connectors."""
    async with bench() as made:
        yield made


@pytest.mark.parametrize(
    ("status", "detail", "is_account", "word"),
    [
        (403, "You cannot send messages to this user.", False, "no direct messages"),
        (403, "You are not permitted to perform this action.", True, "console"),
        (403, "User has been suspended: [1357924680].", False, "the customer's account"),
        (403, "Your account is suspended and is not permitted to access this feature.", True, "suspended"),
        (403, "You attempted to reply to a Tweet that is deleted or not visible to you.", False, "deleted"),
        (403, "The original Tweet author restricted who can reply to this Tweet.", False, "lets only some"),
        (403, "Something new.", False, "Something new."),
        (401, "Unauthorized", True, "access token"),
        (402, "Your enrolled account does not have any credits to fulfill this request.", True, "credits"),
        (400, "One or more parameters to your request was invalid.", False, "invalid"),
        (404, "Could not find user", False, "Could not find user"),
    ],
)
async def test_refusals(stand: Bench, status: int, detail: str, *, is_account: bool, word: str) -> None:
    """What X refuses is certainly not sent, is told in words, and is the account's where it concerns all."""
    stand.x.faults.append(Fault(call="messages", status=status, body=RefusedError(status, detail).body))
    result = await stand.messages.send(stand.text("hi"), "k")

    assert isinstance(result, Permanent)
    assert word in result.reason
    assert (result.is_account, result.code) == (is_account, str(status))
    assert stand.seen == []


@pytest.mark.parametrize("code", CODES)
def test_codes(code: int) -> None:
    """Every code of the old form comes to what the table says."""
    verdict, words = CODES[code]
    result = outcome(403, code, "", "", None)
    assert isinstance(result, Retry if verdict is LATER else Permanent)
    assert words in result.reason
    if isinstance(result, Permanent):
        assert result.is_account == (verdict is ACCOUNT)


@pytest.mark.parametrize(
    "body",
    [
        {"errors": [{"code": 349, "message": "You cannot send messages to this user."}]},
        {"errors": [{"message": "You cannot send messages to this user.", "parameters": {}}], "title": "Forbidden"},
        {"detail": "You cannot send messages to this user.", "title": "Forbidden", "type": "about:blank"},
    ],
)
async def test_forms_of_errors(stand: Bench, body: dict[str, object]) -> None:
    """X writes errors in several ways, and once with the status of a success: all are read."""
    for status in (403, 200) if "errors" in body else (403,):
        stand.x.faults.append(Fault(call="messages", status=status, body=body))
        result = await stand.messages.send(stand.text("hi"), "k")
        assert isinstance(result, Permanent)
        assert "no direct messages" in result.reason


@pytest.mark.parametrize(
    "fault",
    [
        Fault(call="messages", status=500),
        Fault(call="messages", status=503, body={"title": "Service Unavailable"}),
        Fault(call="messages", is_done=True, is_cut=True),
        Fault(call="messages", status=200),
        Fault(call="messages", status=201, body={"data": {}}),
    ],
    ids=["500", "503", "cut", "no JSON", "no id"],
)
async def test_nobody_knows(stand: Bench, fault: Fault) -> None:
    """Where X failed or its answer is lost, nobody knows whether it was sent."""
    stand.x.faults.append(fault)
    assert isinstance(await stand.messages.send(stand.text("hi"), "k"), Ambiguous)


async def test_wrong_secrets() -> None:
    """Keys that X refuses are the account's trouble, and doctor says which."""
    async with bench(credentials={"token_secret": "another"}) as stand:
        result = await stand.messages.send(stand.text("hi"), "k")
        assert isinstance(result, Permanent)
        assert result.is_account
        with pytest.raises(SettingsError, match="access token"):
            await stand.messages.check()
    async with bench(credentials={"consumer_secret": "another"}) as stand:
        with pytest.raises(SettingsError, match="consumer_key"):
            await stand.messages.register()
