"""Reads the articles that a brand writes: a folder of Markdown files, each split by its headings into passages."""

from __future__ import annotations

import hashlib
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

#: Characters of one passage at most: it is said as one message.
MOST = 300

_FRONT = re.compile(r"\A---\n(?P<fields>.*?)\n---\n", re.DOTALL)
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+(?=\S)")


class ArticleError(Exception):
    """An article cannot be read; the message names the file and says what to do."""


@dataclass(frozen=True, kw_only=True)
class Passage:
    """A part of an article that is answered as a whole."""

    #: the article's first heading
    title: str
    #: the heading right above it; the title, where there is no other
    heading: str
    #: what is said, without the marks of Markdown; at most `MOST` characters
    text: str
    #: where the article can be read; empty where it cannot
    link: str
    #: the language the article is written in: the name of the folder it stands in, or empty
    language: str = ""

    @property
    def article(self) -> tuple[str, str]:
        """What tells its article from others."""
        return self.language, self.title

    @property
    def sentences(self) -> list[str]:
        """Its text in parts that each say one thing: lines and sentences."""
        lines = (line.removeprefix("• ") for line in self.text.split("\n"))
        return [sentence for line in lines for sentence in _SENTENCE_END.split(line) if sentence]


def read_articles(folder: Path) -> list[Passage]:
    """Return the passages of all articles: `*.md` in the folder, and in folders in it that are named by a language.

    There is nothing where there is no folder.

    Raises:
        ArticleError: a file has no title, or two have the same one.
    """
    passages: list[Passage] = []
    seen: dict[tuple[str, str], Path] = {}
    for file in _files(folder):
        language = file.parent.name if file.parent != folder else ""
        found = _read(file, language)
        if found and (other := seen.setdefault(found[0].article, file)) != file:
            raise ArticleError(f"{file} and {other} have the same title: give one of them another.")
        passages += found
    return passages


def fingerprint(folder: Path) -> str:
    """Return a hash of all articles."""
    digest = hashlib.sha256()
    for file in _files(folder):
        content = file.read_bytes()
        digest.update(f"\0{file.relative_to(folder)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted([*folder.glob("*.md"), *folder.glob("*/*.md")])


def _read(file: Path, language: str) -> list[Passage]:
    try:
        content = file.read_text("utf-8")
        front = _FRONT.match(content)
        fields = yaml.safe_load(front["fields"]) if front else {}
        link = str((fields or {}).get("link") or "")
    except (UnicodeDecodeError, yaml.YAMLError, AttributeError) as error:
        raise ArticleError(
            f"{file} cannot be read ({error}): it must be UTF-8, with YAML between --- lines."
        ) from error
    tokens = MarkdownIt("commonmark").enable("table").parse(content[front.end() :] if front else content)
    title, heading, passages = "", "", []
    for kind, text in _blocks(tokens):
        if kind == "heading":
            title, heading = title or text, text
        elif not title:
            raise ArticleError(f"{file} begins without a title: put a line like “# Delivery” above its text.")
        else:
            passages.append(Passage(title=title, heading=heading, text=text, link=link, language=language))
    return [whole for passage in _joined(passages) for whole in _cut(passage)]


_LISTS = ("bullet_list", "ordered_list", "table")


def _blocks(tokens: Sequence[Token]) -> Iterator[tuple[str, str]]:
    """Yield headings and texts in order; a list or a table is one text of several lines."""
    lines: list[str] = []
    cells: list[str] | None = None
    depth = 0
    kind = "text"
    for token in tokens:
        if token.type.removesuffix("_open").removesuffix("_close") in _LISTS:
            depth += token.nesting
        elif token.type == "heading_open":
            kind = "heading"
        elif token.type == "tr_open":
            cells = []
        elif token.type == "tr_close" and cells is not None:
            lines.append("• " + ", ".join(cell for cell in cells if cell))
            cells = None
        elif token.type in {"inline", "fence", "code_block"}:
            text = _plain(token) if token.children else token.content.strip()
            (lines if cells is None else cells).append(f"• {text}" if depth and cells is None else text)
        if lines and not depth:
            yield kind, "\n".join(lines)
            lines, kind = [], "text"


def _plain(token: Token) -> str:
    """Return a line of Markdown as plain text; the target of a link follows its words."""
    parts: list[str] = []
    targets: list[str] = []
    for child in token.children or []:
        if child.type == "link_open":
            targets.append(str(child.attrGet("href") or ""))
        elif child.type == "link_close":
            target = targets.pop()
            parts.append("" if "".join(parts).endswith(target) else f" ({target})")
        elif child.type in {"softbreak", "hardbreak"}:
            parts.append(" ")
        else:
            parts.append(child.content)
    return "".join(parts).strip()


def _joined(passages: list[Passage]) -> Iterator[Passage]:
    """Yield what stands under one heading as one passage, as far as it fits."""
    whole: Passage | None = None
    for passage in passages:
        if whole is not None and whole.heading == passage.heading and len(whole.text) + len(passage.text) < MOST:
            whole = _with(whole, f"{whole.text}\n{passage.text}")
            continue
        if whole is not None:
            yield whole
        whole = passage
    if whole is not None:
        yield whole


def _cut(passage: Passage) -> Iterator[Passage]:
    """Yield a passage that is too long in parts, at its lines and sentences."""
    text = ""
    for line in passage.text.split("\n"):
        for number, sentence in enumerate(_SENTENCE_END.split(line) if len(line) > MOST else [line]):
            for part in textwrap.wrap(sentence, MOST) if len(sentence) > MOST else [sentence]:
                gap = " " if number else "\n"
                if text and len(text) + len(part) + 1 > MOST:
                    yield _with(passage, text)
                    text = ""
                text = f"{text}{gap}{part}" if text else part
    yield _with(passage, text)


def _with(passage: Passage, text: str) -> Passage:
    return replace(passage, text=text)
