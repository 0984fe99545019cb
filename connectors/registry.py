"""The channels that an operator can set: one line each."""

from __future__ import annotations

from connectors.app.connector import AppSettings
from connectors.bluesky.connector import BlueskySettings
from connectors.discord.connector import DiscordSettings
from connectors.email.settings import EmailSettings
from connectors.line.connector import LineSettings
from connectors.mastodon.connector import MastodonSettings
from connectors.meta.settings import InstagramSettings, MessengerSettings, WhatsAppSettings
from connectors.setup import ChannelSettings
from connectors.sms.connector import SmsSettings
from connectors.telegram.settings import TelegramSettings
from connectors.wordpress.connector import WordPressSettings
from connectors.x.settings import XSettings
from connectors.youtube.connector import YouTubeSettings

_CHANNELS: tuple[type[ChannelSettings], ...] = (
    TelegramSettings,
    MessengerSettings,
    InstagramSettings,
    WhatsAppSettings,
    EmailSettings,
    XSettings,
    SmsSettings,
    LineSettings,
    DiscordSettings,
    MastodonSettings,
    BlueskySettings,
    YouTubeSettings,
    WordPressSettings,
    AppSettings,
)

#: What settings call a channel → what an operator writes about an account there.
SECTIONS: dict[str, type[ChannelSettings]] = {each.section: each for each in _CHANNELS}
#: Each channel, and how people write its name; the web chat has no account that could be set.
TITLES: dict[str, str] = {"webchat": "Web chat"} | {
    channel: title for each in _CHANNELS for channel, title in each.titles.items()
}
