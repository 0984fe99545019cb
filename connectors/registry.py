"""The channels that an operator can set: one line each."""

from __future__ import annotations

from connectors.app import AppSettings
from connectors.bluesky import BlueskySettings
from connectors.discord import DiscordSettings
from connectors.email_settings import EmailSettings
from connectors.line import LineSettings
from connectors.mastodon import MastodonSettings
from connectors.meta_settings import InstagramSettings, MessengerSettings, WhatsAppSettings
from connectors.setup import ChannelSettings
from connectors.sms import SmsSettings
from connectors.telegram_settings import TelegramSettings
from connectors.wordpress import WordPressSettings
from connectors.x_settings import XSettings
from connectors.youtube import YouTubeSettings

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
