from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from bot.domain.connectors import Ambiguous, Permanent, Retry, SendAttachment, SendText, Sent
from bot.domain.errors import SettingsError
from bot.domain.messages import Attachment, AttachmentKind, InboundMessage
from connectors.verdicts import Verdict
from connectors.youtube.api import REASONS, Units
from connectors.youtube.connector import YouTubeSettings
from tests.connectors.youtube.bench import Bench, answered
from tests.fakes.youtube import OURS, Fault

# ------------------------------------------------------------------------------------------------------------- units


async def test_looking_leaves_units_for_answers(stand: Bench) -> None:
    """A whole day of looks never takes the units that answers need."""
    waited = 0.0
    while waited < timedelta(hours=14).total_seconds():
        await stand.look()
        pause = stand.pauses[-1]
        waited += pause
        stand.passes(seconds=pause)
        if len(stand.pauses) > 600:
            break
    assert stand.youtube.units_max - stand.youtube.units >= 40 * 50
    assert min(stand.pauses) >= 30
    assert max(stand.pauses) <= 600


async def test_a_used_up_day(stand: Bench) -> None:
    """Without units an answer waits for midnight in California, to the second, and no call is made."""
    event = stand.youtube.writes("UCjane", "Is it vegan?")
    (asked,) = await stand.look()
    operation = await answered(stand, asked, "Yes!")
    stand.youtube.units_max = stand.youtube.units
    result = await stand.connector.send(operation, "k1")

    assert isinstance(result, Retry)
    assert result.after == datetime(2026, 11, 23, 8, tzinfo=UTC) - stand.youtube.now
    calls = len(stand.youtube.calls)
    assert isinstance(await stand.connector.send(operation, "k1"), Retry)
    assert len(stand.youtube.calls) == calls
    assert stand.youtube.below(event.id) == []

    stand.youtube.units, stand.youtube.units_max = 0, 10_000
    stand.passes(hours=15)
    assert isinstance(await stand.connector.send(operation, "k1"), Sent)


async def test_the_count_survives_a_restart(stand: Bench) -> None:
    """Another process goes on with the units that are left."""
    used = stand.connector.units.used
    assert used > 0
    await stand.restart()
    await stand.look()
    assert stand.connector.units.used > used


def test_a_day_ends_in_california() -> None:
    """The count starts anew at YouTube's midnight, also on the day that has an hour more."""
    moment = datetime(2026, 11, 1, 6, 30, tzinfo=UTC)
    units = Units(1000, lambda: moment)
    units.use(400)
    assert (units.left, units.until_new()) == (600, timedelta(minutes=30))
    moment = datetime(2026, 11, 1, 7, 30, tzinfo=UTC)
    assert (units.left, units.until_new()) == (1000, timedelta(hours=24, minutes=30))


# ------------------------------------------------------------------------------------------------------------ answers


async def test_an_answer_stands_below_its_comment(stand: Bench) -> None:
    """The first comment is answered as it is; one of several who talk is called by name."""
    first = stand.youtube.writes("UCjane", "Is it vegan?")
    stand.youtube.writes("UCbob", "@copperleaf and the other one?", first.id)
    asked, also = await stand.look()
    for event in asked, also:
        assert isinstance(await stand.connector.send(await answered(stand, event, "Yes!"), event.external_id), Sent)
    assert [each.text for each in stand.youtube.below(first.id) if each.author == OURS] == ["Yes!", "@UCbob Yes!"]


async def test_answers_are_changed_and_deleted(stand: Bench) -> None:
    """What we wrote can be mended and taken back; what is gone already is gone."""
    comment = stand.youtube.writes("UCjane", "Is it vegan?")
    (asked,) = await stand.look()
    operation = await answered(stand, asked, "Yes!")
    sent = await stand.connector.send(operation, "k1")
    assert isinstance(sent, Sent)
    assert isinstance(operation, SendText)
    changed = SendText(address=operation.address, text="Yes, both!")
    assert await stand.connector.edit(changed, sent.external_id, "k2") == sent
    assert [each.text for each in stand.youtube.below(comment.id)] == ["Yes, both!"]
    for key in "k3", "k4":
        assert await stand.connector.unsend(operation.address, sent.external_id, key) == sent
    assert stand.youtube.below(comment.id) == []


