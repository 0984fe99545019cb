"""Reads data sets (`split`, `label`, `text`, tab-separated) and makes tasks of them: what to train on, what to ask."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bot.engine.components.typos import with_typos

#: Labels of messages that are none of the bot's business.
OUT_OF_SCOPE = ("oos", "NO_NODES_DETECTED")
#: The share of intents that a near task leaves out, and how many intents a data set must have for one.
LEFT_OUT, LEAST_INTENTS = 0.35, 60
#: Share of letters mistyped in a noisy test.
NOISE = 0.05
#: Training data of this many messages is big: its test is asked a second time, with noise.
BIG = 12_000

Row = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Task:
    """One bot to train, and what it is asked."""

    name: str
    #: (text, intent)
    train: list[Row]
    #: (text, intent), the intent none where the message is out of scope
    test: list[tuple[str, str | None]]
    #: The same of the split on which choices may be made; empty where the data has none.
    chosen_on: list[tuple[str, str | None]]
    #: The test mistyped; empty where it is not asked.
    noisy: list[tuple[str, str | None]]


def read(file: Path) -> dict[str, list[Row]]:
    """Return (text, label) of each row by split.

    Raises:
        ValueError: the file is no table of that kind.
    """
    splits: dict[str, list[Row]] = defaultdict(list)
    with file.open(encoding="utf-8", newline="") as lines:
        table = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        if not {"split", "label", "text"} <= set(table.fieldnames or ()):
            raise ValueError(f"{file} must begin with a line that names split, label and text, separated by tabs.")
        for row in table:
            splits[row["split"]].append((" ".join(row["text"].split()), row["label"].replace("/", "_")))
    return splits


def tasks(folder: Path, names: list[str], seed: int) -> Iterator[Task]:
    """Yield the tasks of the data sets in a folder whose names contain one of `names`; all of them where it is empty.

    A data set with few-shot splits (`train_5`, `train_10`) is asked for those; one with many intents and nothing out of
    scope is asked a second time with a third of its intents left out, chosen by the seed.
    """
    for file in sorted(folder.glob("*.tsv")):
        if not names or any(name in file.stem for name in names):
            yield from _of(file.stem, read(file), seed)


def _of(name: str, splits: dict[str, list[Row]], seed: int) -> Iterator[Task]:
    test, chosen_on = splits.get("test", []), splits.get("val", splits.get("dev", []))
    few = [split for split in splits if re.fullmatch(r"train_\d+", split)]
    if not test or "train" not in splits:
        return
    for split in few:
        yield _task(f"{name} {split.removeprefix('train_')}-shot", splits[split], test, chosen_on)
    if few:
        return
    yield _task(name, splits["train"], test, chosen_on)
    intents = sorted({label for _, label in splits["train"]})
    if len(intents) >= LEAST_INTENTS and not any(label in OUT_OF_SCOPE for _, label in test):
        left = round(LEFT_OUT * len(intents))
        out = {intents[i] for i in np.random.default_rng(seed).permutation(len(intents))[:left]}
        train = [(text, label) for text, label in splits["train"] if label not in out]
        yield _task(f"{name} without {left} of {len(intents)} intents", train, test, chosen_on)


def _task(name: str, train: list[Row], test: list[Row], chosen_on: list[Row]) -> Task:
    known = [(text, label) for text, label in train if label not in OUT_OF_SCOPE]
    intents = {label for _, label in known}

    def asked(rows: list[Row]) -> list[tuple[str, str | None]]:
        return [(text, label if label in intents else None) for text, label in rows]

    in_scope = [(text, label) for text, label in test if label in intents]
    noisy = [(with_typos(text, NOISE, 1), label) for text, label in in_scope] if len(known) > BIG else []
    return Task(name=name, train=known, test=asked(test), chosen_on=asked(chosen_on), noisy=asked(noisy))
