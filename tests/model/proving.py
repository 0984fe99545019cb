"""Runs spin over a model: every state that the settings allow is looked at, or the way to a wrong one is told."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from bot.domain.boxes import Box, Move, RowState, Step

MODEL = Path(__file__).with_name("boxes.pml")
#: Megabytes that a search may take.
_MEMORY_MAX = 3_000
_MOVE = re.compile(r"MOVE\((inbox|outbox)\[\w+\], (\w+), (\w+), (\w+)\)")
#: Where a state is written, in the verifier that spin makes, and in its list of what was never run.
_WRITTEN = re.compile(r"// STATE \d+ - \S+\.pml:(\d+) - \[\w+\[\w+\]\.state = ")
_UNREACHED = re.compile(r"^\t\S+\.pml:(\d+), state \d+, \"\w+\[\w+\]\.state = ", re.MULTILINE)

#: What is proved, by its name: each with its own part of the world, so that each is done in seconds.
RIGHT = {
    "keyed, a crash": "KEYED=1 LAPSES=0 CLAIMS",
    "no key, a crash": "KEYED=0 LAPSES=0 CLAIMS",
    "no key, a lapse, a claim unheard of": "KEYED=0 CRASHES=0 CLAIMS UNHEARD",
    "poison first": "KEYED=0 LAPSES=0 POISON=0",
    "poison second": "KEYED=1 CRASHES=0 LAPSES=0 POISON=1 CLAIMS",
    "poisonous answer": "KEYED=1 CRASHES=0 LAPSES=0 POISON_OUT=0 CLAIMS",
    "the desk, restored": "KEYED=1 CRASHES=0 LAPSES=0 DESK RESTORE",
    "restored": "KEYED=0 CRASHES=0 LAPSES=0 RESTORE",
    "reports, restored": "KEYED=0 CRASHES=0 LAPSES=0 RESTORE REPORTS DECIDES",
    "agents' own, taken back": "KEYED=0 CRASHES=0 LAPSES=0 AGENTS CLAIMS TAKES_BACK",
    "unreadable, decided about": "KEYED=0 CRASHES=0 LAPSES=0 UNREADABLE DECIDES",
}
#: The same with more going wrong at once; minutes.
LONG = {
    "restored, then decided about": "KEYED=0 CRASHES=0 LAPSES=0 RESTORE DECIDES",
    "keyed, a lapse": "KEYED=1 CRASHES=0 CLAIMS",
    "keyed, a crash and a lapse": "KEYED=1 CLAIMS",
    "no key, a crash and a lapse": "KEYED=0 CLAIMS",
    "no key, two crashes": "KEYED=0 CRASHES=2 LAPSES=0",
    "no key, two lapses": "KEYED=0 CRASHES=0 LAPSES=2",
    "the desk, killed and restored": "KEYED=1 LAPSES=0 DESK RESTORE",
}
_DOUBLED, _BACK = "shown[n]==0", "outbox[n].state!="
_LOST = "acceptance cycle"
#: Wrong models, each with what has to be found in it.
WRONG = {
    "a lease without fencing": ("KEYED=1 CRASHES=0 NO_FENCE", _BACK),
    "acknowledged before the commit": ("KEYED=1 LAPSES=0 ACKNOWLEDGE_FIRST", _LOST),
    "an ambiguous send is made again": ("KEYED=0 CRASHES=0 LAPSES=0 BLIND_RETRY", _DOUBLED),
    "a call that is not noted first": ("KEYED=0 LAPSES=0 NO_INTENT", _DOUBLED),
    "no key for what comes in": ("KEYED=0 CRASHES=0 LAPSES=0 NO_UNIQUE", _DOUBLED),
    "no epoch": ("KEYED=1 CRASHES=0 LAPSES=0 CLAIMS NO_EPOCH", "is_owned"),
    "no lanes": ("KEYED=1 CRASHES=0 LAPSES=0 NO_LANE", "1-"),
    "nobody takes rows from the dead": ("KEYED=0 LAPSES=0 NO_RELEASE", _LOST),
    "crashes are not counted": ("KEYED=0 LAPSES=0 POISON=0 NO_CRASH_COUNT", _LOST),
    "giving up tells nobody": ("KEYED=0 CRASHES=0 LAPSES=0 SILENT", _LOST),
    "a restore that settles nothing": ("KEYED=0 CRASHES=0 LAPSES=0 RESTORE NO_SETTLING", _DOUBLED),
    "a late refusal is taken for certain": ("KEYED=1 CRASHES=0 LAPSES=0 REFUSAL_IS_CERTAIN", "chosen"),
}


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What a search came to."""

    #: states that were looked at
    state_count: int
    #: whether there are no others
    is_whole: bool
    #: what is wrong, in spin's words; none: nothing
    error: str | None
    #: lines of the model on which a row was given a state
    lines: frozenset[int]


def prove(settings: str, folder: Path, seconds: float, optimised: int = 1) -> Proof:
    """Search the model as `settings` make it ("NAME NAME=VALUE …") in `folder`; raises on what spin cannot read.

    What is optimised searches faster, and takes a second more to compile.
    """
    folder.mkdir(parents=True, exist_ok=True)
    defined = [f"-D{each}" for each in settings.split()]
    _run(["spin", "-a", "-o3", *defined, str(MODEL)], folder)
    _run(
        [
            "gcc",
            f"-O{optimised}",
            "-w",
            "-DVECTORSZ=2048",
            "-DCOLLAPSE",
            f"-DMEMLIM={_MEMORY_MAX}",
            "-o",
            "pan",
            "pan.c",
        ],
        folder,
    )
    said = subprocess.run(
        ["./pan", "-a", "-m100000", "-w23"], cwd=folder, capture_output=True, text=True, check=False, timeout=seconds
    ).stdout
    written = Counter(_WRITTEN.findall((folder / "pan.m").read_text(encoding="utf-8")))
    error = re.search(r"^pan:1: (.*)", said, re.MULTILINE)
    states = re.search(r"(\S+) states, stored", said)
    return Proof(
        state_count=int(float(states.group(1))) if states else 0,
        is_whole="errors: 0" in said and "Search not completed" not in said and "depth too small" not in said,
        error=error.group(1) if error else None,
        lines=frozenset(map(int, written - Counter(_UNREACHED.findall(said)))),
    )


def modelled() -> dict[Box, dict[Move, set[Step]]]:
    """Return every step that the model makes, as the table of `bot.domain.boxes` has them."""
    found: dict[Box, dict[Move, set[Step]]] = {box: {} for box in Box}
    for box, move, of, to in _MOVE.findall(MODEL.read_text(encoding="utf-8")):
        step = (None if of == "NONE" else RowState[of], None if to == "NONE" else RowState[to])
        found[Box(box)].setdefault(Move(move), set()).add(step)
    return found


def lines_of_moves() -> dict[int, str]:
    """Return the lines of the model on which a row makes a step."""
    lines = MODEL.read_text(encoding="utf-8").splitlines()
    return {n: line.strip() for n, line in enumerate(lines, 1) if _MOVE.search(line)}


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode or "rror:" in done.stdout:
        raise RuntimeError(f"{command[0]} failed: {done.stdout}{done.stderr}")
    return done.stdout