@pytest.mark.parametrize(
    ("fault", "outcome", "words"),
    [
        (Fault(status=403, reason="commentsDisabled"), Permanent, "switched off"),
        (Fault(status=404, reason="parentCommentNotFound"), Permanent, "no longer there"),
        (Fault(status=403, reason="insufficientPermissions"), Permanent, "anew"),
        (Fault(status=400, reason="aNewReason"), Permanent, "aNewReason"),
        (Fault(status=403, reason="rateLimitExceeded", headers={"Retry-After": "9"}), Retry, "pause"),
        (Fault(status=429), Retry, "pause"),
        (Fault(status=500, is_done=True), Ambiguous, "may be there"),
        (Fault(status=None, is_done=True), Ambiguous, "may have arrived"),
    ],
)
async def test_refusals(stand: Bench, fault: Fault, outcome: type[Any], words: str) -> None:
    """Each refusal says what is certain, in words for an agent; what breaks the account is one alarm."""
    stand.youtube.writes("UCjane", "Is it vegan?")
    (asked,) = await stand.look()
    stand.youtube.faults.append(fault)
    result = await stand.connector.send(await answered(stand, asked, "Yes!"), "k1")

    assert type(result) is outcome
    assert words in getattr(result, "reason", "")
    if isinstance(result, Permanent):
        is_account = fault.reason in REASONS and REASONS[fault.reason][0] is Verdict.ACCOUNT
        assert result.is_account is is_account
    if fault.headers:
        assert result == Retry(reason="YouTube asks for a pause", after=timedelta(seconds=9))


async def test_a_token_that_was_taken_back(stand: Bench) -> None:
    """A token that Google takes back before its time is exchanged, without doing anything twice."""
    comment = stand.youtube.writes("UCjane", "Is it vegan?")
    (asked,) = await stand.look()
    stand.youtube.tokens.clear()
    assert isinstance(await stand.connector.send(await answered(stand, asked, "Yes!"), "k1"), Sent)
    assert len(stand.youtube.below(comment.id)) == 1


async def test_a_grant_that_was_withdrawn(stand: Bench) -> None:
    """When the owner withdraws the grant nothing goes through the account, which doctor says too."""
    stand.youtube.writes("UCjane", "Is it vegan?")
    (asked,) = await stand.look()
    stand.youtube.tokens.clear()
    stand.youtube.is_granted = False
    result = await stand.connector.send(await answered(stand, asked, "Yes!"), "k1")

    assert isinstance(result, Permanent)
    assert result.is_account
    with pytest.raises(SettingsError, match="connect the account anew"):
        await stand.connector.check()


async def test_files_are_named(stand: Bench) -> None:
    """A file becomes a line of text; one that was never planned is refused before any call."""
    stand.youtube.writes("UCjane", "Is it vegan?")
    (asked,) = await stand.look()
    assert isinstance(asked, InboundMessage)
    attachment = Attachment(kind=AttachmentKind.IMAGE, name="tea.png")
    result = await stand.connector.send(SendAttachment(address=asked.address, attachment=attachment), "k1")
    assert isinstance(result, Permanent)


async def test_doctor(stand: Bench) -> None:
    """The account's line tells its units; a token of another channel says whose it is."""
    assert "units of today left" in await stand.connector.check()
    other = stand.made(channel_id="UCother")
    with pytest.raises(SettingsError, match=f"but of {OURS}"):
        await other.check()
    await other.close()


@pytest.mark.parametrize("wrong", [{"channel_id": "copperleaf"}, {"handle": "copperleaf"}, {"refresh_token": ""}])
def test_settings_that_cannot_be(wrong: dict[str, str]) -> None:
    """What is no channel's id, no handle and no token is named."""
    with pytest.raises(ValidationError):
        YouTubeSettings.model_validate(
            {"channel_id": OURS, "client_id": "1", "client_secret": "s", "refresh_token": "r"} | wrong
        )
