"""Runs Rasa's component graph node by node in this thread, in place of Dask, which costs a millisecond per message."""

from __future__ import annotations

from typing import Any

from rasa.engine.exceptions import GraphRunError
from rasa.engine.graph import ExecutionContext, GraphNode, GraphNodeHook, GraphSchema
from rasa.engine.runner.interface import GraphRunner
from rasa.engine.storage.storage import ModelStorage


class SequentialGraphRunner(GraphRunner):
    """Does what Rasa's `DaskGraphRunner` does, with the order of the nodes worked out once per set of targets."""

    def __init__(self, schema: GraphSchema, nodes: dict[str, GraphNode]) -> None:
        self._schema = schema
        self._nodes = nodes
        self._orders: dict[tuple[str, ...], tuple[str, ...]] = {}

    @classmethod
    def create(
        cls,
        graph_schema: GraphSchema,
        model_storage: ModelStorage,
        execution_context: ExecutionContext,
        hooks: list[GraphNodeHook] | None = None,
    ) -> SequentialGraphRunner:
        """Make every node of the schema; those that can load themselves do so now."""
        nodes = {
            name: GraphNode.from_schema_node(name, node, model_storage, execution_context, hooks)
            for name, node in graph_schema.nodes.items()
        }
        return cls(graph_schema, nodes)

    def run(self, inputs: dict[str, Any] | None = None, targets: list[str] | None = None) -> dict[str, Any]:
        """Return what each target node gives; `inputs` are values for names that the graph needs and no node provides.

        Raises:
            GraphRunError: an input has the name of a node, or the graph has a cycle.
        """
        wanted = tuple(targets or self._schema.target_names)
        results: dict[str, tuple[str, Any]] = {name: (name, value) for name, value in (inputs or {}).items()}
        if clash := results.keys() & self._schema.nodes.keys():
            raise GraphRunError(f"The inputs {sorted(clash)} have the names of nodes of the graph.")
        for name in self._order(wanted):
            # A node takes pairs of name and value; a bare name tells it that nobody provided that input.
            needs = self._schema.nodes[name].needs.values()
            results[name] = self._nodes[name](*(results.get(need, need) for need in needs))
        return {name: results[name][1] for name in wanted}

    def _order(self, wanted: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names of all nodes that the wanted ones rest on, each after those it needs."""
        if wanted not in self._orders:
            done: dict[str, bool] = {}
            for name in wanted:
                self._visit(name, done)
            self._orders[wanted] = tuple(done)
        return self._orders[wanted]

    def _visit(self, name: str, done: dict[str, bool], path: tuple[str, ...] = ()) -> None:
        if name in path:
            raise GraphRunError(f"The graph runs in a circle: {' > '.join((*path, name))}.")
        if name in done or name not in self._schema.nodes:
            return
        for need in self._schema.nodes[name].needs.values():
            self._visit(need, done, (*path, name))
        done[name] = True
