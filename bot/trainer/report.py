"""Writes down what training found out about a model on held-out messages, with pictures."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

from bot.domain.errors import TandemError
from bot.trainer.pictures import confusion_matrix, coverage_curve

#: What the classifier leaves for people in a model's archive, and what the articles are kept in.
_FILE, _ARTICLES_FILE = "report.json", "articles.json"
#: Pairs of intents that the report lists.
_LISTED = 25

#: Why these figures are not those that customers will see.
_HARDER = (
    "Training messages are chosen to differ, and strangers here are the bot's neighbours: both are harder than what"
    " customers write. What customers see is measured on messages written apart: `tests/corpus/measure.py`."
)


class ReportError(TandemError):
    """A model has nothing to report; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """Messages of one intent that were taken for another when held out."""

    intent: str
    taken_for: str
    count: int
    #: one of the messages
    example: str


@dataclass(frozen=True, kw_only=True)
class Articles:
    """What is answered from articles of one language."""

    #: empty: the language of the articles that stand in no folder of their own
    language: str
    #: headings and their articles
    passages: tuple[tuple[str, str], ...]
    #: of questions that no article answers, the share that may be answered all the same
    strangers_answered_max: float
    #: (heading, intent, count): training messages of an intent that the passage answers too
    shared: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What training found out of one language; shares are of held-out training messages."""

    #: empty: the first one
    language: str
    intents: tuple[str, ...]
    #: of each intent
    messages: tuple[int, ...]
    #: whose likeliest intent is the right one
    accuracy: float
    #: mean distance between confidence and what came true
    calibration_error: float
    #: that are answered at the point in use
    answered: float
    #: of those answered, the wrong ones
    wrong: float
    #: what the trainer allows `wrong` to be
    wrong_answers_max: float
    #: of all answers, the wrong ones, if the expected share of messages had topics next to the bot's; none if unknown
    wrong_with_strangers: float | None
    #: of intents that were left out of a training, the messages not answered; none with too few intents
    strangers_turned_away: float | None
    #: (share answered, share of them wrong, certainty needed)
    curve: tuple[tuple[float, float, float], ...]
    #: most frequent first
    confusions: tuple[Confusion, ...]


@dataclass(frozen=True, kw_only=True)
class Report:
    """What training found out, of each language for itself."""

    #: the first one first
    languages: tuple[Findings, ...]
    articles: tuple[Articles, ...]


def read_report(model: Path) -> Report:
    """Return what the archive of a model tells of its training; raises `ReportError` where it tells nothing."""
    try:
        with tarfile.open(model) as archive:
            told = dict(sorted(_kept(archive, _FILE), key=itemgetter(0)))
            if not told:
                raise ReportError(f"{model} tells nothing of its training: run `python -m bot train --force`.")
            shelves: dict[str, Any] = next((kept["shelves"] for _, kept in _kept(archive, _ARTICLES_FILE)), {})
            return Report(
                languages=tuple(_findings(language, told[language]) for language in told),
                articles=tuple(_articles(language, shelf) for language, shelf in shelves.items()),
            )
    except (OSError, tarfile.TarError, KeyError, TypeError, ValueError) as error:
        raise ReportError(f"{model} cannot be read ({error}): run `python -m bot train --force`.") from error


def _kept(archive: tarfile.TarFile, name: str) -> Iterator[tuple[str, Any]]:
    """Yield the JSON files of this name: of the first language with none, of others with theirs, whose folder it is."""
    found = [entry for entry in archive if Path(entry.name).name == name]
    least = min((entry.name.count("/") for entry in found), default=0)
    for entry in found:
        if (file := archive.extractfile(entry)) is not None:
            yield Path(entry.name).parent.name if entry.name.count("/") > least else "", json.loads(file.read())


def _articles(language: str, shelf: dict[str, Any]) -> Articles:
    return Articles(
        language=language,
        passages=tuple((str(passage["heading"]), str(passage["title"])) for passage in shelf["passages"]),
        strangers_answered_max=float(shelf["strangers_answered_max"]),
        shared=tuple((str(heading), str(intent), int(count)) for heading, intent, count in shelf["shared"]),
    )


def _findings(language: str, told: dict[str, Any]) -> Findings:
    return Findings(
        language=language,
        intents=tuple(map(str, told["intents"])),
        messages=tuple(map(int, told["messages"])),
        accuracy=float(told["accuracy"]),
        calibration_error=float(told["calibration_error"]),
        answered=float(told["answered"]),
        wrong=float(told["wrong"]),
        wrong_answers_max=float(told["wrong_answers_max"]),
        wrong_with_strangers=_share(told.get("wrong_with_strangers")),
        strangers_turned_away=_share(told["strangers_turned_away"]),
        curve=tuple((float(shown), float(bad), float(limit)) for shown, bad, limit in told["curve"]),
        confusions=tuple(
            Confusion(intent=str(intent), taken_for=str(other), count=int(count), example=str(example))
            for intent, other, count, example in told["confusions"]
        ),
    )


def _share(told: Any) -> float | None:
    return None if told is None else float(told)


def write_report(model: Path, folder: Path) -> Path:
    """Write report.md and two pictures of each language into a folder and return the page; raises `ReportError`."""
    report = read_report(model)
    folder.mkdir(parents=True, exist_ok=True)
    for found in report.languages:
        coverage, confusions = _pictures(found.language)
        taken = {(one.intent, one.taken_for): one.count for one in found.confusions}
        (folder / confusions).write_text(confusion_matrix(found.intents, found.messages, taken), "utf-8")
        (folder / coverage).write_text(coverage_curve(found.curve, found.answered, found.wrong), "utf-8")
    lines = [f"# How {model.name} understands"]
    for found in report.languages:
        lines += _page_of_language(found)
    for articles in report.articles:
        lines += _page_of_articles(articles)
    page = folder / "report.md"
    page.write_text("\n".join(lines) + "\n", "utf-8")
    return page


def _pictures(language: str) -> tuple[str, str]:
    """Return the names of a language's pictures."""
    of = f"-{language}" if language else ""
    return f"coverage{of}.svg", f"confusions{of}.svg"


