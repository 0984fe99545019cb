"""A mailbox, as an operator writes it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, SecretStr

from bot.domain.connectors import Connector
from connectors.email.connector import EmailAccount, EmailConnector
from connectors.email.events import CHANNEL
from connectors.email.login import Grant, Login, Security, Server
from connectors.setup import ChannelSettings, Facilities, Words, shown


class EmailSettings(ChannelSettings):
    """One mailbox."""

    section: ClassVar = "email"
    titles: ClassVar = {CHANNEL: "E-mail"}
    needed: ClassVar = ("address", "imap_host", "smtp_host")

    #: where customers write to; none: no e-mail
    address: str = ""
    #: the brand, as the sender of our mails; none: the address alone
    name: str = ""
    #: of mails that answer none
    subject: str = "A message for you"
    #: other addresses whose mails come here too
    aliases: Words = ()
    imap_host: str = ""
    imap_port: int = Field(default=993, ge=1, le=65535)
    imap_security: Literal["tls", "starttls", "none"] = "tls"
    smtp_host: str = ""
    smtp_port: int = Field(default=465, ge=1, le=65535)
    smtp_security: Literal["tls", "starttls", "none"] = "tls"
    #: certificates of both servers' makers; none: the system's
    ca_file: Path | None = None
    #: as the servers know us; none: the address
    user: str = ""
    #: or `token`, or `token_url` and what belongs to it
    password: SecretStr | None = None
    #: for XOAUTH2; one that somebody else renews
    token: SecretStr | None = None
    #: where the provider hands out tokens, for `refresh_token`
    token_url: str = ""
    client_id: str = ""
    client_secret: SecretStr | None = None
    refresh_token: SecretStr | None = None
    #: which folder is read
    folder: str = "INBOX"
    #: where people's own answers are found; none: they are not looked for
    sent_folder: str = ""
    #: whether we put our mails there: Google and Microsoft do it themselves
    saves_sent: bool = False
    #: put to mails that we have taken in, as \Seen; none: they are left as they are
    flag: str = Field(default="", pattern=r"^(\\Seen|\\Flagged|\\Answered|[A-Za-z0-9$_-]*)$")
    #: by which name our mail server signs what it found out about senders; none: nobody is proved
    authserv_id: str = ""

    def connectors(self, facilities: Facilities) -> tuple[Connector, ...]:
        """Return the mailbox's connector."""
        account = EmailAccount(
            address=self.address.strip().lower(),
            name=self.name,
            subject=self.subject,
            aliases=frozenset(each.lower() for each in self.aliases),
            imap=self._server(self.imap_host, self.imap_port, self.imap_security),
            smtp=self._server(self.smtp_host, self.smtp_port, self.smtp_security),
            login=self._login(),
            folder=self.folder,
            sent_folder=self.sent_folder,
            saves_sent=self.saves_sent,
            flag=self.flag,
            authserv_id=self.authserv_id,
        )
        return (EmailConnector(account, facilities.media, facilities.cursors),)

    def _server(self, host: str, port: int, security: str) -> Server:
        return Server(host=host, port=port, security=Security(security), ca_file=self.ca_file)

    def _login(self) -> Login:
        grant = None
        if self.token_url or self.refresh_token:
            grant = Grant(
                token_url=self.token_url,
                client_id=self.client_id,
                client_secret=shown(self.client_secret),
                refresh_token=shown(self.refresh_token),
            )
        user = self.user or self.address.strip().lower()
        return Login(user, password=shown(self.password), token=shown(self.token), grant=grant)
