from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.domain.errors import SettingsError
from simulator.graph import Fault, RefusedError
from tests.connectors.meta.bench import CHANNELS, Bench, bench


@pytest.fixture(params=CHANNELS)
async def stand(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    """A fake Graph API and our connector, for each channel."""
    async with bench(request.param) as made:
        yield made


OBJECTS = {"messenger": "page", "instagram": "instagram", "whatsapp": "whatsapp_business_account"}


async def test_register(stand: Bench) -> None:
    """The webhook is set for the app, and the account is subscribed to; then all is well, and twice is as once."""
    for _ in range(2):
        await stand.connector.register()
    webhook = stand.graph.webhooks[OBJECTS[stand.channel]]

    assert webhook["url"] == f"https://care.example.com/webhooks/{stand.channel}"
    assert "messages" in webhook["fields"]
    line = await stand.connector.check()
    assert "Copperleaf" in line
    assert "does not expire" in line


async def test_token_that_expires(stand: Bench) -> None:
    """The day on which the token ends is named."""
    await stand.connector.register()
    stand.graph.expires_at = 1_798_761_600

    assert "until 01 January 2027" in await stand.connector.check()


async def test_without_app(stand: Bench) -> None:
    """Without the app's number the webhook is set up by hand: only the account is subscribed to."""
    async with bench(stand.channel, app_id=None) as other:
        await other.connector.register()
        assert other.graph.webhooks == {}
        assert "without app_id" in await other.connector.check()


async def test_outage_is_waited_out(stand: Bench) -> None:
    """An outage of Meta's at start is waited out, longer each time, and a pause it asks for is kept."""
    stand.graph.fail(Fault(call="subscriptions", status=500))
    stand.graph.fail(Fault(call="subscriptions", cut_after=0))
    stand.graph.fail(Fault(call="subscribed_apps", status=429, headers={"Retry-After": "90"}))
    await stand.connector.register()

    assert stand.pauses == [1.0, 2.0, 90.0]
    assert stand.graph.subscribed


async def test_refused(stand: Bench) -> None:
    """What Meta refuses is said, with what to look at, and not tried again."""
    stand.graph.fail(Fault(call="subscriptions", error=RefusedError(2200, "Callback verification failed")))
    with pytest.raises(SettingsError, match="Callback verification failed"):
        await stand.connector.register()
    assert stand.pauses == []


async def test_nothing_subscribed(stand: Bench) -> None:
    """An account that sends us nothing is told."""
    with pytest.raises(SettingsError, match="sends us nothing"):
        await stand.connector.check()


async def test_kinds_missing() -> None:
    """A page that does not send all that we need is told, with what is missing."""
    async with bench("messenger") as stand:
        await stand.connector.register()
        stand.graph.subscribed[stand.graph.page_id] = ["messages"]
        with pytest.raises(SettingsError, match=r"does not send us messaging_postbacks, message_echoes"):
            await stand.connector.check()


async def test_webhook_elsewhere(stand: Bench) -> None:
    """A webhook that another installation has taken, that is off or that is not set is told."""
    await stand.connector.register()
    webhook = stand.graph.webhooks[OBJECTS[stand.channel]]
    webhook["active"] = False
    with pytest.raises(SettingsError, match="switched the webhook off"):
        await stand.connector.check()
    webhook["url"] = "https://old.example.com/"
    with pytest.raises(SettingsError, match=r"Meta calls https://old\.example\.com/ instead of"):
        await stand.connector.check()
    stand.graph.webhooks.clear()
    with pytest.raises(SettingsError, match="no webhook"):
        await stand.connector.check()


async def test_token_that_is_refused(stand: Bench) -> None:
    """A token that Meta refuses is told without being shown."""
    token, stand.graph.token = stand.graph.token, "EAAGanother"
    with pytest.raises(SettingsError, match="refuses the access token") as caught:
        await stand.connector.check()
    assert token not in str(caught.value)


async def test_token_is_not_in_the_address(stand: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Meta is asked about the token without anything logging it."""
    caplog.set_level("DEBUG")
    await stand.connector.register()
    await stand.connector.check()

    (asked,) = [body for _, path, body in stand.graph.calls if path == "debug_token"]
    assert asked["input_token"] == stand.graph.token
    assert stand.graph.token not in caplog.text


async def test_nothing_answers(stand: Bench) -> None:
    """Where Meta is out of reach the network is to blame, and the address is named."""
    async with bench(stand.channel, base_url="http://127.0.0.1:1") as other:
        with pytest.raises(SettingsError, match=r"does not answer at http://127\.0\.0\.1:1.*check the network"):
            await other.connector.check()


async def test_odd_answer(stand: Bench) -> None:
    """An answer that is not what Meta documents is told as such."""
    stand.graph.fail(Fault(call="subscribed_apps", status=200, body=b'{"data": 7}'))
    with pytest.raises(SettingsError, match="something else than expected"):
        await stand.connector.check()
