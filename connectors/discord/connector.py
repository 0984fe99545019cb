"""Discord, by a bot: its direct messages with customers, and the channels of servers in which it answers.

https://docs.discord.com/developers/reference

Events come over the gateway (`connectors.discord.gateway`) and never by webhook. A message carries a nonce by which
Discord shows a repeat once; later repeats look for the message first (`connectors.discord.repeats`).
"""

from __future__ import annotations

import asyncio
import re
import time
from abc import ABC
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import ClassVar
from urllib.parse import quote

import structlog
from pydantic import SecretStr, field_validator

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.connectors import (
    Capabilities,
    Connector,
    Permanent,
    Refusal,
    SendOperation,
    SendResult,
    SendText,
    Sent,
    Sink,
    TextUnit,
    WebhookRequest,
)
from bot.domain.errors import MalformedWebhookError, SettingsError
from bot.domain.messages import Attachment, AttachmentKind, InboundEvent, InboundMessage, OutboundMessage
from bot.domain.planning import plan
from bot.domain.ports import MediaStore
from connectors import files
from connectors.discord import payloads
from connectors.discord.api import DiscordApi, Failure
from connectors.discord.events import CHANNEL, PUBLIC_CHANNEL, Batch, Mailbox
from connectors.discord.gateway import Gateway
from connectors.discord.payloads import LABEL_MAX, ROW_MAX, ROWS_MAX, TEXT_MAX
from connectors.discord.poll import Past, Reader
from connectors.discord.repeats import Repeats, sent
from connectors.downloads import Downloads, origin_of
from connectors.fields import Fields
from connectors.files import File
from connectors.setup import ChannelSettings, Facilities, Words, shown
from connectors.titles import explain
from connectors.uncalled import Uncalled

log = structlog.get_logger()

#: What a bot may send without anybody's boosts, and what is fetched of customers.
_FILE_MAX_BYTES, _FETCH_MAX_BYTES = 10_000_000, 25_000_000
#: Where Discord keeps customers' files.
_MEDIA_HOSTS = frozenset({"cdn.discordapp.com", "media.discordapp.net"})
#: https://docs.discord.com/developers/events/gateway#gateway-intents
_GUILDS, _GUILD_MESSAGES, _GUILD_REACTIONS, _CONTENT = 1 << 0, 1 << 9, 1 << 10, 1 << 15
_DIRECT_MESSAGES, _DIRECT_REACTIONS = 1 << 12, 1 << 13
#: Flags of an application that may read what people write on servers.
_MAY_READ_CONTENT = 1 << 18 | 1 << 19
#: Tells Discord that a tap has arrived, and changes nothing.
_DEFERRED_UPDATE = 6
#: Seconds: Discord waits three for that.
_ACKNOWLEDGES_WITHIN = 2.5
#: Code of a message that is not there any more.
_GONE = "10008"


