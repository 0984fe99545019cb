from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from bot.trainer.report import ReportError, read_report, write_report

TOLD: dict[str, Any] = {
    "intents": ["cancel", "greet", "<odd & name>"],
    "messages": [30, 25, 40],
    "accuracy": 0.91,
    "calibration_error": 0.012,
    "answered": 0.8,
    "wrong": 0.019,
    "wrong_answers_max": 0.02,
    "strangers_turned_away": None,
    "curve": [[0.5, 0.0, 0.97], [0.8, 0.019, 0.7], [1.0, 0.09, 0.01]],
    "confusions": [["cancel", "greet", 5, "stop | hi"], ["<odd & name>", "cancel", 1, "x"]],
}


def archive(path: Path, **files: object) -> Path:
    """Write a model archive with these JSON files in its folders."""
    with tarfile.open(path, "w:gz") as made:
        for name, content in files.items():
            raw = json.dumps(content).encode()
            member = tarfile.TarInfo(f"components/train_classifier/{name.replace('__', '/')}.json")
            member.size = len(raw)
            made.addfile(member, io.BytesIO(raw))
    return path


def test_the_report_has_figures_pictures_and_mistakes(tmp_path: Path) -> None:
    """The page tells the point in use and the mistakes with an example, and its pictures are whole."""
    page = write_report(
        archive(tmp_path / "m.tar.gz", report=TOLD | {"wrong_with_strangers": 0.123}), tmp_path / "report"
    )
    text = page.read_text("utf-8")
    assert "| of the answers, wrong (allowed: 2.0%) | 1.9% |" in text
    assert "| 2.0% | 80% | 0.70 |" in text
    assert "| cancel | greet | 5 | stop / hi |" in text
    for name in ("confusions.svg", "coverage.svg"):
        assert name in text
        picture = etree.fromstring((tmp_path / "report" / name).read_bytes())
        assert picture.tag.endswith("svg")
    assert "cancel taken for greet: 5" in (tmp_path / "report" / "confusions.svg").read_text("utf-8")
    assert "| of all answers, wrong, with such strangers among the messages | 12.3% |" in text


def test_the_report_lists_what_articles_and_intents_both_answer(tmp_path: Path) -> None:
    """A trainer sees which passages there are beside an intent on the same."""
    passage = {"title": "Gifts", "heading": "Do you wrap?", "text": "Yes.", "link": "", "language": ""}
    shelf = {"passages": [passage], "strangers_answered_max": 0.05, "shared": [["Do you wrap?", "greet", 3]]}
    articles = {"encoder": "", "shelves": {"": shelf}}
    page = write_report(archive(tmp_path / "m.tar.gz", report=TOLD, articles=articles), tmp_path / "report")
    text = page.read_text("utf-8")
    assert "1 passages of 1 articles" in text
    assert "| Do you wrap? | greet | 3 |" in text


def test_the_report_tells_of_each_language(tmp_path: Path) -> None:
    """A second language has figures and pictures of its own, below those of the first."""
    german = TOLD | {"accuracy": 0.77, "confusions": [["greet", "cancel", 2, "moin"]]}
    page = write_report(archive(tmp_path / "m.tar.gz", de__report=german, report=TOLD), tmp_path / "report")
    first, second = page.read_text("utf-8").split("## In the language “de”")
    assert "| likeliest intent is right | 91.0% |" in first
    assert "| cancel | greet | 5 |" in first
    assert "(coverage.svg)" in first
    assert "| likeliest intent is right | 77.0% |" in second
    assert "| greet | cancel | 2 | moin |" in second
    assert "greet taken for cancel: 2" in (tmp_path / "report" / "confusions-de.svg").read_text("utf-8")
    assert (tmp_path / "report" / "coverage-de.svg").is_file()


@pytest.mark.parametrize("files", [{}, {"report": {"intents": []}}, {"report": [1]}])
def test_a_model_that_tells_nothing_is_refused(tmp_path: Path, files: dict[str, Any]) -> None:
    """A model of another make has no report; what to do is said."""
    with pytest.raises(ReportError, match="bot train"):
        read_report(archive(tmp_path / "m.tar.gz", **files))


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    """What cannot be unpacked has no report either."""
    (tmp_path / "m.tar.gz").write_bytes(b"nothing")
    with pytest.raises(ReportError, match="cannot be read"):
        read_report(tmp_path / "m.tar.gz")
