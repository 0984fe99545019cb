"""The state of a Slack workspace and what its Web API answers."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
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
        #: modals as they were opened and changed, the newest last
        self.views: list[Json] = []
        #: everybody's page of the app
        self.homes: dict[str, Json] = {}
        self.groups: dict[str, list[str]] = {}
        self.files: dict[str, tuple[Json, bytes]] = {}
        self.url = ""
        self.ticks = itertools.count(1)
        #: what the time stamps of messages follow, in seconds; none: a clock that only ticks
        self.clock: Callable[[], float] | None = None

    def add_channel(self, channel: str, name: str) -> None:
        """Add a channel that the bot is in."""
        self.channels[channel] = {"id": channel, "name": name, "is_member": True, "is_archived": False}

    def add_user(self, user: str, name: str, **flags: object) -> None:
        """Add a person; flags as in Slack's user object."""
        profile = {"display_name": name, "real_name": f"{name} Example"}
        self.users[user] = {"id": user, "name": name.lower(), "team_id": TEAM, "profile": profile, **flags}

    def thread(self, ts: str) -> list[Json]:
        """Return the replies in a thread."""
        return [m for m in self.messages if m.get("thread_ts") == ts and m["ts"] != ts]

    def message(self, ts: str) -> Json:
        """Return one message."""
        return next(m for m in [*self.messages, *self.ephemerals] if m["ts"] == ts)

    def reactions(self, ts: str) -> set[str]:
        """Return the names of the app's reactions on a message."""
        return {str(r["name"]) for r in self.message(ts).get("reactions", ()) if BOT_USER in r["users"]}

    def put_reaction(self, message: Json, user: str, name: str) -> bool:
        """Put somebody's reaction on a message, as Slack shows it there; return whether it is new."""
        reactions = message.setdefault("reactions", [])
        there = next((reaction for reaction in reactions if reaction["name"] == name), None)
        if there is None:
            there = {"name": name, "users": [], "count": 0}
            reactions.append(there)
        if user in there["users"]:
            return False
        there.update(users=[*there["users"], user], count=there["count"] + 1)
        return True

    def next_ts(self) -> str:
        """Return the time stamp of a new message."""
        tick = next(self.ticks)
        return f"{int(self.clock())}.{tick:06d}" if self.clock else f"{1_800_000_000 + tick}.000100"

    def answer(self, method: str, arguments: Json) -> Json:
        """Return what the Web API answers to a call."""
        handler = _METHODS.get(method)
        answer: Json = handler(self, arguments) if handler else {"error": "unknown_method"}
        return {"ok": "error" not in answer, **answer}

    def _auth_test(self, _: Json) -> Json:
        url = "https://copperleaf.slack.com/"
        names = {"team": "Copperleaf", "user": "tandem", "url": url}
        return {"team_id": TEAM, "user_id": BOT_USER, "bot_id": BOT_ID, **names}

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
        problem = self._closed(arguments["channel"])
        if problem:
            return {"error": problem}
        here = [m for m in self.messages if m.get("channel") == arguments["channel"]]
        replies: dict[str, list[Json]] = {}
        for message in here:
            if message.get("thread_ts") not in (None, message["ts"]):
                replies.setdefault(message["thread_ts"], []).append(message)
        roots = [m for m in here if m.get("thread_ts") in (None, m["ts"]) and _is_between(m, arguments)]
        return self._page([{**m, **_counted(replies.get(m["ts"], []))} for m in roots[::-1]], arguments)

    def _conversations_replies(self, arguments: Json) -> Json:
        ts, channel = arguments["ts"], arguments["channel"]
        problem = self._closed(channel)
        if problem:
            return {"error": problem}
        found = [m for m in self.messages if m.get("channel") == channel and ts in (m["ts"], m.get("thread_ts"))]
        # The first message of a thread comes with every page.
        shown = [m for m in found if m["ts"] == ts or _is_between(m, arguments)]
        return self._page(shown, arguments) if found else {"error": "thread_not_found"}

    def _closed(self, channel: str) -> str:
        """Return why nothing can be read in a channel; an archived one can."""
        known = self.channels.get(channel)
        return "channel_not_found" if known is None else "" if known["is_member"] else "not_in_channel"

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
        thread = arguments.get("thread_ts")
        if thread and not any(thread in (m["ts"], m.get("thread_ts")) for m in self.messages):
            return {"error": "thread_not_found"}
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
        if self.channels[arguments["channel"]]["is_archived"]:
            return {"error": "is_archived"}
        problem = block_problem(arguments.get("blocks") or [])
        if problem:
            return {"error": problem}
        found[0].update({k: arguments[k] for k in ("text", "blocks", "metadata") if k in arguments})
        return {"ts": arguments["ts"], "channel": arguments["channel"]}

    def _chat_post_ephemeral(self, arguments: Json) -> Json:
        problem = block_problem(arguments.get("blocks") or [])
        if problem:
            return {"error": problem}
        self.ephemerals.append({**arguments, "ts": self.next_ts()})
        return {"message_ts": self.ephemerals[-1]["ts"]}

    def _reactions_add(self, arguments: Json) -> Json:
        found = [m for m in self.messages if m["ts"] == arguments["timestamp"]]
        if not found:
            return {"error": "message_not_found"}
        is_new = self.put_reaction(found[0], BOT_USER, arguments["name"])
        return {} if is_new else {"error": "already_reacted"}

    def _reactions_remove(self, arguments: Json) -> Json:
        found = [m for m in self.messages if m["ts"] == arguments["timestamp"]]
        if not found:
            return {"error": "message_not_found"}
        mine = [r for r in found[0].get("reactions", ()) if (r["name"], r["users"]) == (arguments["name"], [BOT_USER])]
        if not mine:
            return {"error": "no_reaction"}
        found[0]["reactions"].remove(mine[0])
        return {}

    def _views_open(self, arguments: Json) -> Json:
        view = arguments["view"] if isinstance(arguments["view"], dict) else json.loads(arguments["view"])
        if not str(arguments["trigger_id"]).startswith("trigger."):
            return {"error": "invalid_trigger_id"}
        return self._keep_view(view, f"V{next(self.ticks)}")

    def _views_update(self, arguments: Json) -> Json:
        view = arguments["view"] if isinstance(arguments["view"], dict) else json.loads(arguments["view"])
        is_known = any(known["id"] == arguments["view_id"] for known in self.views)
        return self._keep_view(view, arguments["view_id"]) if is_known else {"error": "not_found"}

    def _keep_view(self, view: Json, view_id: str) -> Json:
        problem = block_problem(view["blocks"], is_view=True)
        if problem or len(view["title"]["text"]) > 24:
            return {"error": problem or "invalid_arguments"}
        self.views.append({**view, "id": view_id, "hash": f"{next(self.ticks)}.abc"})
        return {"view": self.views[-1]}

    def _views_publish(self, arguments: Json) -> Json:
        view = arguments["view"] if isinstance(arguments["view"], dict) else json.loads(arguments["view"])
        problem = block_problem(view["blocks"], is_view=True)
        if problem:
            return {"error": problem}
        self.homes[arguments["user_id"]] = {**view, "id": f"VH{arguments['user_id']}"}
        return {"view": self.homes[arguments["user_id"]]}

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


def _is_between(message: Json, arguments: Json) -> bool:
    """Whether a message is younger than `oldest` and older than `latest`, or just as old with `inclusive`."""
    ts, oldest = float(message["ts"]), float(arguments.get("oldest") or 0)
    latest = float(arguments.get("latest") or "inf")
    is_inclusive = str(arguments.get("inclusive")).lower() in {"1", "true"}
    return oldest <= ts <= latest if is_inclusive else oldest < ts < latest


def _counted(replies: list[Json]) -> Json:
    """Return what the first message of a thread tells of the others."""
    if not replies:
        return {}
    users = list(dict.fromkeys(str(reply.get("user")) for reply in replies))
    return {
        "thread_ts": replies[0]["thread_ts"],
        "reply_count": len(replies),
        "reply_users": users[:5],
        "reply_users_count": len(users),
        "latest_reply": replies[-1]["ts"],
    }


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
    "views.publish": Workspace._views_publish,
    "views.update": Workspace._views_update,
}
