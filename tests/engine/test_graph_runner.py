from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from rasa.engine.exceptions import GraphRunError

from bot.engine.graph_runner import SequentialGraphRunner


def runner(needs: dict[str, list[str]]) -> tuple[SequentialGraphRunner, list[str]]:
    """Return a runner whose nodes join what they are given, and the list of nodes as they run."""
    ran: list[str] = []

    def node(name: str) -> Callable[..., tuple[str, str]]:
        def run(*given: Any) -> tuple[str, str]:
            ran.append(name)
            values = [pair[1] if isinstance(pair, tuple) else f"?{pair}" for pair in given]
            return name, f"{name}({','.join(values)})"

        return run

    nodes = {name: SimpleNamespace(needs=dict.fromkeys(sources)) for name, sources in needs.items()}
    for name, sources in needs.items():
        nodes[name].needs = {source: source for source in sources}
    schema = SimpleNamespace(nodes=nodes, target_names=[name for name in needs if name.startswith("target")])
    return SequentialGraphRunner(schema, {name: node(name) for name in needs}), ran


def test_each_node_runs_once_after_those_it_needs() -> None:
    """Only nodes that the targets rest on run, each once, with what they need."""
    graph, ran = runner({"target": ["b", "a"], "a": ["message"], "b": ["a"], "other": []})
    for _ in range(2):
        ran.clear()
        assert graph.run({"message": "hi"}) == {"target": "target(b(a(hi)),a(hi))"}
        assert ran == ["a", "b", "target"]


def test_a_missing_input_is_handed_on_by_name() -> None:
    """A node learns the name of an input that nobody provides, as Rasa's own nodes expect."""
    graph, _ = runner({"target": ["message"]})
    assert graph.run() == {"target": "target(?message)"}


def test_an_input_may_not_have_the_name_of_a_node() -> None:
    """An input that would hide a node is refused."""
    graph, _ = runner({"target": ["a"], "a": []})
    with pytest.raises(GraphRunError, match="'a'"):
        graph.run({"a": "x"})


def test_a_circle_is_refused() -> None:
    """A graph that needs itself is refused by naming the circle."""
    graph, _ = runner({"target": ["a"], "a": ["b"], "b": ["a"]})
    with pytest.raises(GraphRunError, match="a > b > a"):
        graph.run()
