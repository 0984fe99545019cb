from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from bot.domain.messages import InboundMessage, Unsupported
from connectors.youtube.comments import changes_in, threads_in
from tests.contracts.subjects import SUBJECTS

Json = dict[str, Any]


def _beside_entries(body: Json) -> None:
    body["entry"] += [{"id": 5}, {"id": body["entry"][0]["id"], "messaging": "odd"}]


def _beside_changes(body: Json) -> None:
    body["entry"][0]["changes"].insert(0, {"field": "messages", "value": {"messages": [{"id": "wamid.1"}]}})
    body["entry"].append({"changes": "odd"})


def _beside_activities(body: Json) -> None:
    body["data"] = [{"event_type": 5}, body["data"], {"event_type": 6}]


def _beside(name: str) -> Callable[[Json], None]:
    def damage(body: Json) -> None:
        body[name] = [{"id": {}}, *body[name], {"type": 3, "id": []}]

    return damage


@pytest.mark.parametrize(
    ("channel", "damage"),
    [
        ("messenger", _beside_entries),
        ("instagram", _beside_entries),
        ("whatsapp", _beside_changes),
        ("x", _beside_activities),
        ("line", _beside("events")),
        ("youtube-comments", _beside("items")),
        ("wordpress-comments", _beside("comments")),
    ],
)
def test_one_bad_part_takes_no_other_along(channel: str, damage: Callable[[Json], None]) -> None:
    """Of a call of which some parts cannot be read, the others are: all would come again for days."""
    subject = SUBJECTS[channel]()
    body = json.loads(subject.bodies(["hello"])[0])
    damage(body)
    events = subject.connector.parse(subject.request(json.dumps(body).encode()))

    assert [event.text for event in events if isinstance(event, InboundMessage)] == ["hello"]
    assert [event.kind for event in events if isinstance(event, Unsupported)] == ["malformed"] * 2


def test_one_bad_thread_holds_up_no_look() -> None:
    """A look at YouTube goes on past a thread that cannot be read: it would come again with every look."""
    subject = SUBJECTS["youtube-comments"]()
    body = json.loads(subject.bodies(["hello"])[0])
    (thread,) = body["items"]
    damaged = json.dumps({"items": [{"id": "Ug9"}, thread, {"snippet": 3}]}).encode()

    assert [found.id for found, _ in threads_in(damaged)] == [thread["id"]]
    assert list(changes_in(damaged)) == [thread["id"]]
