"""E-mail: one mailbox, read over IMAP and answered over SMTP.

A conversation is held with one sender. Nobody is believed to be who their From line names: mails that our own server
could not prove to be their sender's are in a conversation of their own (`connectors.email.senders`). Machines are never
answered; what they write stays in the mailbox.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import structlog
from imapclient.exceptions import IMAPClientError

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.connectors import (
    Capabilities,
    Permanent,
    Refusal,
    Retry,
    SendAttachment,
    SendOperation,
    SendResult,
    Sent,
    Sink,
    WebhookRequest,
)
from bot.domain.errors import MediaError, SettingsError
from bot.domain.messages import Attachment, AttachmentKind, InboundEvent, OutboundMessage
from bot.domain.planning import plan
from bot.domain.ports import Cursors, MediaStore
from connectors.email.compose import Letterhead, compose
from connectors.email.events import CHANNEL, Ourselves, content_of, load_batch, read_placed
from connectors.email.imap import Mailbox, plain_words
from connectors.email.login import Login, Server, TokenError
from connectors.email.names import message_id_of
from connectors.email.poll import Place, PollParts, Reader
from connectors.email.senders import mailbox_of, normal_address
from connectors.email.smtp import Postman
from connectors.uncalled import Uncalled

log = structlog.get_logger()

_TEXT_MAX = 20_000
#: In a mail a file grows by a third, and many servers take 25 MB.
_FILE_MAX = 15_000_000


@dataclass(frozen=True, kw_only=True)
class EmailAccount:
    """One mailbox of the brand's."""

    #: where customers write to, and what our mails come from
    address: str
    imap: Server
    smtp: Server
    login: Login = field(repr=False)
    #: the brand, as the sender of our mails
    name: str = ""
    #: of mails that answer none
    subject: str = "A message for you"
    #: other addresses whose mails come here too
    aliases: frozenset[str] = frozenset()
    #: the folder that is read
    folder: str = "INBOX"
    #: where what people sent themselves is found; empty: nobody does
    sent_folder: str = ""
    #: whether we put our own mails there: some servers do it themselves
    saves_sent: bool = False
    #: put to mails that we have taken in: `\Seen`, or a word; empty: they are left as they are
    flag: str = ""
    #: by which name our mail server signs what it found out about senders; empty: it does not
    authserv_id: str = ""
    #: how often is looked for mail where the server does not tell of it, and into the sent folder
    looks_every: timedelta = timedelta(seconds=20)

    def __post_init__(self) -> None:
        """Refuse what cannot be an account."""
        if normal_address(self.address) != self.address:
            raise SettingsError(f"email.address must be one mail address in small letters, not {self.address!r}")
        if self.saves_sent and not self.sent_folder:
            raise SettingsError("email.saves_sent needs email.sent_folder: the folder's name")

    @property
    def id(self) -> AccountId:
        """The address itself."""
        return AccountId(self.address)

    @property
    def ourselves(self) -> Ourselves:
        """Who we are, to whoever reads mails."""
        return Ourselves(addresses=self.aliases | {self.address}, account=self.id, authserv_id=self.authserv_id)


