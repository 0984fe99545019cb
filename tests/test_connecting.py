from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bot.clock import SystemClock
from bot.connecting import SITE, connectors_of
from bot.domain.connectors import Challenging, Checking, Connector, FetchesMedia, Registering, ShowsTyping
from bot.domain.errors import SettingsError
from bot.settings import Settings, load
from connectors.meta.settings import InstagramSettings
from connectors.registry import SECTIONS
from connectors.setup import Facilities
from connectors.webchat.connector import VisitorKeys, WebChatConnector
from tests.fakes.cursors import MemoryCursors
from tests.fakes.feed import MemoryFeed
from tests.fakes.media import MemoryMedia

META = {"TOKEN": "EAAG", "APP_SECRET": "9f2c", "VERIFY_TOKEN": "hello"}
ACCOUNTS: dict[str, dict[str, str]] = {
    "TELEGRAM": {"TOKEN": "123:abc", "WEBHOOK_SECRET": "shh"},
    "MESSENGER": META | {"PAGE_ID": "11"},
    "INSTAGRAM": META | {"ACCOUNT_ID": "22"},
    "EMAIL": {
        "ADDRESS": "support@copperleaf.example",
        "IMAP_HOST": "imap.example.com",
        "SMTP_HOST": "smtp.example.com",
        "PASSWORD": "shh",
    },
    "DISCORD": {"TOKEN": "a.b.c", "APPLICATION_ID": "66", "CHANNELS": "77"},
    "MASTODON": {"NAME": "care@mastodon.example", "TOKEN": "shh"},
    "BLUESKY": {"HANDLE": "copperleaf.bsky.social", "APP_PASSWORD": "shh"},
    "LINE": {"TOKEN": "abc", "CHANNEL_SECRET": "shh", "CHANNEL_ID": "55"},
    "WHATSAPP": META | {"PHONE_NUMBER_ID": "33", "BUSINESS_ACCOUNT_ID": "44", "TEMPLATE": "follow_up"},
    "APP": {"NAME": "shop", "SECRET": "whsec_" + "QUFB" * 10, "URL": "https://app.example.com/tandem"},
    "WORDPRESS": {"URL": "https://blog.example.com", "USER": "care", "PASSWORD": "abcd efgh"},
    "YOUTUBE": {"CHANNEL_ID": "UCcopperleaf", "CLIENT_ID": "1-a", "CLIENT_SECRET": "shh", "REFRESH_TOKEN": "1//a"},
    "X": {"CONSUMER_KEY": "k", "CONSUMER_SECRET": "shh", "ACCESS_TOKEN": "88-a", "ACCESS_TOKEN_SECRET": "shh"},
    "SMS": {"ACCOUNT_SID": "AC" + "0a" * 16, "AUTH_TOKEN": "shh", "NUMBER": "+447700900123"},
}


def connected(*channels: str, **more: str) -> dict[str, Connector]:
    """Return the connectors that settings for these channels make, by name."""
    named = {f"{channel}__{name}": value for channel in channels for name, value in ACCOUNTS[channel].items()}
    environ = named | {"SERVICE__PUBLIC_URL": "https://care.example.com"} | more
    made = made_of(load({f"TANDEM_{name}": value for name, value in environ.items()}))
    return {str(each.channel): each for each in made}


def made_of(settings: Settings) -> tuple[Connector, ...]:
    """Return the connectors that settings make."""
    keys = VisitorKeys(secret=b"a secret of the service, 32 bytes")
    webchat = WebChatConnector(account=SITE, keys=keys, feed=MemoryFeed(), clock=SystemClock())
    facilities = Facilities(public_url=settings.service.public_url, media=MemoryMedia(), cursors=MemoryCursors())
    return connectors_of(settings, webchat, facilities)


def test_nothing_but_the_chat() -> None:
    """Without settings there is the web chat alone, and not even that where it is switched off."""
    assert set(connected()) == {"webchat"}
    assert connected(WEBCHAT__IS_ENABLED="false") == {}


