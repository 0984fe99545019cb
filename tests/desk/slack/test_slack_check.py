from __future__ import annotations

import pytest

from bot.desk.slack.app import SlackAccount, SlackDesk
from bot.domain.errors import SettingsError
from tests.desk.conftest import Desk
from tests.fakes.slack import APP_TOKEN, BOT_TOKEN
from tests.fakes.slack_api import QUEUE


async def test_the_check_says_where_we_are(desk: Desk) -> None:
    """A sound account is told in one line."""
    assert await desk.app.check() == "Slack: @tandem in Copperleaf, #care, over Socket Mode"


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("revoked", "install the app again"),
        ("scopes", "reactions:write"),
        ("archived", "unarchive"),
        ("not a member", "/invite @tandem"),
        ("no channel", "invite the bot"),
        ("a name", "set its id"),
        ("no group", "no user group"),
        ("down", "slack-status"),
    ],
)
async def test_the_check_says_what_to_fix(desk: Desk, how: str, words: str) -> None:
    """Each fault of the account is named with the way to mend it."""
    channel = desk.slack.channels[QUEUE]
    if how == "revoked":
        desk.slack.is_revoked = True
    if how == "scopes":
        desk.slack.scopes = desk.slack.scopes.replace("reactions:write,", "")
    channel["is_archived"] = how == "archived"
    channel["is_member"] = how != "not a member"
    if how == "no channel":
        desk.slack.channels.clear()
    if how == "down":
        desk.slack.fail("auth.test", "500")
    account = SlackAccount(
        bot_token=BOT_TOKEN,
        channel="#care" if how == "a name" else QUEUE,
        app_token=APP_TOKEN,
        user_groups=("S0NONE",) if how == "no group" else (),
        base_url=desk.slack.base_url,
    )
    with pytest.raises(SettingsError, match=words):
        await SlackDesk(account, desk.acts, desk.media, desk.inbox.persist).check()
