"""A mailbox that misbehaves on demand: as much of IMAP as a reader needs, and every way a server can fail it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

DATE = "23-Nov-2026 10:00:00 +0000"


@dataclass
class FakeMailbox:
    """One folder, and what goes wrong with it."""

    #: UID → mail
    mails: dict[int, bytes] = field(default_factory=dict)
    validity: int = 17
    can_idle: bool = False
    #: whether SELECT tells which UID comes next
    tells_next: bool = True
    #: UIDs that the server cannot hand out
    broken: set[int] = field(default_factory=set)
    #: command ("SELECT", "SEARCH", …) → how often the connection ends when it comes
    cuts: dict[str, int] = field(default_factory=dict)
    #: commands that are never answered
    hangs: set[str] = field(default_factory=set)
    #: come while a search is under way: announced behind its answer, and not again
    late: list[bytes] = field(default_factory=list)
    #: of every session, in order
    commands: list[str] = field(default_factory=list)
    flagged: dict[int, str] = field(default_factory=dict)
    port: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def deliver(self, mail: bytes) -> None:
        """Put a mail into the folder."""
        self.mails[max(self.mails, default=0) + 1] = mail
        self._news.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak with one client."""
        writer.write(b"* OK [CAPABILITY IMAP4rev1 UIDPLUS] ready\r\n")
        try:
            while line := await reader.readline():
                tag, _, command = line.decode("latin-1").strip().partition(" ")
                words = command.upper().split()
                name = words[1] if words[0] == "UID" else words[0]
                self.commands.append(name)
                if self.cuts.get(name, 0) > 0:
                    self.cuts[name] -= 1
                    break
                if name in self.hangs:
                    continue
                if name == "IDLE":
                    await self._idle(tag, reader, writer)
                    continue
                untagged, end = self._answer(name, command)
                writer.write(b"".join(each + b"\r\n" for each in untagged) + f"{tag} {end} it is\r\n".encode())
                await writer.drain()
        finally:
            writer.close()

    async def _idle(self, tag: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._news.clear()
        writer.write(b"+ idling\r\n")
        done = asyncio.create_task(reader.readline())
        news = asyncio.create_task(self._news.wait())
        try:
            await asyncio.wait({done, news}, return_when=asyncio.FIRST_COMPLETED)
            writer.write(f"* {len(self.mails)} EXISTS\r\n".encode())
            await done
            writer.write(f"{tag} OK done\r\n".encode())
        finally:
            news.cancel()
            done.cancel()

    def _answer(self, name: str, command: str) -> tuple[list[bytes], str]:
        if name == "FETCH":
            return self._fetch(command)
        if name == "STORE":
            self.flagged |= dict.fromkeys(self._uids(command), command)
        if name in {"SELECT", "EXAMINE"}:
            told = [f"* {len(self.mails)} EXISTS", f"* OK [UIDVALIDITY {self.validity}] valid"]
            told += [f"* OK [UIDNEXT {self._next}] next"] if self.tells_next else []
            return [each.encode() for each in told], f"OK [READ-{'ONLY' if name == 'EXAMINE' else 'WRITE'}]"
        said = {
            "CAPABILITY": b"* CAPABILITY IMAP4rev1" + (b" IDLE" if self.can_idle else b""),
            "STATUS": f'* STATUS "INBOX" (UIDNEXT {self._next})'.encode(),
            "SEARCH": self._search(command),
        }
        untagged = [said[name]] if name in said else []
        if name == "SEARCH" and self.late:
            self.mails[self._next] = self.late.pop(0)
            untagged.append(f"* {len(self.mails)} EXISTS".encode())
        return untagged, "OK"

    @property
    def _next(self) -> int:
        return max(self.mails, default=0) + 1

    def _search(self, command: str) -> bytes:
        found = re.search(r"UID (\d+):\*", command.partition("SEARCH")[2])
        first = int(found.group(1)) if found else 1
        uids = [uid for uid in self.mails if uid >= first] or [*self.mails][-1:]
        return " ".join(["* SEARCH", *map(str, uids)]).encode()

    def _uids(self, command: str) -> list[int]:
        asked = command.split()[2]
        uids: set[int] = set()
        for each in asked.split(","):
            first, _, last = each.partition(":")
            uids.update(range(int(first), int(last or first) + 1))
        return [uid for uid in self.mails if uid in uids]

    def _fetch(self, command: str) -> tuple[list[bytes], str]:
        uids = self._uids(command)
        if "BODY" not in command:
            sizes = [f"* {uid} FETCH (UID {uid} RFC822.SIZE {len(self.mails[uid])}" for uid in uids]
            return [f'{each} INTERNALDATE "{DATE}")'.encode() for each in sizes], "OK"
        if self.broken & set(uids):
            return [], "NO the mail is damaged"
        told = []
        for uid in uids:
            mail = self.mails[uid]
            told.append(f"* {uid} FETCH (UID {uid} BODY[]<0> {{{len(mail)}}}\r\n".encode() + mail + b")")
        return told, "OK"


@asynccontextmanager
async def running(mailbox: FakeMailbox) -> AsyncIterator[FakeMailbox]:
    """Serve a mailbox on a loopback port while the block lasts."""
    server = await asyncio.start_server(mailbox.serve, "127.0.0.1", 0)
    mailbox.port = server.sockets[0].getsockname()[1]
    try:
        yield mailbox
    finally:
        server.close()
        for _ in range(5):
            await asyncio.sleep(0)