def _page_of_language(found: Findings) -> list[str]:
    """Return what is said of a language: how well it is understood, what caution costs, and what quarrels."""
    coverage, confusions = _pictures(found.language)
    about = (
        f"Tried on its own {sum(found.messages)} training messages, each by a model that had not seen it, and on the"
        " messages of intents left out of a training, which no answer fits."
    )
    lines = [
        *(["", f"## In the language “{found.language}”"] if found.language else []),
        "",
        about,
        "",
        "| | |",
        "|---|---:|",
        f"| likeliest intent is right | {found.accuracy:.1%} |",
        f"| answered | {found.answered:.1%} |",
        f"| of the answers, wrong (allowed: {found.wrong_answers_max:.1%}) | {found.wrong:.1%} |",
        f"| confidence is off by | {found.calibration_error:.1%} |",
    ]
    if found.strangers_turned_away is not None:
        lines.append(f"| of intents left out, not answered | {found.strangers_turned_away:.1%} |")
    if found.wrong_with_strangers is not None:
        lines.append(
            f"| of all answers, wrong, with such strangers among the messages | {found.wrong_with_strangers:.1%} |"
        )
    lines += ["", _HARDER]
    lines += ["", f"![What caution costs]({coverage})", ""]
    lines += ["| of the answers, wrong | answered | certainty needed |", "|---:|---:|---:|"]
    for allowed in (0.005, 0.01, 0.02, 0.03, 0.05, 0.08):
        fitting = [point for point in found.curve if point[1] <= allowed]
        if fitting:
            shown, _, limit = fitting[-1]
            lines.append(f"| {allowed:.1%} | {shown:.0%} | {limit:.2f} |")
    lines += ["", f"![Which intents are taken for which]({confusions})", ""]
    lines += ["| intent | taken for | times | for instance |", "|---|---|---:|---|"]
    return lines + [
        f"| {one.intent} | {one.taken_for} | {one.count} | {_plain(one.example)} |"
        for one in found.confusions[:_LISTED]
    ]


def _page_of_articles(articles: Articles) -> list[str]:
    """Return what is said of articles: how careful their bar is, and which questions intents answer as well."""
    where = f"knowledge/{articles.language}" if articles.language else "knowledge/"
    titles = dict.fromkeys(title for _, title in articles.passages)
    about = (
        f"{len(articles.passages)} passages of {len(titles)} articles. Of questions that none of them answers, at most"
        f" {articles.strangers_answered_max:.1%} get one. An intent that the bot is sure of comes first; these have"
        " both:"
    )
    lines = [
        "",
        f"## Articles in {where}",
        "",
        about,
        "",
        "| heading | is also asked by messages of | times |",
        "|---|---|---:|",
    ]
    return lines + [
        f"| {_plain(heading)} | {intent} | {count} |" for heading, intent, count in articles.shared[:_LISTED]
    ]


def _plain(text: str) -> str:
    return " ".join(text.replace("|", "/").split())[:100]
