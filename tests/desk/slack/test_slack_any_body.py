from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.desk.slack.app import SlackAccount, SlackDesk
from bot.desk.slack.buttons import DeskAction
from bot.desk.slack.envelope import Json
from bot.store.macros import StoredMacros
from tests.desk.conftest import Desk, Inbox
from tests.desk.floor import open_floor
from tests.desk.serving import serve
from tests.fakes.media import MemoryMedia
from tests.fakes.slack import APP_TOKEN, BOT_TOKEN, SECRET, FakeSlack
from tests.fakes.slack_api import QUEUE

#: Every member that we or Bolt look at, and the values that lead on from there.
NAMES = (
    *("type", "subtype", "event", "event_id", "team", "team_id", "user", "user_id", "id", "channel", "channel_id"),
    *("actions", "action_id", "action_ts", "value", "view", "state", "values", "input", "callback_id"),
    *("private_metadata", "thread", "ticket", "hash", "message", "previous_message", "container", "message_ts", "ts"),
    *("thread_ts", "text", "blocks", "files", "size", "url_private", "bot_id", "app_id", "trigger_id", "challenge"),
    *("selected_option", "selected_options", "selected_date_time", "reaction", "item", "item_user", "tab"),
    *("authorizations", "enterprise", "enterprise_id", "is_enterprise_install", "is_ext_shared_channel", "command"),
    *("function_data", "bot_access_token", "inputs", "token", "response_urls", "response_url"),
)
WORDS = (
    *("event_callback", "block_actions", "view_submission", "view_closed", "url_verification", "message", "shortcut"),
    *(
        "message_changed",
        "message_deleted",
        "reaction_added",
        "app_home_opened",
        "message_action",
        "envelope",
        "file_share",
        "thread_broadcast",
        "app_mention",
        "function_executed",
    ),
    *(action.value for action in DeskAction),
    *("{}", "[]", '{"ticket": "t", "thread": "1.0"}', "[" * 30_000, QUEUE, "U1", "1.0", "2.0", "\x00", "\ud800", ""),
)
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from(WORDS), st.text(max_size=8))
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=8),
    max_leaves=25,
)
BODIES = st.fixed_dictionaries(
    {"type": st.sampled_from(WORDS[:7])},
    optional=dict.fromkeys(("event", "view", "actions", "user", "team", "channel", "message"), ANYTHING),
) | st.fixed_dictionaries({"type": LEAVES}, optional=dict.fromkeys(NAMES[1:], ANYTHING))
#: What people write behind the command, with what Slack puts around it.
COMMANDS = st.fixed_dictionaries(
    {"command": st.just("/tandem"), "text": st.text(max_size=40) | st.sampled_from(("next", "find <@U1>", "note 1 x"))},
    optional=dict.fromkeys(("user_id", "channel_id", "trigger_id", "response_url", "team_id"), st.text(max_size=8)),
)


@asynccontextmanager
async def stage(template: Path, folder: Path) -> AsyncIterator[Desk]:
    """Serve a desk on a fake workspace."""
    async with FakeSlack() as slack, open_floor(template, folder) as floor:
        media, inbox = MemoryMedia(), Inbox()
        account = SlackAccount(
            bot_token=BOT_TOKEN, channel=QUEUE, signing_secret=SECRET, app_token=APP_TOKEN, base_url=slack.base_url
        )
        app = SlackDesk(account, floor, media, inbox.persist)
        async with serve(app.blueprint()) as url:
            slack.events_url = f"{url}/slack/events"
            yield Desk(slack, floor, media, inbox, app, StoredMacros(floor.database, floor.clock))


async def tell(desk: Desk, body: Json) -> int:
    """Send a body as Slack does, and return the status of the answer."""
    raw, headers = desk.slack.signed(body)
    async with (
        aiohttp.ClientSession() as session,
        session.post(str(desk.slack.events_url), data=raw, headers=headers) as answer,
    ):
        return answer.status


@pytest.mark.no_cover
def test_no_signed_body_is_too_strange(migrated_sqlite: Path, tmp_path: Path) -> None:
    """Any signed object is taken or refused, never a failure of ours, and what was taken can be worked on."""
    with asyncio.Runner() as runner:
        standing = stage(migrated_sqlite, tmp_path)
        desk = runner.run(standing.__aenter__())
        try:

            @settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
            @given(BODIES | COMMANDS)
            def examine(body: Json) -> None:
                assert runner.run(tell(desk, body)) in {200, 400}
                runner.run(desk.work())

            examine()
        finally:
            runner.run(standing.__aexit__(None, None, None))


@pytest.mark.parametrize(
    "body",
    [
        {"type": "event_callback", "event": None},
        {"type": "event_callback", "event": {}, "authorizations": {"a": 1}},
        {"type": "view_submission", "view": None},
        {"type": "block_actions", "actions": []},
    ],
)
async def test_bodies_that_bolt_breaks_on_are_refused(desk: Desk, body: Json) -> None:
    """What Slack would never send is the sender's mistake, not ours."""
    assert await tell(desk, body) == 400


async def test_a_body_that_cannot_be_kept_is_asked_for_again(desk: Desk) -> None:
    """Slack repeats what we could not keep."""
    desk.inbox.failing = 1
    body = desk.slack.event({"type": "message", "user": "U1", "text": "hi", "ts": "2.0", "thread_ts": "1.0"})
    assert await tell(desk, body) == 503
    assert await tell(desk, body) == 200