class EmailConnector(Uncalled):
    """Speaks for one mailbox. `media` holds the files to send; `cursors` up to where was read."""

    def __init__(
        self,
        account: EmailAccount,
        media: MediaStore,
        cursors: Cursors,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._account = account
        self._media = media
        self._head = Letterhead(address=account.address, name=account.name, subject=account.subject)
        self._mailbox = Mailbox(account.imap, account.login)
        self._postman = Postman(account.smtp, account.login, account.address)
        sent = (Place(name=account.sent_folder, is_sent=True),) if account.sent_folder else ()
        parts = PollParts(
            mailbox=self._mailbox,
            server=account.imap,
            us=account.ourselves,
            places=(*sent, Place(name=account.folder, is_sent=False, flag=account.flag)),
            cursors=cursors,
            sleep=sleep,
            looks_every=account.looks_every,
        )
        self._reader = Reader(parts)

    @property
    def channel(self) -> ChannelName:
        """The channel's name."""
        return CHANNEL

    @property
    def account(self) -> AccountId:
        """The mail address."""
        return self._account.id

    @property
    def capabilities(self) -> Capabilities:
        """What a mail can carry.

        Many servers drop a second mail of the same `Message-ID`, but none has to: a repeat may be seen twice.
        """
        return Capabilities(
            text_max=_TEXT_MAX,
            attachments=frozenset(AttachmentKind),
            attachment_max_bytes=_FILE_MAX,
            is_send_idempotent=False,
            has_reply_context=True,
            debounce=timedelta(),
        )

    def parse(self, request: WebhookRequest) -> list[InboundEvent]:
        """Return what a batch of mails means, written as `load_batch` reads it."""
        return [read_placed(each, self._account.ourselves) for each in load_batch(request.body)]

    def plan(self, message: OutboundMessage, address: ChannelAddress) -> tuple[SendOperation, ...] | Refusal:
        """Return the mails: one for each file, then the text."""
        if not mailbox_of(address.external_id).isascii():
            return Refusal(reason="mails to addresses with other than Latin letters cannot be sent")
        return plan(message, address, self.capabilities)

    async def send(self, operation: SendOperation, key: str) -> SendResult:
        """Send one mail."""
        content = b""
        if isinstance(operation, SendAttachment):
            try:
                operation, content = await self._load(operation)
            except MediaError as error:
                return Permanent(reason=str(error))
            except Exception as error:  # noqa: BLE001 - whatever keeps the files: nothing has left yet
                return Retry(reason=f"the file cannot be read now ({type(error).__name__})")
        now = datetime.now(UTC)
        mail = compose(operation, key, self._head, now, content)
        recipient, external_id = mailbox_of(operation.address.external_id), message_id_of(key, self._head.domain)
        result = await self._postman.send(recipient, mail, external_id)
        if isinstance(result, Sent) and self._account.saves_sent:
            await self._save(mail, now)
        return result

    async def _load(self, operation: SendAttachment) -> tuple[SendAttachment, bytes]:
        if operation.attachment.media_id is None:
            raise MediaError("there is no file to send")
        found = await self._media.get(operation.attachment.media_id)
        if found is None:
            raise MediaError("the file is no longer kept")
        attachment, content = found
        return replace(operation, attachment=attachment), content

    async def _save(self, mail: bytes, now: datetime) -> None:
        """Put a copy among what was sent; the mail has gone out, whatever becomes of it."""
        try:
            async with self._mailbox.session() as session:
                await session.append(self._account.sent_folder, mail, now)
        except Exception as error:  # noqa: BLE001 - a copy is a convenience
            log.warning("email_copy_failed", account=self.account, reason=plain_words(error, self._account.imap))

    async def fetch(self, attachment: Attachment) -> bytes:
        """Return a file out of a mail in the mailbox."""
        place, _, rest = attachment.reference.partition(":")
        validity, _, rest = rest.partition(":")
        uid, _, what = rest.partition(":")
        folder = {"inbox": self._account.folder, "sent": self._account.sent_folder}.get(place)
        if not folder or not validity.isascii() or not validity.isdecimal() or not uid.isascii() or not uid.isdecimal():
            raise MediaError("the file cannot be found in the mailbox")
        try:
            async with self._mailbox.session() as session:
                opened = await session.select(folder)
                mails = await session.mails([int(uid)]) if opened.validity == int(validity) else {}
                content = await session.run(content_of, mails[int(uid)], what) if int(uid) in mails else None
        except (IMAPClientError, OSError, TokenError) as error:
            reason = plain_words(error, self._account.imap)
            raise MediaError(f"the file cannot be fetched from the mailbox now: {reason}") from None
        if content is None:
            raise MediaError("the mail is no longer where it was in the mailbox")
        return content

    @property
    def is_polled(self) -> bool:
        """Always: mail servers call nobody."""
        return True

    async def poll(self, sink: Sink) -> None:
        """Fetch mails for ever."""
        await self._reader.poll(sink)

    async def check(self) -> str:
        """Return one line on the mailbox and on the way out of it."""
        account = self._account
        try:
            async with self._mailbox.session() as session:
                known = {"INBOX", *await session.folders()}
                missing = [name for name in (account.folder, account.sent_folder) if name and name not in known]
                if missing:
                    raise SettingsError(f"{account.imap.host} has no folder {' and no folder '.join(missing)}")
                opened = await session.select(account.folder)
                way = "at once" if await session.can_idle() else f"every {account.looks_every.seconds} s"
        except (IMAPClientError, OSError, TokenError) as error:
            raise SettingsError(f"mail cannot be read: {plain_words(error, account.imap)}") from None
        if reason := await self._postman.check():
            raise SettingsError(f"mail cannot be sent over {account.smtp.host}:{account.smtp.port}: {reason}")
        trust = f"{account.authserv_id} proves" if account.authserv_id else "nobody proves (email.authserv_id)"
        return (
            f"{self.account}, {account.folder} ({opened.count} mails) is read {way}, {account.smtp.host} lets us send, "
            f"{trust} who writes"
        )

    async def close(self) -> None:
        """Close the connection to where tokens come from; others end with what they are for."""
        await self._account.login.close()
