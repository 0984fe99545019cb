from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from rasa_sdk import Action
from rasa_sdk.interfaces import ActionExecutionRejection

from actions.server import ActionServer, build_actions
from tests.actions.calls import call
from tests.actions.conftest import SampleSources

DOMAIN: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "domain.yml").read_text(encoding="utf-8"))


class Failing(Action):
    """Raises what it is given."""

    def __init__(self, error: Exception) -> None:
        """Fail with `error`."""
        self.error = error

    def name(self) -> str:
        """Return a name of no action of ours."""
        return "action_failing"

    def run(self, dispatcher: object, tracker: object, domain: object) -> list[dict[str, object]]:
        """Fail."""
        del dispatcher, tracker, domain
        raise self.error


@pytest.fixture
def server(sources: SampleSources) -> ActionServer:
    """Return a server of all actions."""
    return ActionServer(build_actions(sources.directory, sources.assurances, sources.clock))


def test_every_action_of_the_domain_is_served_and_no_other(server: ActionServer) -> None:
    """domain.yml and the action server name the same actions."""
    assert server.names == sorted(DOMAIN["actions"])


async def test_an_action_answers_with_events_and_responses(server: ActionServer) -> None:
    """A call that works is a 200 with what Rasa expects."""
    status, body = await server.run(call("action_affirm"))
    assert (status, [response["response"] for response in body["responses"]]) == (200, ["say_affirmed"])  # type: ignore[attr-defined]
    assert body["events"] == []


async def test_an_unknown_action_is_not_found(server: ActionServer) -> None:
    """A name that nobody serves is a 404 that repeats it."""
    assert await server.run(call("action_unheard_of")) == (
        404,
        {"error": "no such action", "action_name": "action_unheard_of"},
    )
    assert (await server.run({}))[0] == 404


async def test_a_rejection_is_part_of_a_dialogue() -> None:
    """An action that rejects to run is a 400 that names it, as Rasa reads it."""
    server = ActionServer([Failing(ActionExecutionRejection("action_failing", "not now"))])
    assert await server.run(call("action_failing")) == (
        400,
        {"error": "the action rejected to run", "action_name": "action_failing"},
    )


async def test_a_failure_tells_nothing_of_the_conversation() -> None:
    """Whatever an action raises is a 500 with the action's name and nothing else."""
    server = ActionServer([Failing(RuntimeError("postcode BS6 5TB of Priya"))])
    status, body = await server.run(call("action_failing", slots={"proof": "BS6 5TB"}))
    assert status == 500
    assert "BS6" not in json.dumps(body)
    assert body["action_name"] == "action_failing"


async def test_a_domain_is_asked_for_once(server: ActionServer) -> None:
    """A call that only names its domain is a 449 until one had it; another domain is asked for again."""
    named = {key: value for key, value in call("action_affirm").items() if key != "domain"}
    assert (await server.run({**named, "domain_digest": "first"}))[0] == 449
    assert (await server.run({**named, "domain_digest": "first", "domain": DOMAIN}))[0] == 200
    assert (await server.run({**named, "domain_digest": "first"}))[0] == 200
    assert (await server.run({**named, "domain_digest": "second"}))[0] == 449
