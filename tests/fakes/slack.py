"""A Slack workspace in memory and the people in it, with the ground truth of what they see."""

from __future__ import annotations

import time
from typing import Any

from tests.fakes.slack_api import APP, QUEUE, TEAM
from tests.fakes.slack_rules import block_problem, nodes
from tests.fakes.slack_wire import APP_TOKEN, BOT_TOKEN, SECRET, Json, Wire

__all__ = ["APP_TOKEN", "BOT_TOKEN", "SECRET", "FakeSlack"]


class FakeSlack(Wire):
    """A workspace with one app, one queue channel and some people."""

    async def write(self, user: str, thread: str | None, text: str, **more: object) -> str:
        """Write as a person and tell the app; returns the message's `ts`. `text` is as Slack marks it up."""
        ts = self.next_ts()
        message: Json = {"type": "message", "user": user, "team": TEAM, "text": text, "ts": ts, **more}
        root = next((m for m in self.messages if m["ts"] == thread), None)
        channel = root["channel"] if root else QUEUE
        if thread:
            message["thread_ts"] = thread
        self.messages.append({**message, "channel": channel})
        await self.deliver(self.event({**message, "channel": channel, "event_ts": ts}))
        return ts

    async def edit(self, ts: str, text: str) -> None:
        """Change a message and tell the app."""
        before = dict(self.message(ts))
        self.message(ts).update(text=text, edited={"user": before["user"], "ts": self.next_ts()})
        after = dict(self.message(ts))
        await self.deliver(self._change("message_changed", before, after))

    async def delete(self, ts: str) -> None:
        """Delete a message and tell the app."""
        before = self.message(ts)
        self.messages.remove(before)
        await self.deliver(self._change("message_deleted", before, None))

    async def click(self, user: str, ts: str, action_id: str) -> Json:
        """Press a button of a post, or choose from its menu, and tell the app."""
        return await self.deliver(self.click_body(user, ts, action_id))

    def click_body(self, user: str, ts: str, action_id: str) -> Json:
        """Return what Slack sends when a button is pressed, or the entry of that action chosen from a menu."""
        message = self.message(ts)
        body = {
            **self._pressed(user, message["blocks"], action_id),
            "container": {"type": "message", "message_ts": ts, "channel_id": message["channel"]},
            "channel": {"id": message["channel"]},
            "message": {k: message[k] for k in ("ts", "thread_ts", "text", "blocks") if message.get(k)},
        }
        if message in self.ephemerals:
            body.pop("message")
            body["container"] |= {"is_ephemeral": True, "thread_ts": message.get("thread_ts")}
        return body

    async def press(self, user: str, view: Json, action_id: str) -> Json:
        """Press a button of a modal or of somebody's home and tell the app."""
        body = self._pressed(user, view["blocks"], action_id)
        container = {"type": "view", "view_id": view["id"]}
        return await self.deliver({**body, "container": container, "view": {**view, "state": {"values": {}}}})

    def _pressed(self, user: str, blocks: list[Json], action_id: str) -> Json:
        pressed = next(found for found in _pressable(blocks) if found[0] == action_id)[1]
        return {
            "type": "block_actions",
            "token": "legacy",
            "team": {"id": TEAM},
            "user": {"id": user, "team_id": TEAM},
            "api_app_id": APP,
            "trigger_id": f"trigger.{next(self.ticks)}",
            "actions": [{**pressed, "action_ts": self.next_ts()}],
        }

    async def submit(self, user: str, view: Json, text: str | None = None, **fields: object) -> Json:
        """Send a modal and tell the app; returns the app's answer. What it is led on to is `views[-1]` then."""
        answer = await self.deliver(self.submit_body(user, view, text, **fields))
        if answer.get("response_action") == "update":
            problem = block_problem(answer["view"]["blocks"], is_view=True)
            assert not problem, problem
            self.views.append({**answer["view"], "id": view["id"], "hash": f"{next(self.ticks)}.abc"})
        return answer

    def submit_body(self, user: str, view: Json, text: str | None = None, **fields: object) -> Json:
        """Return what Slack sends when a modal is sent: `text` stands in its box for text."""
        boxes = [b for b in view["blocks"] if b["type"] == "input"]
        named = next((b for b in boxes if b["block_id"] == "text"), None)
        first = named or next((b for b in boxes if b["element"]["type"] == "plain_text_input"), None)
        values: Json = {}
        for box in boxes:
            given = text if box is first and text is not None else fields.get(box["block_id"])
            values[box["block_id"]] = {box["element"]["action_id"]: _filled(box["element"], given)}
        return {
            "type": "view_submission",
            "token": "legacy",
            "team": {"id": TEAM},
            "user": {"id": user, "team_id": TEAM},
            "api_app_id": APP,
            "view": {**view, "state": {"values": values}},
        }

    async def react(self, user: str, ts: str, name: str) -> None:
        """Put a reaction on a message and tell the app."""
        self.put_reaction(self.message(ts), user, name)
        item = {"type": "message", "channel": QUEUE, "ts": ts}
        event = {"type": "reaction_added", "user": user, "reaction": name, "item": item, "event_ts": self.next_ts()}
        await self.deliver(self.event(event))

    async def choose(self, user: str, ts: str, callback_id: str) -> None:
        """Choose a shortcut from a message's menu and tell the app."""
        message = self.message(ts)
        await self.deliver(
            {
                "type": "message_action",
                "callback_id": callback_id,
                "team": {"id": TEAM},
                "user": {"id": user, "team_id": TEAM},
                "channel": {"id": message["channel"]},
                "message": message,
                "message_ts": ts,
                "action_ts": self.next_ts(),
                "trigger_id": f"trigger.{next(self.ticks)}",
            }
        )

    async def command(self, user: str, text: str) -> str:
        """Write a command and tell the app; returns what it is told apart by in `answers`."""
        number = str(next(self.ticks))
        await self.deliver(
            {
                "command": "/tandem",
                "text": text,
                "user_id": user,
                "team_id": TEAM,
                "channel_id": QUEUE,
                "trigger_id": f"trigger.{number}",
                "response_url": f"{self.url}/answers/{number}",
            }
        )
        return number

    async def open_home(self, user: str) -> None:
        """Open the app's page and tell the app."""
        await self.deliver(self.event({"type": "app_home_opened", "user": user, "channel": "D1", "tab": "home"}))

    def upload(self, name: str, mimetype: str, content: bytes) -> Json:
        """Return a file as a message carries it."""
        file_id = f"F{next(self.ticks)}"
        url = f"{self.url}/files/{file_id}"
        file = {"id": file_id, "name": name, "mimetype": mimetype, "size": len(content), "url_private_download": url}
        self.files[file_id] = (file, content)
        return file

    def event(self, event: Json) -> Json:
        """Return the envelope of an event."""
        event_id = f"Ev{next(self.ticks):08d}"
        return {
            "type": "event_callback",
            "token": "legacy",
            "team_id": TEAM,
            "api_app_id": APP,
            "event": event,
            "event_id": event_id,
            "event_time": int(time.time()),
        }

    def _change(self, subtype: str, before: Json, after: Json | None) -> Json:
        event = {
            "type": "message",
            "subtype": subtype,
            "channel": before["channel"],
            "previous_message": before,
            "ts": self.next_ts(),
        }
        return self.event({**event, "message": after} if after else event)


