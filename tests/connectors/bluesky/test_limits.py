from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.domain.connectors import (
    Ambiguous,
    Permanent,
    Retry,
    SendText,
    Sent,
    TextUnit,
)
from bot.domain.errors import SettingsError
from bot.domain.messages import (
    InboundMessage,
)
from bot.domain.planning import measure
from connectors.bluesky.connector import BlueskySettings
from connectors.bluesky.text import facets_of, is_stamped, record_key, stamped
from tests.connectors.bluesky.bench import MORNING, Bench, bench
from tests.connectors.looker import words
from tests.fakes.bluesky import HANDLE, JANE, OURS, Fault


@pytest.fixture
async def stand() -> AsyncIterator[Bench]:
    """Return a bench whose connector has looked once."""
    async with bench() as made:
        yield made


# ----------------------------------------------------------------------------------------------------------- limits


@pytest.mark.parametrize(
    "text", ["word " * 700, "👩\u200d👩\u200d👧\u200d👦" * 500, "🇬🇧 é " * 400, "e" + "\u0301" * 9_000]
)
@pytest.mark.parametrize("is_public", [True, False])
async def test_no_piece_is_too_long(stand: Bench, text: str, is_public: bool) -> None:
    """Whatever a text is made of, its pieces are taken, by signs as well as by bytes."""
    stand.bluesky.posts(JANE, "a") if is_public else stand.bluesky.says("convo0", JANE, "a")
    (event,) = await stand.look()
    assert isinstance(event, InboundMessage)
    speaker = stand.public if is_public else stand.private
    pieces = stand.planned(event, text)
    results = [await speaker.send(each, f"k{number}") for number, each in enumerate(pieces)]

    assert all(isinstance(each, Sent) for each in results)
    texts = [each.text for each in pieces if isinstance(each, SendText)]
    assert "".join("".join(texts).split()) == "".join(text.split())
    assert all(measure(each, TextUnit.GRAPHEMES) <= speaker.capabilities.text_max for each in texts)


async def test_the_session_is_renewed(stand: Bench) -> None:
    """A session that has ended is renewed by its token, and opened anew when that has ended too."""
    stand.bluesky.tokens.clear()
    stand.bluesky.says("convo0", JANE, "one")
    assert words(await stand.look()) == ["one"]
    stand.bluesky.tokens.clear()
    stand.bluesky.refresh_tokens.clear()
    stand.bluesky.says("convo0", JANE, "two")
    assert words(await stand.look()) == ["two"]

    sessions = [each.rpartition(".")[2] for each in stand.bluesky.calls if each.endswith("Session")]
    assert sessions == ["createSession", "refreshSession", "refreshSession", "createSession"]


async def test_the_pause_of_the_network_is_kept(stand: Bench) -> None:
    """A network that is asked too often says until when; an outage costs a growing pause."""
    reset = str(int((stand.bluesky.now + timedelta(seconds=100)).timestamp()))
    stand.bluesky.faults.extend(
        [Fault(status=429, error="RateLimitExceeded", headers={"ratelimit-reset": reset}), Fault(status=503)]
    )
    for _ in range(3):
        await stand.look()

    assert stand.looker.pauses[1:] == [90, 8, 10]


@pytest.mark.parametrize(
    ("fault", "outcome", "said"),
    [
        (Fault(status=400, error="MessagesDisabled"), Permanent, "takes no direct messages"),
        (Fault(status=400, error="NotFollowedBySender"), Permanent, "follow"),
        (Fault(status=400, error="InvalidToken", message="Bad token scope"), Permanent, "does not open"),
        (Fault(status=400, error="InvalidRequest", message="Odd"), Permanent, "Odd"),
        (Fault(status=401, error="Whatever"), Permanent, "make a new one"),
        (Fault(status=418), Permanent, "418"),
        (Fault(status=429, headers={"Retry-After": "7"}), Retry, "pause"),
        (Fault(status=302, headers={"Location": "https://elsewhere.example"}), Ambiguous, "may be there"),
        (Fault(status=502, error="UpstreamFailure"), Ambiguous, "may be there"),
        (Fault(status=None), Ambiguous, "may have arrived"),
    ],
)
async def test_refusals(stand: Bench, fault: Fault, outcome: type[Any], said: str) -> None:
    """Each refusal says what is certain, in words for an agent; those of the whole account are told apart."""
    stand.bluesky.says("convo0", JANE, "Hello")
    (event,) = await stand.look()
    stand.bluesky.faults.append(fault)
    result = await stand.answer(event, "Hi")

    assert type(result) is outcome
    assert said in getattr(result, "reason", "")
    if isinstance(result, Permanent):
        assert result.is_account is (fault.status == 401 or fault.error == "InvalidToken")
    if isinstance(result, Retry):
        assert result.after == timedelta(seconds=7)


