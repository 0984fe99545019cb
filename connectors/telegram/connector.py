"""Telegram, by its Bot API (https://core.telegram.org/bots/api).

Calls, their errors and limits are python-telegram-bot's. Its updater and its queues are not used: they tell Telegram
that an update arrived before anything durable knows of it.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, LinkPreviewOptions, Message, ReplyParameters
from telegram.constants import ChatAction, FileSizeLimit, InlineKeyboardMarkupLimit, MessageLimit
from telegram.error import Conflict, InvalidToken, TelegramError

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.connectors import (
    Ambiguous,
    Capabilities,
    Permanent,
    Refusal,
    Retry,
    SendAttachment,
    SendOperation,
    SendResult,
    SendText,
    Sent,
    Sink,
    TextUnit,
    WebhookRequest,
)
from bot.domain.errors import MalformedWebhookError, MediaError, SettingsError, WebhookRejectedError
from bot.domain.messages import (
    MALFORMED,
    Attachment,
    AttachmentKind,
    Choice,
    InboundEvent,
    InboundMessage,
    OutboundMessage,
)
from bot.domain.planning import plan, quoting
from bot.domain.ports import MediaStore
from connectors.downloads import attempt
from connectors.fields import Fields, load, storable
from connectors.telegram.api import BotApi, outcome
from connectors.telegram.updates import (
    ALLOWED_UPDATES,
    CHANNEL,
    callback_query_id,
    message_key,
    message_of,
    read_update,
    unsupported,
)

log = structlog.get_logger()

_SECRET_HEADER = "x-telegram-bot-api-secret-token"  # noqa: S105 - the name of a header
#: Types that Telegram shows as what they are → the call that does it; everything else goes as a document.
_CALLS = {
    "image/jpeg": "photo",
    "image/png": "photo",
    "image/gif": "animation",
    "audio/mpeg": "audio",
    "audio/mp4": "audio",
    "audio/ogg": "voice",
    "video/mp4": "video",
}


@dataclass(frozen=True, kw_only=True)
class TelegramAccount:
    """One bot account."""

    #: as @BotFather gave it: `123456:ABC…`
    token: str = field(repr=False)
    #: the whole public address of this account's webhook route; none: poll
    webhook_url: str | None = None
    #: what Telegram shows us with each webhook call
    webhook_secret: str = field(default="", repr=False)
    base_url: str = "https://api.telegram.org"
    #: HTTP proxy on the way to Telegram
    proxy_url: str | None = field(default=None, repr=False)
    #: what people find the bot by, without @; none: no link leads to it
    username: str | None = None
    #: that all its customers get together, so that Telegram need not ask for a pause; 0: as many as there are
    messages_per_second: int = 30
    #: how long one request for updates waits for the first
    poll_for: timedelta = timedelta(seconds=25)

    def __post_init__(self) -> None:
        """Refuse what Telegram would refuse."""
        if not re.fullmatch(r"\d+:[A-Za-z0-9_-]+", self.token, re.ASCII):
            raise SettingsError("the Telegram token must look like 123456:ABC-DEF; get it from @BotFather")
        if self.webhook_url is not None and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", self.webhook_secret):
            raise SettingsError("a Telegram webhook needs a secret of 1 to 256 letters, digits, _ and -")
        if self.username is not None and not re.fullmatch(r"[A-Za-z0-9_]{4,32}", self.username):
            raise SettingsError("telegram.username is the name that @BotFather asked for, without @: copperleaf_bot")

    @property
    def id(self) -> AccountId:
        """The bot's id, which is no secret."""
        return AccountId(self.token.partition(":")[0])


