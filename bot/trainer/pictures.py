"""Draws what held-out messages tell of a model, as SVG: which intents are taken for which, and what caution costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

_CELL, _LABELS, _MARGIN = 14, 170, 20
_WIDTH, _HEIGHT = 460, 300
_FONT = 'font-family="sans-serif" font-size="10"'


def confusion_matrix(intents: Sequence[str], messages: Sequence[int], taken: Mapping[tuple[str, str], int]) -> str:
    """Return a picture of how often each intent (a row) was taken for which (a column); hits are not inked.

    `messages` counts each intent's messages, `taken` the mistakes by (intent, taken for).
    """
    places = {intent: place for place, intent in enumerate(intents)}
    side = _LABELS + _CELL * len(intents) + _MARGIN
    parts = []
    for intent, place in places.items():
        middle = _LABELS + _CELL * place + _CELL - 4
        parts.append(f'<text x="{_LABELS - 4}" y="{middle}" text-anchor="end">{escape(intent)}</text>')
        parts.append(f'<text transform="translate({middle},{_LABELS - 4}) rotate(-90)">{escape(intent)}</text>')
        parts.append(_cell(place, place, 0.0, f"{intent}: {messages[place]} messages"))
    for (intent, other), count in taken.items():
        share = count / max(1, messages[places[intent]])
        parts.append(_cell(places[intent], places[other], share, f"{intent} taken for {other}: {count}"))
    return _picture(side, side, parts)


def _cell(row: int, column: int, share: float, told: str) -> str:
    x, y = _LABELS + _CELL * column, _LABELS + _CELL * row
    ink = "#d8dee6" if row == column else "#c2331f"
    depth = 1.0 if row == column else min(1.0, 0.15 + 8 * share)
    return (
        f'<rect x="{x}" y="{y}" width="{_CELL - 1}" height="{_CELL - 1}" fill="{ink}" fill-opacity="{depth:.2f}">'
        f"<title>{escape(told)}</title></rect>"
    )


def coverage_curve(curve: Sequence[tuple[float, float, float]], answered: float, wrong: float) -> str:
    """Return a picture of the share of right answers by the share of messages answered, with the point in use."""
    lowest = min([0.9, *(1 - share_wrong for _, share_wrong, _ in curve)])

    def at(shown: float, precision: float) -> tuple[float, float]:
        across, up = _WIDTH - 60 - _MARGIN, _HEIGHT - 50 - _MARGIN
        return 60 + across * shown, _MARGIN + up * (1 - (precision - lowest) / max(1 - lowest, 1e-9))

    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(shown, 1 - bad) for shown, bad, _ in curve))
    parts = [f'<polyline points="{line}" fill="none" stroke="#1f6fc2" stroke-width="2"/>']
    for step in range(6):
        share = lowest + (1 - lowest) * step / 5
        (left, y), (right, _) = at(0, share), at(1, share)
        parts.append(f'<line x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#d8dee6"/>')
        parts.append(f'<text x="{left - 4}" y="{y + 3:.1f}" text-anchor="end">{share:.1%}</text>')
        x, bottom = at(step / 5, lowest)
        parts.append(f'<text x="{x:.1f}" y="{bottom + 16:.1f}" text-anchor="middle">{step / 5:.0%}</text>')
    x, y = at(answered, 1 - wrong)
    parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="#c2331f"><title>the point in use</title></circle>')
    parts.append(f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 6}" text-anchor="middle">held-out messages answered</text>')
    parts.append(
        f'<text transform="translate(12,{_HEIGHT / 2}) rotate(-90)" text-anchor="middle">of the answers, right</text>'
    )
    return _picture(_WIDTH, _HEIGHT, parts)


def _picture(width: float, height: float, parts: Sequence[str]) -> str:
    inside = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'{_FONT}>\n<rect width="100%" height="100%" fill="#ffffff"/>\n{inside}\n</svg>\n'
    )
