"""A disk that loses its power: what it may hold then of what was written, by what had been made safe."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tests.power.tracing import Op

#: A disk writes whole sectors: what is torn is torn between two.
SECTOR = 512


class Fate(StrEnum):
    """What becomes of what was not safe yet."""

    LOST = "lost"
    KEPT = "kept"
    #: each write by itself is kept, lost or torn, whatever its place in the order
    MIXED = "mixed"
    #: all is kept but the last write of each file, which is torn
    TORN = "torn"


@dataclass
class _File:
    """The bytes of a file: those that are safe, and what was done since."""

    safe: bytearray = field(default_factory=bytearray)
    pending: list[Op] = field(default_factory=list)
    #: its size as programs see it
    size: int = 0


class Disk:
    """Takes operations in, and says what may be left of them."""

    def __init__(self) -> None:
        """Begin empty."""
        self._files: dict[Path, _File] = {}
        self._folders: set[Path] = set()
        #: names that are safe, and what happened to names since, in order: a journal keeps a beginning of that
        self._safe_names: dict[Path, _File] = {}
        self._names_since: list[tuple[Path, _File | None, Path | None, _File | None]] = []

    def take(self, op: Op) -> None:
        """Do what was done."""
        match op.kind:
            case "create" if op.path not in self._files:
                self._name(op.path, _File())
            case "mkdir":
                self._folders.add(op.path)
                self._name(op.path, _File())
            case "write" | "size":
                self._change(op)
            case "sync":
                self._sync(op)
            case "unlink" if op.path in self._files:
                del self._files[op.path]
                self._names_since.append((op.path, None, None, None))
            case "rename" if op.path in self._files and op.target is not None:
                file = self._files.pop(op.path)
                self._files[op.target] = file
                self._names_since.append((op.path, None, op.target, file))

    def image(self, fate: Fate, dice: random.Random) -> dict[Path, bytes]:
        """Return the files as they may be found after the power was cut now."""
        names = dict(self._safe_names)
        count = len(self._names_since)
        kept = {Fate.LOST: 0, Fate.KEPT: count, Fate.TORN: count}.get(fate, dice.randint(0, count))
        for change in self._names_since[:kept]:
            _rename(names, change)
        return {path: self._bytes(file, fate, dice) for path, file in names.items() if self._is_found(path, names)}

    def _is_found(self, path: Path, names: Collection[Path]) -> bool:
        """Whether it is a file whose folders are there."""
        return path not in self._folders and all(folder in names for folder in self._folders.intersection(path.parents))

    def _name(self, path: Path, file: _File) -> None:
        self._files[path] = file
        self._names_since.append((path, file, None, None))

    def _change(self, op: Op) -> None:
        file = self._files.get(op.path)
        if file is None:
            # Opened under a name that it lost since, or never noted: no part of what is looked at.
            return
        offset = file.size if op.offset is None and op.kind == "write" else op.offset
        file.size = op.size if op.kind == "size" else max(file.size, (offset or 0) + len(op.data))
        file.pending.append(
            Op(
                kind=op.kind,
                path=op.path,
                began=op.began,
                ended=op.ended,
                data=op.data,
                offset=offset,
                size=op.size,
            )
        )

    def _sync(self, op: Op) -> None:
        file = self._files.get(op.path)
        if file is None or op.path in self._folders:
            self._sync_folder(op.path)
            return
        # What had not ended when the call began, it need not have taken along.
        _apply(file.safe, (each for each in file.pending if each.ended <= op.began))
        file.pending = [each for each in file.pending if each.ended > op.began]

    def _sync_folder(self, folder: Path) -> None:
        rest = []
        for change in self._names_since:
            if change[0].parent == folder and (change[2] is None or change[2].parent == folder):
                _rename(self._safe_names, change)
            else:
                rest.append(change)
        self._names_since = rest

    @staticmethod
    def _bytes(file: _File, fate: Fate, dice: random.Random) -> bytes:
        made = bytearray(file.safe)
        if fate is Fate.KEPT:
            _apply(made, file.pending)
        elif fate is Fate.TORN:
            _apply(made, file.pending[:-1])
            _apply(made, [_torn(each, dice) for each in file.pending[-1:]])
        elif fate is Fate.MIXED:
            for each in file.pending:
                chance = dice.random()
                if chance < 0.4:
                    _apply(made, [each])
                elif chance < 0.6:
                    _apply(made, [_torn(each, dice)])
        return bytes(made)


def _rename(names: dict[Path, _File], change: tuple[Path, _File | None, Path | None, _File | None]) -> None:
    path, file, target, moved = change
    if file is not None:
        names[path] = file
    else:
        names.pop(path, None)
    if target is not None and moved is not None:
        names[target] = moved


def _torn(op: Op, dice: random.Random) -> Op:
    if op.kind != "write":
        return op
    kept = dice.randint(0, len(op.data) // SECTOR) * SECTOR
    return Op(kind="write", path=op.path, began=op.began, ended=op.ended, data=op.data[:kept], offset=op.offset)


def _apply(content: bytearray, ops: Iterable[Op]) -> None:
    for op in ops:
        if op.kind == "size":
            del content[op.size :]
            content.extend(bytes(op.size - len(content)))
            continue
        offset = op.offset or 0
        content.extend(bytes(max(0, offset - len(content))))
        content[offset : offset + len(op.data)] = op.data