class TelegramConnector:
    """Speaks for one bot. `media` holds the files to send; `sleep` waits between attempts of its own."""

    def __init__(
        self,
        account: TelegramAccount,
        media: MediaStore,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._account = account
        self._media = media
        self._sleep = sleep
        base_url, proxy_url = account.base_url.rstrip("/"), account.proxy_url
        self._api = BotApi(account.token, base_url, proxy_url, account.messages_per_second)

    @property
    def channel(self) -> ChannelName:
        """The channel's name."""
        return CHANNEL

    @property
    def account(self) -> AccountId:
        """The bot's id."""
        return self._account.id

    def invitation_url(self, referral: str) -> str | None:
        """Return the link that starts a chat with the bot: https://core.telegram.org/bots/features#deep-linking."""
        return f"https://t.me/{self._account.username}?start={referral}" if self._account.username else None

    @property
    def capabilities(self) -> Capabilities:
        """What a bot can send."""
        return Capabilities(
            text_max=MessageLimit.MAX_TEXT_LENGTH,
            # Documented as characters and counted as UTF-16 units in places: this fits either way.
            text_unit=TextUnit.UTF16,
            choices_max=InlineKeyboardMarkupLimit.TOTAL_BUTTON_NUMBER,
            choice_title_max=64,
            attachments=frozenset(AttachmentKind),
            attachment_max_bytes=FileSizeLimit.FILESIZE_UPLOAD,
            has_edits=True,
            has_quotes=True,
        )

    def verify(self, request: WebhookRequest) -> None:
        """Return if the request shows our secret; without one configured, no request is Telegram's."""
        shown = request.headers.get(_SECRET_HEADER, "").encode("utf-8", "surrogatepass")
        secret = self._account.webhook_secret.encode()
        if not hmac.compare_digest(shown, secret) or not secret:
            raise WebhookRejectedError("the secret token of the webhook is missing or wrong")

    def parse(self, request: WebhookRequest) -> list[InboundEvent]:
        """Return the one event that a webhook call of Telegram's holds."""
        return [self._read(load(request.body))]

    def plan(self, message: OutboundMessage, address: ChannelAddress) -> tuple[SendOperation, ...] | Refusal:
        """Return the calls; a piece of nothing but white space, which Telegram refuses, is left out."""
        asked = quoting(message, lambda quote: "" if callback_query_id(quote.external_id) else quote.external_id)
        operations = plan(asked, address, self.capabilities)
        return tuple(each for each in operations if not isinstance(each, SendText) or each.text.strip())

    async def send(self, operation: SendOperation, key: str) -> SendResult:  # noqa: ARG002 - Telegram takes no key
        """Make one call."""
        content: bytes | str = ""
        if isinstance(operation, SendAttachment):
            try:
                attachment, content = await self._load(operation.attachment)
            except MediaError as error:
                return Permanent(reason=str(error))
            except Exception as error:  # noqa: BLE001 - whatever keeps the files: nothing has left yet
                return Retry(reason=f"the file cannot be read now ({type(error).__name__})")
        try:
            if isinstance(operation, SendAttachment):
                message = await self._send_file(operation.address.external_id, attachment, content)
            else:
                message = await self._send_text(operation)
        except TelegramError as error:
            return outcome(error)
        except Exception as error:  # noqa: BLE001 - an answer the library stumbles over is no proof of anything
            return Ambiguous(reason=f"Telegram's answer cannot be read ({type(error).__name__})")
        return Sent(external_id=message_key(operation.address.external_id, message.message_id))

    async def edit(self, operation: SendText, external_id: str, key: str) -> SendResult:  # noqa: ARG002
        """Change a text; a bot may change its own for ever (https://core.telegram.org/bots/api#editmessagetext)."""
        text, options = storable(operation.text), LinkPreviewOptions(is_disabled=True)
        chat_id, message_id = message_of(external_id)
        call = self._api.bot.edit_message_text(text, chat_id, message_id, link_preview_options=options)
        return await _change(call, external_id, "message is not modified")

    async def unsend(self, address: ChannelAddress, external_id: str, key: str) -> SendResult:  # noqa: ARG002
        """Delete a message, within 48 hours (https://core.telegram.org/bots/api#deletemessage)."""
        call = self._api.bot.delete_message(*message_of(external_id))
        return await _change(call, external_id, "message to delete not found")

    async def _send_text(self, operation: SendText) -> Message:
        answered = message_of(operation.quotes)[1] if operation.quotes else 0
        quoted = ReplyParameters(answered, allow_sending_without_reply=True) if answered else None
        return await self._api.bot.send_message(
            operation.address.external_id,
            storable(operation.text),
            reply_markup=keyboard(operation.choices) if operation.choices else None,
            link_preview_options=LinkPreviewOptions(is_disabled=True),
            reply_parameters=quoted,
        )

    async def _load(self, attachment: Attachment) -> tuple[Attachment, bytes | str]:
        """Return what to send: the stored file's bytes, or an address Telegram itself fetches it from."""
        if attachment.media_id is None:
            if attachment.reference.startswith(("https://", "http://")):
                return attachment, attachment.reference
            raise MediaError("there is no file to send")
        found = await self._media.get(attachment.media_id)
        if found is None:
            raise MediaError("the file is no longer kept")
        return found

    async def _send_file(self, chat_id: str, attachment: Attachment, content: bytes | str) -> Message:
        bot, name = self._api.bot, storable(attachment.name) or "file"
        call = _CALLS.get(attachment.media_type, "photo" if isinstance(content, str) else "document")
        if call == "photo" and len(content) > FileSizeLimit.PHOTOSIZE_UPLOAD:
            call = "document"
        match call:
            case "photo":
                return await bot.send_photo(chat_id, content, filename=name)
            case "animation":
                return await bot.send_animation(chat_id, content, filename=name)
            case "audio":
                return await bot.send_audio(chat_id, content, filename=name)
            case "voice":
                return await bot.send_voice(chat_id, content, filename=name)
            case "video":
                return await bot.send_video(chat_id, content, filename=name)
            case _:
                return await bot.send_document(chat_id, content, filename=name)

    async def show_typing(self, address: ChannelAddress) -> None:
        """Show "typing" for some five seconds."""
        try:
            await self._api.bot.send_chat_action(address.external_id, ChatAction.TYPING)
        except TelegramError as error:
            log.debug("telegram_typing_failed", account=self.account, reason=outcome(error).reason)

    async def acknowledge(self, message: InboundMessage) -> None:
        """End the little clock that the customer sees on a tapped button."""
        query_id = callback_query_id(message.external_id)
        if query_id is None:
            return
        try:
            await self._api.bot.answer_callback_query(query_id)
        except TelegramError as error:
            log.debug("telegram_acknowledge_failed", account=self.account, reason=outcome(error).reason)

    async def fetch(self, attachment: Attachment) -> bytes:
        """Return the file's bytes."""
        if (attachment.size or 0) > FileSizeLimit.FILESIZE_DOWNLOAD:
            raise MediaError("the file is larger than the 20 MB that Telegram lets bots fetch")
        limit = FileSizeLimit.FILESIZE_DOWNLOAD
        return await attempt(lambda: self._api.download(attachment.reference, limit), self._sleep)

    @property
    def is_polled(self) -> bool:
        """Whether no webhook is set."""
        return self._account.webhook_url is None

    async def poll(self, sink: Sink) -> None:
        """Fetch updates for ever; what is committed is confirmed with the next request, and never before.

        A request confirms the batch just committed and nothing else: an offset that outlived a quiet week, after which
        Telegram's numbers jump, could swallow updates. A webhook left over is removed first: Telegram refuses both.
        """
        offset, failure_count, is_alone = None, 0, False
        while True:
            try:
                if not is_alone:
                    is_alone = await self._api.bot.delete_webhook(drop_pending_updates=False)
                updates = await self._api.updates(offset, self._account.poll_for, ALLOWED_UPDATES)
                if updates:
                    await sink([self._read(update) for update in updates])
                offset = max((Fields(update).integer("update_id") for update in updates), default=-1) + 1 or None
                failure_count = 0
            except Exception as error:  # noqa: BLE001 - a poller that ends is a silent bot
                failure_count += 1
                await self._sleep(self._pause_after(error, failure_count))

    def _read(self, update: object) -> InboundEvent:
        """Return the event of an update; one we cannot read must not hold up what its customer writes behind it.

        Telegram would bring it for a day, and keep back all that follows. Raises `MalformedWebhookError` for no update.
        """
        try:
            return read_update(update, self.account)
        except MalformedWebhookError as error:
            update_id = Fields(update).integer("update_id")
            log.warning("telegram_update_unreadable", account=self.account, update_id=update_id, reason=str(error))
            return unsupported(update_id, MALFORMED, unread=Fields(update))

    def _pause_after(self, error: Exception, failure_count: int) -> float:
        """Log why a request failed and return for how many seconds to wait before the next."""
        pause, what = min(60.0, 0.5 * (1 << min(failure_count, 10))), "what came was not committed; it will come again"
        if isinstance(error, InvalidToken):
            pause, what = 300.0, "Telegram refuses the bot's token: get a new one from @BotFather and set it"
        elif isinstance(error, Conflict):
            pause, what = 60.0, "another process polls with this token, or a webhook is set: stop the other one"
        elif isinstance(error, TelegramError):
            failure = outcome(error)
            what = failure.reason
            if isinstance(failure, Retry) and failure.after is not None:
                pause = failure.after.total_seconds()
        log.warning("telegram_waits", account=self.account, error=type(error).__name__, reason=what, pause=pause)
        return pause

    async def register(self) -> None:
        """Set our webhook, or remove any when polling; what waits at Telegram is kept.

        An outage is waited out; raises `SettingsError` when Telegram refuses.
        """
        failure_count = 0
        while True:
            try:
                await self._register()
            except TelegramError as error:
                if isinstance(outcome(error), Permanent):
                    raise self._settings_error(error) from None
                failure_count += 1
                await self._sleep(self._pause_after(error, failure_count))
            else:
                return

    async def _register(self) -> None:
        if self._account.webhook_url is None:
            await self._api.bot.delete_webhook(drop_pending_updates=False)
            return
        await self._api.bot.set_webhook(
            self._account.webhook_url,
            secret_token=self._account.webhook_secret,
            allowed_updates=ALLOWED_UPDATES,
            drop_pending_updates=False,
        )

    async def check(self) -> str:
        """Return one line on the bot and how its updates reach us."""
        try:
            me = await self._api.bot.get_me()
            info = await self._api.bot.get_webhook_info()
        except TelegramError as error:
            raise self._settings_error(error) from None
        wanted = self._account.webhook_url or ""
        if info.url not in {wanted, ""}:
            raise SettingsError(
                f"Telegram gives this bot's updates to {info.url} instead of {wanted or 'us, who poll'}; "
                "stop whatever runs there, then start Tandem, which takes them over"
            )
        if info.last_error_message and info.pending_update_count:
            raise SettingsError(
                f"Telegram cannot deliver {info.pending_update_count} updates to {info.url}: {info.last_error_message}"
            )
        way = (
            f"webhook {info.url}" if info.url else "polling" if not wanted else "no webhook yet: the next start sets it"
        )
        return f"@{me.username} ({self.account}), {way}, {info.pending_update_count} updates waiting"

    def _settings_error(self, error: TelegramError) -> SettingsError:
        failure = outcome(error)
        if isinstance(failure, Permanent):
            return SettingsError(f"{failure.reason}: check token, webhook address and secret")
        return SettingsError(
            f"Telegram does not answer at {self._account.base_url}: {failure.reason}; check the network"
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._api.close()


async def _change(call: Awaitable[object], external_id: str, is_so_already: str) -> SendResult:
    """Make a call that changes what was sent; that it `is_so_already`, in Telegram's words, is what we want."""
    try:
        await call
    except TelegramError as error:
        return Sent(external_id=external_id) if is_so_already in error.message.lower() else outcome(error)
    except Exception as error:  # noqa: BLE001 - an answer the library stumbles over is no proof of anything
        return Ambiguous(reason=f"Telegram's answer cannot be read ({type(error).__name__})")
    return Sent(external_id=external_id)


def keyboard(choices: tuple[Choice, ...]) -> InlineKeyboardMarkup:
    """Return the buttons below a message, one a row so that long titles stay readable."""
    return InlineKeyboardMarkup([[InlineKeyboardButton(each.title, callback_data=each.payload)] for each in choices])
