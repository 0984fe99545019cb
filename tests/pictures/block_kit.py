"""Block Kit as HTML, near enough to what Slack shows for a guide."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

Json = dict[str, Any]
STYLE = (Path(__file__).parent / "slack.css").read_text(encoding="utf-8")
_DATE = re.compile(r"&lt;!date\^(\d+)\^([^|]*)\|[^&]*?&gt;")
#: Texts of the small print; mark-up that we do not use is not drawn.
_ESCAPED = {"&amp;lt;": "&lt;", "&amp;gt;": "&gt;", "&amp;amp;": "&amp;"}


class Paper:
    """Draws what Slack gets, as it is at one moment."""

    def __init__(self, now: datetime) -> None:
        """Count `{ago}` from `now`."""
        self._now = now

    def page(self, *parts: str) -> str:
        """Return a page with these parts below each other."""
        return f"<!doctype html><meta charset=utf-8><style>{STYLE}</style><body>{''.join(parts)}"

    def row(self, *parts: str) -> str:
        """Return parts beside each other."""
        return f"<div class=row>{''.join(parts)}</div>"

    def message(self, blocks: list[Json], at: str, *, note: str = "", marks: str = "") -> str:
        """Return a post of the app; `note` stands above it, `marks` are reactions."""
        drawn = "".join(self._block(block) for block in blocks)
        above = f"<p class=alone>{escape(note)}</p>" if note else ""
        below = f"<p class=marks>{escape(marks)}</p>" if marks else ""
        head = f"<p class=head><b>tandem</b><i>APP</i><span>{escape(at)}</span></p>"
        return f"<article><div class=avatar>🚲</div><div class=body>{above}{head}{drawn}{below}</div></article>"

    def person(self, name: str, text: str, at: str, *, marks: str = "") -> str:
        """Return a post of an agent's."""
        lines = "".join(
            f"<blockquote>{escape(line[2:])}</blockquote>" if line.startswith("> ") else f"<p>{escape(line)}</p>"
            for line in text.split("\n")
        )
        below = f"<p class=marks>{escape(marks)}</p>" if marks else ""
        head = f"<p class=head><b>{escape(name)}</b><span>{escape(at)}</span></p>"
        face = f"<div class='avatar face'>{escape(name[0])}</div>"
        return f"<article>{face}<div class=body>{head}{lines}{below}</div></article>"

    def thread(self, *posts: str) -> str:
        """Return the thread below a card."""
        return f"<section class=thread><h4>Thread</h4>{''.join(posts)}</section>"

    def modal(self, view: Json) -> str:
        """Return a modal."""
        drawn = "".join(self._block(block) for block in view["blocks"])
        submit = f"<b class='button primary'>{self._plain(view['submit'])}</b>" if "submit" in view else ""
        close = f"<b class=button>{self._plain(view['close'])}</b>"
        return (
            f"<section class=modal><h3>{self._plain(view['title'])}<span>✕</span></h3>"
            f"<div class=inside>{drawn}</div><footer>{close}{submit}</footer></section>"
        )

    def home(self, view: Json) -> str:
        """Return App Home."""
        drawn = "".join(self._block(block) for block in view["blocks"])
        tabs = "<p class=tabs><b>Home</b><span>About</span></p>"
        return f"<section class=home><h3>🚲 tandem</h3>{tabs}<div class=inside>{drawn}</div></section>"

    def _block(self, block: Json) -> str:
        draw: dict[str, Callable[[Json], str]] = {
            "header": lambda b: f"<h2>{self._plain(b['text'])}</h2>",
            "context": lambda b: f"<p class=small>{''.join(self._small(e) for e in b['elements'])}</p>",
            "section": self._section,
            "rich_text": lambda b: f"<div class=rich>{''.join(self._rich(e) for e in b['elements'])}</div>",
            "actions": lambda b: f"<div class=actions>{''.join(self._element(e) for e in b['elements'])}</div>",
            "divider": lambda _: "<hr>",
            "input": self._input,
        }
        return draw[block["type"]](block)

    def _section(self, block: Json) -> str:
        beside = self._element(block["accessory"]) if "accessory" in block else ""
        return f"<div class=section><p>{self._plain(block['text'])}</p>{beside}</div>"

    def _input(self, block: Json) -> str:
        optional = " <span>(optional)</span>" if block.get("optional") else ""
        hint = f"<p class=small>{self._plain(block['hint'])}</p>" if "hint" in block else ""
        return f"<label>{self._plain(block['label'])}{optional}</label>{self._element(block['element'])}{hint}"

    def _element(self, element: Json) -> str:
        kind = element["type"]
        if kind == "button":
            return f"<b class='button {element.get('style', '')}'>{self._plain(element['text'])}</b>"
        if kind == "overflow":
            entries = "".join(f"<li>{self._plain(option['text'])}</li>" for option in element["options"])
            return f"<span class=menu><b class=button>⋯</b><ul>{entries}</ul></span>"
        if kind == "plain_text_input":
            size = "box tall" if element.get("multiline") else "box"
            return f"<div class='{size}'>{escape(element.get('initial_value', ''))}</div>"
        if kind in {"checkboxes", "radio_buttons"}:
            chosen = [option["value"] for option in element.get("initial_options", ())]
            return "".join(self._option(kind, option, chosen) for option in element["options"])
        shown = self._plain(element["initial_option"]["text"]) if "initial_option" in element else ""
        choose = {"datetimepicker": "📅 Choose a day and a time", "users_select": "👤 A person"}
        return f"<div class='box select'>{shown or choose.get(kind, 'Choose')}<span>⌄</span></div>"

    def _option(self, kind: str, option: Json, chosen: list[str]) -> str:
        signs = ("☑", "☐") if kind == "checkboxes" else ("◉", "○")
        sign = signs[0] if option["value"] in chosen else signs[1]
        more = f"<br><small>{self._plain(option['description'])}</small>" if "description" in option else ""
        return f"<p class=option>{sign} {self._plain(option['text'])}{more}</p>"

    def _rich(self, element: Json) -> str:
        kind = element["type"].removeprefix("rich_text_")
        tag = {"section": "p", "quote": "blockquote", "preformatted": "pre"}[kind]
        return f"<{tag}>{''.join(self._run(run) for run in element['elements'])}</{tag}>"

    def _run(self, run: Json) -> str:
        text = escape(run["text"]).replace("\n", "<br>")
        return f"<strong>{text}</strong>" if run.get("style", {}).get("bold") else text

    def _small(self, element: Json) -> str:
        if element["type"] == "plain_text":
            return f"<span>{self._plain(element)}</span>"
        text = escape(element["text"], quote=False)
        for twice, once in _ESCAPED.items():
            text = text.replace(twice, once)
        return f"<span>{_DATE.sub(self._date, text)}</span>"

    def _date(self, found: re.Match[str]) -> str:
        at = datetime.fromtimestamp(int(found[1]), UTC)
        day = {0: "Today", 1: "Tomorrow", -1: "Yesterday"}.get((at.date() - self._now.date()).days, f"{at:%b %-d}")
        day = day if day[0] in f"{at:%b}" else day.lower()
        pattern = found[2].replace("{date_short_pretty}", day)
        return pattern.replace("{time}", f"{at:%-I:%M %p}").replace("{ago}", self._ago(at))

    def _ago(self, at: datetime) -> str:
        minutes = round((at - self._now).total_seconds() / 60)
        size, unit = (abs(minutes), "minutes") if abs(minutes) < 60 else (round(abs(minutes) / 60), "hours")
        return f"in {size} {unit}" if minutes > 0 else f"{size} {unit} ago"

    def _plain(self, text: Json) -> str:
        return escape(text["text"])
