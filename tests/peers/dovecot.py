"""Debian's mail server as a peer: real IMAP, with IDLE, in a folder of its own, for the length of a test run."""

from __future__ import annotations

import contextlib
import imaplib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.ports import free_port

PASSWORD = "secret-of-the-mailbox"
_READY_WITHIN = 20
_CONFIG = """
base_dir = {home}/run
log_path = {home}/log
protocols = imap
listen = 127.0.0.1
ssl = {ssl}
ssl_cert = <{home}/server.pem
ssl_key = <{home}/server.key
disable_plaintext_auth = no
default_internal_user = {user}
default_login_user = {user}
default_internal_group = {group}
first_valid_uid = 1
mail_location = maildir:{home}/mail/%u
auth_mechanisms = plain login xoauth2
# Else a refused password is answered after two seconds.
auth_failure_delay = 0
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={home}/mail/%u
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


@dataclass(frozen=True, kw_only=True)
class Dovecot:
    """A running server; every user name is a mailbox of its own, and `PASSWORD` opens it."""

    home: Path
    port: int
    tls_port: int
    #: what clients have to trust; none: there is no TLS
    ca_file: Path | None

    @contextmanager
    def client(self, user: str) -> Iterator[imaplib.IMAP4]:
        """Log in with the standard library's client, which is not ours."""
        with imaplib.IMAP4("127.0.0.1", self.port) as client:
            client.login(user, PASSWORD)
            yield client

    def deliver(self, user: str, mail: bytes, folder: str = "INBOX") -> None:
        """Put a mail into a mailbox, as a delivery does."""
        with self.client(user) as client:
            if folder != "INBOX":
                client.create(folder)
            answer, _ = client.append(folder, "", "", mail)
            assert answer == "OK"

    def renumber(self, user: str) -> None:
        """Declare all UIDs of a mailbox void, as a repair or a move to another server does."""
        mailbox = self.home / "mail" / user
        listed = mailbox / "dovecot-uidlist"
        head, _, rest = listed.read_text().partition("\n")
        void = re.sub(r"\bV(\d+)", lambda found: f"V{int(found.group(1)) + 1}", head)
        listed.write_text(f"{void}\n{rest}")
        for path in mailbox.glob("dovecot.index*"):
            path.unlink()


def _give_up(why: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


@contextmanager
def running() -> Iterator[Dovecot]:
    """Run a server until the block ends; without Debian's dovecot-imapd the test is skipped, and fails in CI."""
    program = shutil.which("dovecot") or shutil.which("dovecot", path="/usr/sbin")
    if program is None:
        _give_up("the mail tests need Dovecot: apt-get install dovecot-imapd")
    # Sockets have short names.
    home = Path(tempfile.mkdtemp(prefix="dovecot-"))
    server = None
    try:
        made = _prepare(home)
        server = subprocess.Popen([str(program), "-F", "-c", str(home / "dovecot.conf")], stderr=subprocess.DEVNULL)
        _wait_for(made.port, home)
        yield made
    finally:
        if server is not None:
            server.terminate()
            server.wait(10)
        shutil.rmtree(home, ignore_errors=True)


def _prepare(home: Path) -> Dovecot:
    user, group = ("nobody", "nogroup") if os.getuid() == 0 else (str(os.getuid()), str(os.getgid()))
    home.chmod(0o755)
    mail = home / "mail"
    mail.mkdir()
    if os.getuid() == 0:
        shutil.chown(mail, user, group)
    has_tls = certify(home)
    port, tls_port = free_port(), free_port()
    told = {"home": home, "user": user, "group": group, "port": port, "password": PASSWORD}
    config = _CONFIG.format(**told, ssl="yes" if has_tls else "no", tls_port=tls_port if has_tls else 0)
    (home / "dovecot.conf").write_text(config if has_tls else _without_tls(config))
    ca_file = home / "server.pem" if has_tls else None
    return Dovecot(home=home, port=port, tls_port=tls_port, ca_file=ca_file)


def _without_tls(config: str) -> str:
    return "\n".join(each for each in config.splitlines() if not each.startswith(("ssl_cert", "ssl_key")))


def certify(home: Path) -> bool:
    """Make a certificate for localhost (`server.pem`, `server.key`); returns whether that could be done."""
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(home / "server.key"), "-out", str(home / "server.pem")]
    if shutil.which("openssl") is None:
        return False
    return subprocess.run([*command, *files], capture_output=True, check=False).returncode == 0


def _wait_for(port: int, home: Path) -> None:
    until = time.monotonic() + _READY_WITHIN
    while time.monotonic() < until:
        with contextlib.suppress(OSError, imaplib.IMAP4.error):
            imaplib.IMAP4("127.0.0.1", port, timeout=2).logout()
            return
        time.sleep(0.05)
    log = home / "log"
    _give_up(f"Dovecot did not start: {log.read_text()[-500:] if log.exists() else 'it wrote no log'}")
