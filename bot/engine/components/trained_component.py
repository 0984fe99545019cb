"""`TrainedComponent`: what all graph components of ours that are trained have in common."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, Self

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.training_data.training_data import TrainingData


class TrainedComponent(GraphComponent):
    """Keeps what it learns in a folder of the model: `_write` fills that folder, `_read` takes it up again."""

    @classmethod
    def required_components(cls) -> list[type]:
        """Name what must stand before this in the pipeline: nothing."""
        return []

    def __init__(self, config: dict[str, Any], storage: ModelStorage, resource: Resource) -> None:
        self._config = {**self.get_default_config(), **config}
        self._storage = storage
        self._resource = resource

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,  # noqa: ARG003
    ) -> Self:
        """Make a component that is yet to be trained."""
        return cls(config, model_storage, resource)

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,  # noqa: ARG003
        **_: Any,
    ) -> Self:
        """Make the component from what training kept."""
        component = cls(config, model_storage, resource)
        with model_storage.read_from(resource) as folder:
            component._read(Path(folder))
        return component

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Pass the data on: no later component learns from what this one finds."""
        return training_data

    def _keep(self) -> Resource:
        """Write what was learnt, and return where it is."""
        with self._storage.write_to(self._resource) as folder:
            self._write(Path(folder))
        return self._resource

    @abstractmethod
    def _read(self, folder: Path) -> None:
        """Take up what `_write` kept."""

    @abstractmethod
    def _write(self, folder: Path) -> None:
        """Keep what was learnt in an empty folder."""
