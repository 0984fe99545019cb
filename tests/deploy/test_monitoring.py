from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot import metrics
from tests.deploy.validating import DEPLOY, run

FOLDER = DEPLOY / "monitoring"
RULES = FOLDER / "tandem.rules.yaml"
TESTS = FOLDER / "tandem.rules.test.yaml"


def _alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    alerts: list[dict[str, Any]] = group["rules"]
    return alerts


def _panels() -> list[dict[str, Any]]:
    board = json.loads((FOLDER / "grafana-dashboard.json").read_text())
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def _expressions() -> Iterator[str]:
    yield from (str(alert["expr"]) for alert in _alerts())
    yield from (str(target["expr"]) for panel in _panels() for target in panel["targets"])


def _samples() -> dict[str, frozenset[str]]:
    """Return the name of every sample that a process may show, with the labels it has."""
    endings = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}
    found = {}
    for collector in metrics.REGISTRY._collector_to_names:
        for metric in collector.collect():
            labels = frozenset(getattr(collector, "_labelnames", ()))
            for ending in endings[metric.type]:
                found[metric.name + ending] = labels | ({"le"} if ending == "_bucket" else set())
    return found


def test_prometheus_takes_the_rules() -> None:
    """`promtool` finds nothing wrong with them."""
    status, printed = run("promtool", "check", "rules", "--lint-fatal", str(RULES))
    assert status == 0, printed


def test_every_alert_comes_when_it_should_and_not_otherwise() -> None:
    """Prometheus's own engine plays each alert's trouble, and a calm day, and says exactly what is written there."""
    status, printed = run("promtool", "test", "rules", str(TESTS))
    assert status == 0, printed
    played: dict[str, set[bool]] = {}
    for test in yaml.safe_load(TESTS.read_text())["tests"]:
        for expected in test["alert_rule_test"]:
            played.setdefault(expected["alertname"], set()).add(bool(expected["exp_alerts"]))
    assert played == {alert["alert"]: {True, False} for alert in _alerts()}


def test_a_test_of_the_rules_would_fail(tmp_path: Path) -> None:
    """A rule whose threshold is wrong is found by those tests."""
    (tmp_path / RULES.name).write_text(RULES.read_text().replace("> 60", "> 60000"))
    (tmp_path / TESTS.name).write_text(TESTS.read_text())
    status, printed = run("promtool", "test", "rules", str(tmp_path / TESTS.name))
    assert status != 0
    assert "TandemCustomersWait" in printed


@pytest.mark.parametrize("expression", sorted(set(_expressions())))
def test_what_is_asked_for_exists(expression: str) -> None:
    """Every metric that an alert or a panel names is one of ours, and so is every label it picks or groups by."""
    samples = _samples()
    named = re.findall(r"\b(tandem_\w+)(?:\{([^}]*)\})?", expression)
    assert named
    for name, picked in named:
        assert name in samples, name
        asked = set(re.findall(r"(\w+)(?:=~|!~|!=|=)", picked))
        assert asked <= samples[name] | {"instance", "job"}, name
    for group in re.findall(r"by \(([^)]*)\)", expression):
        known = frozenset().union(*(samples[name] for name, _ in named))
        assert {label.strip() for label in group.split(",")} <= known | {"instance", "job"}


def test_every_alert_says_what_to_do() -> None:
    """Each has a severity, one sentence on what is the matter, and one on what to do."""
    for alert in _alerts():
        assert alert["labels"]["severity"] in {"page", "look"}
        assert alert["annotations"]["summary"]
        assert alert["annotations"]["action"]


def test_every_metric_has_a_panel() -> None:
    """What is measured can be seen: each of our metrics stands on the dashboard, and no two panels overlap."""
    shown = " ".join(str(target["expr"]) for panel in _panels() for target in panel["targets"])
    families = {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in _samples()}
    assert {name for name in families if name not in shown} == set()
    places = [panel["gridPos"] for panel in _panels()]
    cells = [
        (x, y) for at in places for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(cells) == len(set(cells))
    assert all(at["x"] + at["w"] <= 24 for at in places)
