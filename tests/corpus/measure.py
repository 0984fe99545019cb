"""Measures the model of the bot as it stands on the corpora beside this file, and prints figures and errors as JSON.

    .venv/bin/python tests/corpus/measure.py [MODEL]

It trains one unless there is one, or measures the one that is named. For trainers: look at `errors` and `let_in`, add
examples of your own to data/nlu, and run it again; never copy a message from a corpus.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent.parent
FALLBACK, DANGER, FOREIGN = "nlu_fallback", "self_harm", "foreign_language"


def main() -> None:
    """Print the figures of the model that is named, or of the bot's own."""
    sys.path.insert(0, str(ROOT))
    figures = _measure(Path(sys.argv[1]) if len(sys.argv) > 1 else _trained())
    sys.stdout.write(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")


def _trained() -> Path:
    from bot.trainer.training import TrainingError, train

    try:
        return asyncio.run(train(ROOT, ROOT / "var" / "models", lambda _: None)).path
    except TrainingError as error:
        raise SystemExit(str(error)) from error


def _measure(model: Path) -> dict[str, Any]:
    from benchmarks.understanding.ours import understander
    from tests.corpus.messages import CORPUS, TRAINING, bare, read, training

    understand = understander(model)
    names = ("held_out", "blind", "by_others", "talk_to_person", "german", "german_blind")
    besides = ("out_of_scope", "german_out_of_scope", "care", "german_care")
    # What stands among the examples word for word, as "nö" may, tells nothing.
    learnt = {bare(message.text) for language in TRAINING for message in training(language)}
    results = {
        name: [
            (message.intent, message.text, understand(message.text))
            for message in read(CORPUS / f"{name}.yml")
            if bare(message.text) not in learnt
        ]
        for name in (*names, *besides)
    }
    figures: dict[str, Any] = {name: _figures(results[name]) for name in names}
    figures |= {name: _beside(results[name]) for name in ("out_of_scope", "german_out_of_scope")}
    figures |= {name: _in_danger(results[name]) for name in ("care", "german_care")}
    questions = yaml.safe_load((CORPUS / "german_articles.yml").read_text("utf-8"))
    figures["german_articles"] = _of_articles(
        [(part["heading"], part["asked"], understand(part["asked"])) for part in questions]
    )
    return figures


def _beside(results: list[tuple[str, str, dict[str, Any]]]) -> dict[str, Any]:
    """Return the share of what the bot has no topic for that gets no answer, and what gets one."""
    let_in = [f"{_name(result)}: {text}" for _, text, result in results if _name(result) not in {FALLBACK, FOREIGN}]
    return {"recall": round(1 - len(let_in) / len(results), 4), "let_in": let_in}


def _in_danger(results: list[tuple[str, str, dict[str, Any]]]) -> dict[str, Any]:
    """Return what was missed of what must not be, and what only sounded like it."""
    return {
        "missed": [text for intent, text, result in results if intent == DANGER != _name(result)],
        "false_alarms": [text for intent, text, result in results if intent != DANGER == _name(result)],
    }


def _figures(results: list[tuple[str, str, dict[str, Any]]]) -> dict[str, Any]:
    """Return shares: `accuracy` of the best guess, `answered` rightly after the gates, `wrong` of all `answers`."""
    guessed = sum(_guess(result) == intent for intent, _, result in results)
    right = sum(_name(result) == intent for intent, _, result in results)
    wrong = sum(_name(result) not in {intent, FALLBACK} for intent, _, result in results)
    return {
        "accuracy": round(guessed / len(results), 4),
        "answered": round(right / len(results), 4),
        "wrong": round(wrong / max(1, right + wrong), 4),
        "answers": right + wrong,
        "errors": [
            f"{intent} -> {_name(result)} ({_guess(result)}): {text}"
            for intent, text, result in results
            if _name(result) != intent
        ],
    }


def _of_articles(results: list[tuple[str, str, dict[str, Any]]]) -> dict[str, Any]:
    """Return shares of questions: the right passage is `nearest`, and is found to answer; `wrong` of those found."""
    found = [(heading, text, (result.get("article") or {}).get("heading")) for heading, text, result in results]
    nearest = sum(
        bool(result.get("articles")) and result["articles"][0]["heading"] == heading for heading, _, result in results
    )
    right = sum(heading == answer for heading, _, answer in found)
    wrong = [f"{text}: {answer}" for heading, text, answer in found if answer not in {heading, None}]
    return {
        "nearest": round(nearest / len(results), 4),
        "answered": round(right / len(results), 4),
        "wrong": round(len(wrong) / max(1, right + len(wrong)), 4),
        "answers": right + len(wrong),
        "errors": wrong,
    }


def _name(result: dict[str, Any]) -> str:
    return str(result["intent"]["name"])


def _guess(result: dict[str, Any]) -> str:
    return next(str(guess["name"]) for guess in result["intent_ranking"] if guess["name"] != FALLBACK)


if __name__ == "__main__":
    main()