def _pressable(blocks: list[Json]) -> list[tuple[str, Json]]:
    """Return what can be pressed, by its action; an entry of a menu by the action that stands in its value."""
    found: list[tuple[str, Json]] = []
    for element in nodes(blocks):
        action_id = str(element.get("action_id"))
        if element.get("type") == "button":
            found.append((action_id, {"type": "button", "action_id": action_id, "value": element["value"]}))
        if element.get("type") == "overflow":
            found += [
                (option["value"].split()[0], {"type": "overflow", "action_id": action_id, "selected_option": option})
                for option in element["options"]
            ]
    return found


def _filled(element: Json, given: Any) -> Json:
    """Return the state of an input: what was given, else what it began with."""
    kind = element["type"]
    if kind == "plain_text_input":
        return {"type": kind, "value": given if given is not None else element.get("initial_value")}
    if kind == "users_select":
        return {"type": kind, "selected_user": given}
    if kind == "datetimepicker":
        return {"type": kind, "selected_date_time": given}
    options = element["options"]
    if kind == "checkboxes":
        wanted = given if given is not None else [o["value"] for o in element.get("initial_options", ())]
        return {"type": kind, "selected_options": [o for o in options if o["value"] in list(wanted or ())]}
    chosen = next((o for o in options if o["value"] == given), None)
    return {"type": kind, "selected_option": chosen or (element.get("initial_option") if given is None else None)}
