"""The connectors that keep the contract: one line each."""

from __future__ import annotations

from collections.abc import Callable

from tests.contracts import (
    app,
    bluesky,
    comments,
    discord,
    email,
    instagram,
    line,
    mastodon,
    messenger,
    sms,
    telegram,
    webchat,
    whatsapp,
    wordpress,
    x,
    youtube,
)
from tests.contracts.subject import Subject

SUBJECTS: dict[str, Callable[[], Subject]] = {
    "app": app.subject,
    "bluesky": bluesky.messages,
    "bluesky-mentions": bluesky.mentions,
    "discord": discord.subject,
    "discord-channels": discord.public_subject,
    "email": email.subject,
    "instagram": instagram.subject,
    "instagram-comments": comments.of_instagram,
    "line": line.subject,
    "mastodon": mastodon.messages,
    "mastodon-mentions": mastodon.mentions,
    "messenger": messenger.subject,
    "messenger-comments": comments.of_page,
    "sms": sms.subject,
    "telegram": telegram.subject,
    "webchat": webchat.subject,
    "whatsapp": whatsapp.subject,
    "wordpress-comments": wordpress.subject,
    "youtube-comments": youtube.subject,
    "x": x.messages,
    "x-mentions": x.mentions,
}
