"""The routes of the port that customers, channels and agents come to."""

from __future__ import annotations

from sanic import Blueprint

from bot.desk.local.routes import LocalDeskParts, local_desk_blueprint
from bot.domain.connectors import ConnectorRegistry
from bot.parts import Parts
from bot.store.sample_shop.cast import cast
from bot.web.files import FilesParts, files_blueprint
from bot.web.site.pages import SiteParts, site_blueprint
from bot.web.webchat import WebChatParts, webchat_blueprint
from bot.web.webhooks import WebhookParts, webhooks_blueprint


def blueprints(parts: Parts) -> tuple[Blueprint, ...]:
    """Return the routes of what is switched on."""
    made = [_webhooks(parts), _local_desk(parts)]
    if parts.file_links is not None:
        made.append(files_blueprint(FilesParts(links=parts.file_links, media=parts.media, now=parts.clock.now)))
    if parts.settings.brand.has_sample_site and parts.brand.sample_shop is not None:
        made.append(_site(parts))
    if parts.settings.webchat.is_enabled:
        made.append(_webchat(parts))
    if parts.slack is not None:
        made.append(parts.slack.blueprint())
    return tuple(made)


def _webhooks(parts: Parts) -> Blueprint:
    # The web chat has routes and limits of its own.
    called = tuple(connector for connector in parts.connectors.connectors if connector is not parts.webchat)
    return webhooks_blueprint(
        WebhookParts(connectors=ConnectorRegistry(connectors=called), receive=parts.receiver.receive)
    )


def _local_desk(parts: Parts) -> Blueprint:
    return local_desk_blueprint(
        LocalDeskParts(
            acts=parts.acts,
            media=parts.media,
            hub=parts.desk_hub,
            secret=parts.secret,
            brand=parts.settings.brand.name,
            is_secure=parts.settings.service.home.startswith("https:"),
            teams=parts.rules.teams,
            shifts=parts.shifts,
            find_troubles=parts.troubles.alarming,
        )
    )


def _site(parts: Parts) -> Blueprint:
    brand = parts.settings.brand.name
    return site_blueprint(SiteParts(directory=parts.brand.directory, cast=cast, clock=parts.clock, brand=brand))


def _webchat(parts: Parts) -> Blueprint:
    return webchat_blueprint(
        WebChatParts(
            connector=parts.webchat,
            receive=parts.receiver.receive,
            feed=parts.feed,
            hub=parts.hub,
            media=parts.media,
            allowed_origins=frozenset(parts.settings.webchat.allowed_origins),
            trusted_proxies=parts.settings.service.trusted_proxies,
        )
    )