def test_all() -> None:
    """Each section with a token is a channel, for the account it names."""
    made = connected(*ACCOUNTS)

    assert {name: str(each.account) for name, each in made.items()} == {
        "webchat": "site",
        "app": "shop",
        "wordpress-comments": "blog.example.com",
        "youtube-comments": "UCcopperleaf",
        "telegram": "123",
        "messenger": "11",
        "instagram": "22",
        "whatsapp": "33",
        "x": "88",
        "x-mentions": "88",
        "sms": "447700900123",
        "line": "55",
        "mastodon": "care@mastodon.example",
        "mastodon-mentions": "care@mastodon.example",
        "bluesky": "copperleaf.bsky.social",
        "bluesky-mentions": "copperleaf.bsky.social",
        "email": "support@copperleaf.example",
        "discord": "66",
        "discord-channels": "66",
    }


@pytest.mark.parametrize("channel", ["MESSENGER", "INSTAGRAM", "WHATSAPP"])
def test_powers_of_meta(channel: str) -> None:
    """The channels of Meta's shake hands, register, fetch files and show typing, and are never polled."""
    made = connected(channel)[channel.lower()]

    assert all(isinstance(made, power) for power in (Challenging, Registering, FetchesMedia, ShowsTyping))
    assert not hasattr(made, "poll")


def test_every_account_says_how_it_is() -> None:
    """The first connector of each account tells `doctor` how that is; some have nobody to register with."""
    made = connected(*ACCOUNTS)
    first = [made[next(iter(section.titles))] for section in SECTIONS.values()]

    assert all(isinstance(each, Checking) for each in first)
    assert {str(each.channel) for each in first if not isinstance(each, Registering)} == {
        *("app", "email", "mastodon", "wordpress-comments", "youtube-comments")
    }


def test_windows_follow_the_settings() -> None:
    """People may write for longer only where the settings say that Meta allows it."""
    assert connected("MESSENGER")["messenger"].capabilities.people_window is None
    granted = connected("MESSENGER", MESSENGER__HAS_HUMAN_AGENT="true")["messenger"]
    assert granted.capabilities.people_window == timedelta(days=7)
    assert connected("WHATSAPP")["whatsapp"].capabilities.people_window == timedelta.max


def test_instagram_with_or_without_a_page() -> None:
    """For an account linked to a page files are uploaded; one of Instagram's own log-in has a server of its own."""
    assert connected("INSTAGRAM")["instagram"].capabilities.fetches_files
    assert not connected("INSTAGRAM", INSTAGRAM__PAGE_ID="55")["instagram"].capabilities.fetches_files
    alone = InstagramSettings.model_validate({name.lower(): value for name, value in ACCOUNTS["INSTAGRAM"].items()})
    assert alone.url == "https://graph.instagram.com"
    assert alone.model_copy(update={"page_id": "55"}).url == "https://graph.facebook.com"
    assert alone.model_copy(update={"base_url": "http://127.0.0.1:1"}).url == "http://127.0.0.1:1"


def test_x_without_mentions() -> None:
    """What is said in public on X is heard unless it is switched off; X calls https addresses without a port only."""
    assert connected("X")["x-mentions"].capabilities.is_public
    assert set(connected("X", X__HAS_MENTIONS="false")) == {"webchat", "x"}
    with pytest.raises(SettingsError, match="without a port"):
        connected("X", SERVICE__PUBLIC_URL="https://care.example.com:8443")


def test_several_accounts_of_one_channel(tmp_path: Path) -> None:
    """A section may come several times, each an account of its own; the same account twice is refused."""
    path = tmp_path / "tandem.toml"
    path.write_text('[[telegram]]\ntoken = "1:a"\n[[telegram]]\ntoken = "2:b"\n', encoding="utf-8")
    assert [str(each.account) for each in made_of(load({}, path))] == ["site", "1", "2"]

    path.write_text('[[telegram]]\ntoken = "1:a"\n[[telegram]]\ntoken = "1:b"\n', encoding="utf-8")
    with pytest.raises(SettingsError, match="telegram/1 is set twice"):
        made_of(load({}, path))