# --------------------------------------------------------------------------------------------------------- settings


async def test_everybody_may_write_once_it_is_registered(stand: Bench) -> None:
    """An account that says nothing lets nobody write but those it follows, so it is told; what people chose stays."""
    with pytest.raises(SettingsError, match="only those whom it follows"):
        await stand.private.check()
    for _ in range(2):
        await stand.private.register()
    assert f"@{HANDLE} ({OURS})" in await stand.private.check()

    stand.bluesky.records[f"at://{OURS}/chat.bsky.actor.declaration/self"]["allowIncoming"] = "none"
    await stand.private.register()
    with pytest.raises(SettingsError, match="nobody may write"):
        await stand.private.check()


async def test_check_says_what_to_fix(stand: Bench) -> None:
    """A wrong password, one that does not open messages, and a dead network say what to do."""
    stand.bluesky.opens_chat = False
    with pytest.raises(SettingsError, match="does not open direct messages"):
        await stand.private.check()
    for wrong, said in (
        ({"app_password": "x"}, "make a new one"),
        ({"base_url": "http://127.0.0.1:1"}, "no connection"),
    ):
        made = Bench(stand.bluesky, **wrong)
        with pytest.raises(SettingsError, match=said):
            await made.private.check()
        await made.private.register()
        await made.stop()


@pytest.mark.parametrize(
    "wrong",
    [
        {"handle": "copperleaf"},
        {"base_url": "http://a.example"},
        {"base_url": "http://localhost.a.example"},
        {"app_password": ""},
        {"looks_every": 1},
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, object]) -> None:
    """Half a handle, an address without https, no password, and a pause that is none are named."""
    with pytest.raises(ValidationError):
        BlueskySettings.model_validate({"handle": HANDLE, "app_password": "x"} | wrong)


# ------------------------------------------------------------------------------------------------------ small parts

MOMENTS = st.timedeltas(timedelta(), timedelta(days=20_000)).map(lambda passed: MORNING + passed)


@pytest.mark.no_cover
@given(st.text(max_size=40), MOMENTS, MOMENTS)
def test_record_keys(key: str, since: datetime, later: datetime) -> None:
    """A record's key is a TID within the hour before, one for each call; our posts are known by their moment."""
    made = record_key(key, since)
    number = 0
    for sign in made:
        number = number << 5 | "234567abcdefghijklmnopqrstuvwxyz".index(sign)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=number >> 10)

    assert len(made) == 13
    assert made[0] in "234567abcdefghij"
    assert timedelta() <= since - moment < timedelta(hours=1)
    assert made == record_key(key, since) != record_key(f"{key}.", since)
    assert is_stamped(stamped(later, made), made)
    assert not is_stamped(stamped(later, made), record_key(f"{key}.", since))
    assert abs(datetime.fromisoformat(stamped(later, made)) - later) < timedelta(seconds=1)


@given(st.lists(st.sampled_from(["é", "☕ ", "https://a.example/b?c=d", "(http://x.io).", " ", "word"]), max_size=12))
def test_links_are_where_they_stand(parts: list[str]) -> None:
    """Each link covers just its address, by bytes."""
    text = "".join(parts)
    for facet in facets_of(text):
        place: Any = facet["index"]
        features: Any = facet["features"]
        (feature,) = features
        assert text.encode()[place["byteStart"] : place["byteEnd"]].decode() == feature["uri"]
        assert feature["uri"][-1] not in ").,"
