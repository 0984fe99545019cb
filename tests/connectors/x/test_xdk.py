"""Our fake X beside X's own client (PyPI `xdk`): what that can do there, our connectors may rely on."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from xdk import Client
from xdk.activity.models import CreateSubscriptionRequest
from xdk.direct_messages.models import CreateByParticipantIdRequest
from xdk.media.models import AppendUploadRequest, InitializeUploadRequest
from xdk.oauth1_auth import OAuth1
from xdk.posts.models import CreateRequest
from xdk.webhooks.models import CreateWebhookReplayJobRequest

from connectors.x.connector import signature
from connectors.x.events import MESSAGE_EVENTS
from tests.fakes.x import APP_TOKEN, CONSUMER_KEY, CONSUMER_SECRET, JANE, TOKEN, TOKEN_SECRET, US, FakeX, running

WEBHOOK = f"https://care.example.com/webhooks/x/{US}"


def now() -> datetime:
    """Return the time of this machine, which X's client signs with."""
    return datetime.now(UTC)


async def made(fake: FakeX, work: Callable[[Client, Client], Any]) -> Any:
    """Return what the library does as the app and as the account, off the loop that serves it."""
    proof = OAuth1(CONSUMER_KEY, CONSUMER_SECRET, "oob", TOKEN, TOKEN_SECRET)
    app, user = Client(base_url=fake.url, bearer_token=APP_TOKEN), Client(base_url=fake.url, auth=proof)

    def run() -> Any:
        try:
            return work(app, user)
        finally:
            app.session.close()
            user.session.close()

    return await asyncio.to_thread(run)


async def test_messages() -> None:
    """The library writes a message with a picture that it has brought up, in its own way of signing."""
    picture = b"\x89PNG" + bytes(range(256))

    def work(_app: Client, user: Client) -> None:
        user.direct_messages.create_by_participant_id(JANE, CreateByParticipantIdRequest(text="On its way: 1 & 2 🎉"))
        about = InitializeUploadRequest(media_type="image/png", media_category="dm_image", total_bytes=len(picture))
        media_id = str(user.media.initialize_upload(about).data.id)
        part = AppendUploadRequest(media=base64.b64encode(picture).decode(), segment_index=0)
        user.media.append_upload(media_id, part)
        user.media.finalize_upload(media_id)
        body = CreateByParticipantIdRequest(attachments=[{"media_id": media_id}])
        assert user.direct_messages.create_by_participant_id(JANE, body).data.dm_event_id

    async with running(now) as fake:
        await made(fake, work)
        text, file = fake.messages[JANE]
        assert (text.text, file.content) == ("On its way: 1 & 2 🎉", picture)


async def test_posts() -> None:
    """The library answers in public where it was called, and hears the same refusals."""

    def work(_app: Client, user: Client) -> None:
        answer = CreateRequest(text="We are on it.", reply={"in_reply_to_tweet_id": "5001"})
        assert user.posts.create(answer).data.text == "We are on it."
        for refused in (answer, CreateRequest(text="Hello", reply={"in_reply_to_tweet_id": "6001"})):
            with pytest.raises(requests.HTTPError) as caught:
                user.posts.create(refused)
            assert caught.value.response is not None
            assert caught.value.response.status_code == 403

    async with running(now) as fake:
        fake.summoning.add("5001")
        await made(fake, work)
        assert [post.text for post in fake.posts] == ["We are on it."]


async def test_setting_up() -> None:
    """The library sets up a webhook, asks for events at it and for a replay, in the fake's and our words."""

    def work(app: Client, user: Client) -> None:
        webhook = app.webhooks.create({"url": WEBHOOK}).data
        assert app.webhooks.get().data[0].url == WEBHOOK
        assert app.webhooks.validate(webhook.id).data.valid
        for event in MESSAGE_EVENTS:
            wanted = {"event_type": event, "filter": {"user_id": US}, "webhook_id": webhook.id}
            user.activity.create_subscription(CreateSubscriptionRequest.model_validate(wanted))
        (page,) = app.activity.get_subscriptions()
        assert {each.event_type for each in page.data} == set(MESSAGE_EVENTS)
        times = {"from_date": "202611220850", "to_date": "202611221230"}
        job = CreateWebhookReplayJobRequest(webhook_id=webhook.id, **times)
        app.webhooks.create_webhook_replay_job(job)

    async with running(now) as fake:
        fake.door = lambda token: f'{{"response_token": "{signature(token.encode(), CONSUMER_SECRET)}"}}'.encode()
        await made(fake, work)
        assert len(fake.replays) == 1