class DiscordSettings(ChannelSettings):
    """One bot."""

    section: ClassVar = "discord"
    titles: ClassVar = {CHANNEL: "Discord", PUBLIC_CHANNEL: "Discord channels"}
    needed: ClassVar = ("token", "application_id")

    #: the bot's token; none: no Discord
    token: SecretStr | None = None
    #: number of the application
    application_id: str = ""
    #: numbers of channels of servers (text or forum) in which customers are answered too, with their threads
    channels: Words = ()
    #: numbers of the roles of your own people there, who are no customers
    staff_roles: Words = ()
    base_url: str = "https://discord.com/api/v10"
    #: HTTP proxy on the way there
    proxy_url: SecretStr | None = None

    @field_validator("application_id", "channels", "staff_roles")
    @classmethod
    def _are_numbers(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for each in (value,) if isinstance(value, str) else value:
            if each and not re.fullmatch(r"[0-9]{1,20}", each):
                raise ValueError("Discord's ids are numbers: switch on Developer Mode, then 'Copy ID'")
        return value

    @field_validator("token")
    @classmethod
    def _is_plain(cls, value: SecretStr | None) -> SecretStr | None:
        if not re.fullmatch(r"[A-Za-z0-9_.=-]*", shown(value)):
            raise ValueError("the Discord token has characters that it cannot have: copy it without 'Bot'")
        return value

    def connectors(self, facilities: Facilities) -> tuple[Connector, ...]:
        """Return the connector of direct messages, and that of the channels where there are any."""
        api = DiscordApi(shown(self.token), self.base_url, shown(self.proxy_url) or None)
        private = DiscordConnector(self, facilities, api)
        return (private, DiscordChannelsConnector(self, facilities, api)) if self.channels else (private,)


class _DiscordConnector(Uncalled, ABC):
    """Speaks for one bot. `sleep` waits between attempts of its own, `clock` is in seconds since 1970."""

    name: ClassVar[ChannelName]

    def __init__(
        self,
        settings: DiscordSettings,
        facilities: Facilities,
        api: DiscordApi,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._media: MediaStore = facilities.media
        self._api = api
        self._sleep = sleep
        self._repeats = Repeats(api, self.account, clock)
        self._mailbox = Mailbox(
            account=self.account,
            surfaces=frozenset(settings.channels),
            staff_roles=frozenset(settings.staff_roles),
        )
        proxy_url, origins = shown(settings.proxy_url) or None, frozenset({origin_of(settings.base_url)})
        self._downloads = Downloads(_MEDIA_HOSTS, _FETCH_MAX_BYTES, proxy_url, origins, sleep)

    @property
    def channel(self) -> ChannelName:
        """The channel's name."""
        return self.name

    @property
    def account(self) -> AccountId:
        """The application's number."""
        return AccountId(self._settings.application_id)

    @property
    def capabilities(self) -> Capabilities:
        """What a bot can send."""
        return Capabilities(
            text_max=TEXT_MAX,
            # Documented as characters; this fits however they are counted.
            text_unit=TextUnit.UTF16,
            choices_max=ROWS_MAX * ROW_MAX,
            choice_title_max=LABEL_MAX,
            attachments=frozenset(AttachmentKind),
            attachment_max_bytes=_FILE_MAX_BYTES,
            is_send_idempotent=True,
            has_edits=True,
            has_quotes=True,
        )

    def parse(self, request: WebhookRequest) -> list[InboundEvent]:
        """Return every event of what the gateway brought, written as JSON."""
        return self._mailbox.read(Batch.read(request.body))

    def plan(self, message: OutboundMessage, address: ChannelAddress) -> tuple[SendOperation, ...] | Refusal:
        """Return the calls."""
        return plan(explain(message, self.capabilities), address, self.capabilities)

    async def send(self, operation: SendOperation, key: str) -> SendResult:
        """Make one call; one that was in doubt for minutes looks first whether its message is there."""
        path = f"/channels/{_place(operation.address)}/messages"
        result = await self._repeats.find(operation, path, key) or await self._send(operation, path, key)
        self._repeats.note(key, result)
        return result

    async def _send(self, operation: SendOperation, path: str, key: str) -> SendResult:
        body = payloads.envelope(operation, key)
        if isinstance(operation, SendText):
            return sent(await self._api.ask("POST", path, body | payloads.text(operation)))
        attachment = operation.attachment
        if attachment.media_id is None and attachment.reference.startswith(("https://", "http://")):
            # Discord shows what an address leads to.
            return sent(await self._api.ask("POST", path, body | {"content": attachment.reference}))
        found = await files.load(self._media, attachment)
        if not isinstance(found, tuple):
            return found
        kept, content = found
        file = File(
            member="files[0]",
            name=kept.name or "file",
            media_type=kept.media_type or "application/octet-stream",
            content=content,
        )
        return sent(await self._api.post_file(path, body, file))

    async def edit(self, operation: SendText, external_id: str, key: str) -> SendResult:  # noqa: ARG002
        """Change a message; a bot may change its own for ever."""
        path = f"/channels/{_place(operation.address)}/messages/{quote(external_id, safe='')}"
        return sent(await self._api.ask("PATCH", path, payloads.changed(operation)))

    async def unsend(self, address: ChannelAddress, external_id: str, key: str) -> SendResult:  # noqa: ARG002
        """Delete a message."""
        answer = await self._api.ask("DELETE", f"/channels/{_place(address)}/messages/{quote(external_id, safe='')}")
        if isinstance(answer, Fields) or (isinstance(answer, Permanent) and answer.code == _GONE):
            return Sent(external_id=external_id)
        return answer

    async def show_typing(self, address: ChannelAddress) -> None:
        """Show "typing" for some ten seconds."""
        answer = await self._api.ask("POST", f"/channels/{_place(address)}/typing")
        if not isinstance(answer, Fields):
            log.debug("discord_typing_failed", account=self.account, reason=answer.reason)

    async def fetch(self, attachment: Attachment) -> bytes:
        """Return the file's bytes; its address works for a day."""
        return await self._downloads.get(attachment.reference)

    async def close(self) -> None:
        """Close all connections."""
        await self._downloads.close()
        await self._api.close()


class DiscordChannelsConnector(_DiscordConnector):
    """Answers in the channels of servers. What is written there comes in by the bot's other connector."""

    name: ClassVar = PUBLIC_CHANNEL

    @property
    def capabilities(self) -> Capabilities:
        """What is said where everybody reads along: no buttons, which anybody could press; answers name a message."""
        return Capabilities(
            text_max=TEXT_MAX,
            text_unit=TextUnit.UTF16,
            attachments=frozenset(AttachmentKind),
            attachment_max_bytes=_FILE_MAX_BYTES,
            is_send_idempotent=True,
            has_edits=True,
            has_quotes=True,
            is_public=True,
            has_reply_context=True,
            debounce=timedelta(),
        )


class DiscordConnector(_DiscordConnector):
    """Answers direct messages, and reads all that the gateway brings."""

    name: ClassVar = CHANNEL

    def __init__(
        self,
        settings: DiscordSettings,
        facilities: Facilities,
        api: DiscordApi,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(settings, facilities, api, sleep, clock)
        public = _GUILDS | _GUILD_MESSAGES | _GUILD_REACTIONS | _CONTENT if settings.channels else 0
        intents = _DIRECT_MESSAGES | _DIRECT_REACTIONS | public
        gateway = Gateway(shown(settings.token), intents, shown(settings.proxy_url) or None)
        past = Past(cursors=facilities.cursors, account=str(self.account))
        self._reader = Reader(self._mailbox, api, gateway, past)

    @property
    def is_polled(self) -> bool:
        """Always: we connect to the gateway."""
        return True

    async def poll(self, sink: Sink) -> None:
        """Read the gateway for ever; what is not committed comes again."""
        await self._reader.poll(sink, self.acknowledge, self._sleep)

    async def acknowledge(self, message: InboundMessage) -> None:
        """Tell Discord that a tap has arrived, once; only the process that reads the gateway can."""
        token = self._reader.known.taps.pop(message.external_id, None)
        if token is None:
            return
        path = f"/interactions/{message.external_id}/{quote(token, safe='')}/callback"
        try:
            async with asyncio.timeout(_ACKNOWLEDGES_WITHIN):
                answer = await self._api.ask("POST", path, {"type": _DEFERRED_UPDATE})
        except TimeoutError:
            return
        if not isinstance(answer, Fields):
            log.debug("discord_acknowledge_failed", account=self.account, reason=answer.reason)

    async def register(self) -> None:
        """See that nothing takes the taps away from the gateway; raises `SettingsError`."""
        answer = await self._api.ask("GET", "/applications/@me")
        if isinstance(answer, Fields):
            self._check_application(answer)
        elif isinstance(answer, Permanent):
            self._known(answer)

    async def check(self) -> str:
        """Return one line on the bot, what it may read, and how often it may connect."""
        try:
            me = self._known(await self._api.ask("GET", "/applications/@me"))
            self._check_application(me)
            limit = self._known(await self._api.ask("GET", "/gateway/bot")).object("session_start_limit")
            left = f"{limit.integer('remaining')} of {limit.integer('total')} connections left today"
            names = [await self._name_of(channel) for channel in self._settings.channels]
            name = me.text("name", "unnamed")
        except MalformedWebhookError as error:
            raise SettingsError(f"Discord answers something else than expected: {error}") from None
        where = ", ".join(["direct messages", *names])
        return f"{name} ({self.account}), {where}, {left}"

    def _check_application(self, me: Fields) -> None:
        if me.text("id", "") != self.account:
            raise SettingsError(
                f"the token is of application {me.text('id', '?')}, and application_id says {self.account}"
            )
        if me.text("interactions_endpoint_url", ""):
            raise SettingsError(
                "clear 'Interactions Endpoint URL' in the Developer Portal: taps go there and not to us"
            )
        flags = me.size("flags") or 0
        if self._settings.channels and not flags & _MAY_READ_CONTENT:
            raise SettingsError("switch on 'Message Content Intent' in the Developer Portal, under Bot")

    async def _name_of(self, channel: str) -> str:
        answer = await self._api.ask("GET", f"/channels/{channel}")
        if isinstance(answer, Permanent) and not answer.is_account:
            raise SettingsError(
                f"the bot cannot see channel {channel}: invite it to the server, and let it view the channel"
            )
        return f"#{self._known(answer).text('name', channel)}"

    def _known(self, answer: Fields | Failure) -> Fields:
        if isinstance(answer, Fields):
            return answer
        if isinstance(answer, Permanent):
            raise SettingsError(f"{answer.reason}: check token and application_id")
        raise SettingsError(f"Discord does not answer at {self._settings.base_url}: {answer.reason}; check the network")


def _place(address: ChannelAddress) -> str:
    """Return the channel or thread of an address."""
    return quote(address.external_id.partition(":")[0], safe="")
