from __future__ import annotations

import asyncio
import io

import aiohttp
import pytest

from bot.desk.slack.app import SlackAccount, SlackDesk
from tests.desk.conftest import Desk
from tests.desk.serving import serve
from tests.desk.slack.ticket import ALICE
from tests.fakes.slack import APP_TOKEN, BOT_TOKEN, FakeSlack
from tests.fakes.slack_api import QUEUE


async def test_everything_may_be_handed_in_again(desk: Desk) -> None:
    """Slack's repeats, and a worker that died after acting, change nothing."""
    card = await desk.post_card()
    await desk.slack.click(ALICE, card, "tandem_reply")
    await desk.slack.submit(ALICE, desk.slack.views[-1], "from the modal")
    view = desk.slack.views[-1]
    desk.inbox.take()
    bodies = [
        desk.slack.click_body(ALICE, card, "tandem_claim"),
        desk.slack.submit_body(ALICE, view, "from the modal"),
        desk.slack.event(
            {"type": "message", "user": ALICE, "text": "&gt; one", "ts": "1.0", "thread_ts": card, "channel": QUEUE}
        ),
    ]
    for _ in range(2):
        for body in bodies:
            await desk.slack.deliver(body)
    # The same message once more, as an event of its own: from the other transport, or found in history.
    await desk.slack.deliver(desk.slack.event(bodies[2]["event"]))
    raws = desk.inbox.take()
    assert len(raws) == 3
    for raw in [*raws, *raws]:
        await desk.app.handle(raw)
    assert [kind for kind, *_ in desk.acts.log] == ["claimed", "reply", "reply"]
    assert [text for _, text, _ in desk.acts.sent] == ["from the modal", "one"]


async def test_nothing_is_acknowledged_before_it_is_durable(desk: Desk) -> None:
    """While the database is down Slack gets a 5xx, and takes the hint: it repeats."""
    card = await desk.post_card()
    desk.inbox.failing = 2
    await desk.slack.write(ALICE, card, "&gt; Hello")
    assert desk.slack.deliveries[-3:] == [503, 503, 200]
    await desk.work()
    assert [text for _, text, _ in desk.acts.sent] == ["Hello"]


async def test_events_of_no_use_are_acknowledged_and_counted(desk: Desk) -> None:
    """Unknown events, our own posts and messages outside of threads get a 200 and are not kept."""
    await desk.post_card()
    await desk.slack.deliver(desk.slack.event({"type": "team_join", "user": {}}))
    await desk.slack.write(ALICE, None, "&gt; hello everybody")
    own = next(m for m in desk.slack.messages if m.get("thread_ts"))
    await desk.slack.deliver(desk.slack.event({**own, "text": "&gt; echo"}))
    assert set(desk.slack.deliveries) == {200}
    assert desk.inbox.rows == {}
    assert desk.app.ignored == {"event/team_join": 1, "event/message": 2}


@pytest.mark.parametrize("what", ["body", "signature", "old", "none"])
async def test_requests_that_are_not_slacks_are_refused(desk: Desk, what: str) -> None:
    """A changed body, a wrong signature, a replay after five minutes and an unsigned request get a 401."""
    body = desk.slack.event({"type": "message", "user": ALICE, "text": "&gt; x", "ts": "1.0", "thread_ts": "2.0"})
    raw, headers = desk.slack.signed(body, at=0.0 if what == "old" else None)
    if what == "body":
        raw += b" "
    if what == "signature":
        headers["x-slack-signature"] = "v0=" + "0" * 64
    if what == "none":
        headers = {"content-type": "application/json"}
    assert await _post(desk, raw, headers) == 401
    assert desk.inbox.count == 0


@pytest.mark.parametrize("raw", [b"{", b"\xff\xfe", b'{"a":' * 100_000, b"payload=%7B", b""])
async def test_malformed_bodies_are_refused(desk: Desk, raw: bytes) -> None:
    """Bytes that are neither JSON nor a form never crash the route."""
    assert await _post(desk, raw, {"content-type": "application/json"}) in {400, 401}


async def test_slacks_own_check_of_the_address_is_answered(desk: Desk) -> None:
    """The handshake gets its challenge back."""
    body = {"type": "url_verification", "token": "legacy", "challenge": "abc"}
    raw, headers = desk.slack.signed(body)
    async with (
        aiohttp.ClientSession() as session,
        session.post(str(desk.slack.events_url), data=raw, headers=headers) as answer,
    ):
        assert (await answer.json())["challenge"] == "abc"


async def test_a_body_beyond_measure_is_refused(desk: Desk) -> None:
    """Slack sends no megabytes."""
    assert await _post(desk, b"x" * (2 * 1024 * 1024 + 1), {"content-type": "application/json"}) == 413


async def test_http_is_closed_while_socket_mode_is_used(desk: Desk, slack: FakeSlack) -> None:
    """Without a signing secret nothing that comes over HTTP can be Slack's."""
    account = SlackAccount(bot_token=BOT_TOKEN, channel=QUEUE, app_token=APP_TOKEN, base_url=slack.base_url)
    app = SlackDesk(account, desk.acts, desk.media, desk.inbox.persist)
    async with serve(app.blueprint()) as url:
        slack.events_url = f"{url}/slack/events"
        await slack.click(ALICE, await desk.post_card(), "tandem_claim")
    assert slack.deliveries[-1] == 404
    assert desk.inbox.count == 0


async def test_socket_mode_acknowledges_what_is_durable_and_connects_again(desk: Desk) -> None:
    """Events and modals come over the socket; without the commit there is no acknowledgement, so they are repeated."""
    card = await desk.post_card()
    running = asyncio.create_task(desk.app.run_socket_mode())
    try:
        first = await desk.slack.connections.get()
        desk.inbox.failing, desk.slack.patience = 1, [0.2]
        await desk.slack.write(ALICE, card, "&gt; over the socket")
        assert [ack.cancelled() for ack in first.acks.values()] == [True, False]
        await desk.slack.click(ALICE, card, "tandem_note")
        answer = await desk.slack.submit(ALICE, desk.slack.views[-1], " ")
        assert answer["response_action"] == "errors"
        await desk.work()
        assert [text for _, text, _ in desk.acts.sent] == ["over the socket"]

        await first.ws.send_json({"type": "disconnect", "reason": "refresh_requested"})
        await desk.slack.connections.get()
        await desk.slack.write(ALICE, card, "&gt; after the refresh")
        await desk.work()
        assert [text for _, text, _ in desk.acts.sent][1:] == ["after the refresh"]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert running.cancelled()


async def _post(desk: Desk, raw: bytes, headers: dict[str, str]) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.post(str(desk.slack.events_url), data=io.BytesIO(raw), headers=headers) as answer,
    ):
        return answer.status
