"""The state of a Slack workspace and what its Web API answers."""

from __future__ import annotations

import itertools
import json
from typing import Any

from tests.fakes.slack_rules import block_problem

Json = dict[str, Any]
TEAM, BOT_USER, BOT_ID, APP = "T0TANDEM", "U0BOT", "B0BOT", "A0TANDEM"
QUEUE = "C0QUEUE"


class Workspace:
    """One app, one queue channel and some people."""

    def __init__(self) -> None:
        """Begin with an empty queue channel and two members, Alice and Bob."""
        self.users: dict[str, Json] = {}
        for user, name in (("U0ALICE", "Alice"), ("U0BOB", "Bob")):
            self.add_user(user, name)
        self.channels: dict[str, Json] = {QUEUE: {"id": QUEUE, "name": "care", "is_member": True, "is_archived": False}}
        self.messages: list[Json] = []
        self.ephemerals: list[Json] = []
        self.views: list[Json] = []
        self.groups: dict[str, list[str]] = {}
        self.files: dict[str, tuple[Json, bytes]] = {}
        self.url = ""
        self.ticks = itertools.count(1)

    def add_user(self, user: str, name: str, **flags: object) -> None:
        """Add a person; flags as in Slack's user object."""
        profile = {"display_name": name, "real_name": f"{name} Example"}
        self.users[user] = {"id": user, "name": name.lower(), "team_id": TEAM, "profile": profile, **flags}

    def thread(self, ts: str) -> list[Json]:
        """Return the replies in a thread."""
        return [m for m in self.messages if m.get("thread_ts") == ts and m["ts"] != ts]

    def message(self, ts: str) -> Json:
        """Return one message."""
        return next(m for m in self.messages if m["ts"] == ts)

    def reactions(self, ts: str) -> set[str]:
        """Return the names of the reactions on a message."""
        return set(self.message(ts).get("reactions", ()))

    def next_ts(self) -> str:
        """Return the time stamp of a new message."""
        return f"{1_800_000_000 + next(self.ticks)}.000100"

    def answer(self, method: str, arguments: Json) -> Json:
        """Return what the Web API answers to a call."""
        handler = _METHODS.get(method)
        answer: Json = handler(self, arguments) if handler else {"error": "unknown_method"}
        return {"ok": "error" not in answer, **answer}

    def _auth_test(self, _: Json) -> Json:
        return {"team_id": TEAM, "team": "Copperleaf", "user": "tandem", "user_id": BOT_USER, "bot_id": BOT_ID}

    def _apps_connections_open(self, _: Json) -> Json:
        return {"url": self.url.replace("http", "ws") + "/link"}

    def _users_info(self, arguments: Json) -> Json:
        user = self.users.get(arguments["user"])
        return {"user": user} if user else {"error": "user_not_found"}

    def _usergroups_users_list(self, arguments: Json) -> Json:
        members = self.groups.get(arguments["usergroup"])
        return {"error": "no_such_subteam"} if members is None else {"users": members}

    def _conversations_info(self, arguments: Json) -> Json:
        channel = self.channels.get(arguments["channel"])
        return {"channel": channel} if channel else {"error": "channel_not_found"}

    def _conversations_history(self, arguments: Json) -> Json:
        oldest = float(arguments.get("oldest") or 0)
        roots = [m for m in self.messages if m.get("thread_ts") in (None, m["ts"]) and float(m["ts"]) > oldest]
        return self._page(roots[::-1], arguments)

    def _conversations_replies(self, arguments: Json) -> Json:
        ts = arguments["ts"]
        found = [m for m in self.messages if m["ts"] == ts or m.get("thread_ts") == ts]
        return self._page(found, arguments) if found else {"error": "thread_not_found"}

    def _page(self, found: list[Json], arguments: Json) -> Json:
        start, limit = int(arguments.get("cursor") or 0), int(arguments.get("limit") or 100)
        shown = [dict(m) for m in found[start : start + limit]]
        if str(arguments.get("include_all_metadata")).lower() not in {"1", "true"}:
            for message in shown:
                message.pop("metadata", None)
        cursor = str(start + limit) if start + limit < len(found) else ""
        return {"messages": shown, "has_more": bool(cursor), "response_metadata": {"next_cursor": cursor}}

    def _chat_post_message(self, arguments: Json) -> Json:
        channel = self.channels.get(arguments["channel"])
        if channel is None:
            return {"error": "channel_not_found"}
        if channel["is_archived"]:
            return {"error": "is_archived"}
        if not channel["is_member"]:
            return {"error": "not_in_channel"}
        problem = block_problem(arguments.get("blocks") or [])
        if problem:
            return {"error": problem}
        ts = self.next_ts()
        own = {"type": "message", "ts": ts, "user": BOT_USER, "bot_id": BOT_ID, "app_id": APP}
        self.messages.append({**{k: v for k, v in arguments.items() if v is not None}, **own})
        return {"ts": ts, "channel": arguments["channel"], "message": self.message(ts)}

    def _chat_update(self, arguments: Json) -> Json:
        found = [m for m in self.messages if m["ts"] == arguments["ts"]]
        if not found:
            return {"error": "message_not_found"}
        problem = block_problem(arguments.get("blocks") or [])
        if problem:
            return {"error": problem}
        found[0].update({k: arguments[k] for k in ("text", "blocks", "metadata") if k in arguments})
        return {"ts": arguments["ts"], "channel": arguments["channel"]}

    def _chat_post_ephemeral(self, arguments: Json) -> Json:
        problem = block_problem(arguments.get("blocks") or [])
        if problem:
            return {"error": problem}
        self.ephemerals.append(arguments)
        return {"message_ts": self.next_ts()}

    def _reactions_add(self, arguments: Json) -> Json:
        found = [m for m in self.messages if m["ts"] == arguments["timestamp"]]
        if not found:
            return {"error": "message_not_found"}
        names = found[0].setdefault("reactions", [])
        if arguments["name"] in names:
            return {"error": "already_reacted"}
        names.append(arguments["name"])
        return {}

    def _reactions_remove(self, arguments: Json) -> Json:
        names = self.message(arguments["timestamp"]).setdefault("reactions", [])
        if arguments["name"] not in names:
            return {"error": "no_reaction"}
        names.remove(arguments["name"])
        return {}

    def _views_open(self, arguments: Json) -> Json:
        view = arguments["view"] if isinstance(arguments["view"], dict) else json.loads(arguments["view"])
        if not str(arguments["trigger_id"]).startswith("trigger."):
            return {"error": "invalid_trigger_id"}
        problem = block_problem(view["blocks"]) or (len(view["title"]["text"]) > 24 and "invalid_arguments")
        if problem:
            return {"error": problem}
        number = next(self.ticks)
        self.views.append({**view, "id": f"V{number}", "hash": f"{number}.abc"})
        return {"view": self.views[-1]}

    def _files_get_upload_url(self, arguments: Json) -> Json:
        file_id = f"F{next(self.ticks)}"
        self.files[file_id] = ({"id": file_id, "name": arguments["filename"]}, b"")
        return {"upload_url": f"{self.url}/upload/{file_id}", "file_id": file_id}

    def _files_complete_upload_external(self, arguments: Json) -> Json:
        files = arguments["files"] if isinstance(arguments["files"], list) else json.loads(arguments["files"])
        shared = [self.files[file["id"]][0] for file in files]
        message = {"type": "message", "ts": self.next_ts(), "channel": arguments.get("channel_id"), "text": ""}
        own = {"user": BOT_USER, "bot_id": BOT_ID, "app_id": APP, "thread_ts": arguments.get("thread_ts")}
        self.messages.append({**message, **own, "files": shared})
        return {"files": shared}


_METHODS = {
    "apps.connections.open": Workspace._apps_connections_open,
    "auth.test": Workspace._auth_test,
    "chat.postEphemeral": Workspace._chat_post_ephemeral,
    "chat.postMessage": Workspace._chat_post_message,
    "chat.update": Workspace._chat_update,
    "conversations.history": Workspace._conversations_history,
    "conversations.info": Workspace._conversations_info,
    "conversations.replies": Workspace._conversations_replies,
    "files.completeUploadExternal": Workspace._files_complete_upload_external,
    "files.getUploadURLExternal": Workspace._files_get_upload_url,
    "reactions.add": Workspace._reactions_add,
    "reactions.remove": Workspace._reactions_remove,
    "usergroups.users.list": Workspace._usergroups_users_list,
    "users.info": Workspace._users_info,
    "views.open": Workspace._views_open,
}
