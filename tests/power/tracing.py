"""What a program did to its files, read from what strace wrote down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

_WRITING = "write,pwrite64,writev,pwritev,ftruncate,fsync,fdatasync"
_NAMING = "openat,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat"
#: Records what can change a file or a folder, with all bytes; times are those of `time.time`.
STRACE = (
    *("strace", "-f", "--seccomp-bpf", "-q", "-qq", "-ttt", "-T", "-y", "-xx", "-s", "100000000", "-e", "signal=none"),
    "-e",
    f"trace={_WRITING},{_NAMING}",
)

_LINE = re.compile(r"(\d+) +([\d.]+) (.*)")
_CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+)\S*(?: .*)?<([\d.]+)>$", re.DOTALL)
_UNFINISHED, _RESUMED = " <unfinished ...>", re.compile(r"<\.\.\. \w+ resumed>(.*)", re.DOTALL)
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_FD = re.compile(r"^\d+<((?:\\x[0-9a-f]{2})*)>")
_NUMBER = re.compile(r", (\d+)")


@dataclass(frozen=True, kw_only=True)
class Op:
    """One call that changes what a disk holds, or makes it safe there."""

    #: write, size, sync, create, mkdir, unlink, rename
    kind: str
    path: Path
    #: when it began and ended, in seconds of `time.time`
    began: float
    ended: float
    data: bytes = b""
    #: where the data goes; none: at the file's end
    offset: int | None = None
    #: of `size`
    size: int = 0
    #: of `rename`
    target: Path | None = None

    @property
    def at(self) -> float:
        """When it counts: what makes safe has done so at its end, what changes may have from its beginning."""
        return self.ended if self.kind == "sync" else self.began


def read_trace(trace: Path, below: Path) -> list[Op]:
    """Return what was done to the files below a folder, in the order in which it counts."""
    found = [op for began, text in _calls(trace) if (op := _parse(began, text)) and op.path.is_relative_to(below)]
    return sorted(found, key=lambda op: op.at)


def _calls(trace: Path) -> Iterator[tuple[float, str]]:
    """Yield each call that ended, with when it began; of one that others came between, the parts are put together."""
    begun: dict[str, tuple[float, str]] = {}
    with trace.open(encoding="ascii", errors="replace") as lines:
        for line in lines:
            parts = _LINE.match(line.rstrip("\n"))
            if parts is None:
                continue
            process, at, text = parts.group(1), float(parts.group(2)), parts.group(3)
            if text.endswith(_UNFINISHED):
                begun[process] = (at, text.removesuffix(_UNFINISHED))
            elif resumed := _RESUMED.match(text):
                if process in begun:
                    started, head = begun.pop(process)
                    yield started, head + resumed.group(1)
            else:
                yield at, text


def _parse(began: float, text: str) -> Op | None:
    """Return what a call did; none when it failed, or did nothing to a file."""
    call = _CALL.match(text)
    if call is None or int(call.group(3)) < 0:
        return None
    name, given, ended = call.group(1), call.group(2), began + float(call.group(4))
    texts = [_bytes(each) for each in _TEXT.findall(given)]
    handle = _FD.match(given)
    if handle is not None:
        op = Op(kind=_BY_HANDLE.get(name, ""), path=Path(_bytes(handle.group(1)).decode()), began=began, ended=ended)
        return _to_handle(op, name, given, texts[0][: int(call.group(3))] if texts else b"")
    if name == "openat" and "O_CREAT" not in given:
        return None
    paths = [Path(each.decode()) for each in texts]
    target = paths[1] if len(paths) > 1 else None
    return Op(kind=_BY_NAME[name], path=paths[0], began=began, ended=ended, target=target) if paths else None


#: What a call does to a file that is open, and to one by its name.
_BY_HANDLE = {"write": "write", "pwrite64": "write", "fsync": "sync", "fdatasync": "sync", "ftruncate": "size"}
_BY_NAME = {
    "openat": "create",
    **dict.fromkeys(("mkdir", "mkdirat"), "mkdir"),
    **dict.fromkeys(("unlink", "unlinkat"), "unlink"),
    **dict.fromkeys(("rename", "renameat", "renameat2"), "rename"),
}


def _to_handle(op: Op, name: str, given: str, data: bytes) -> Op | None:
    match op.kind:
        case "write":
            numbers = _NUMBER.findall(given[given.rindex('"') :]) if data else []
            offset = int(numbers[1]) if name == "pwrite64" else None
            return replace(op, data=data, offset=offset) if data else None
        case "size":
            return replace(op, size=int(_NUMBER.findall(given)[-1]))
        case "sync":
            return op
        case _ if op.path.is_file():
            raise ValueError(f"{name} of {op.path} is not understood here")
        case _:
            return None


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))
