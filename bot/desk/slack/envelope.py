"""What Slack tells us, read into the few things the desk acts on."""

from __future__ import annotations

import json
from dataclasses import replace

from bot.desk.slack.buttons import MENU, DeskAction
from bot.desk.slack.events import (
    Click,
    HomeOpened,
    Reaction,
    Shortcut,
    SlackEvent,
    SlackFile,
    SlashCommand,
    Submission,
    ThreadChange,
    ThreadMessage,
    Unknown,
)
from bot.domain.tickets import TicketId

Json = dict[str, object]

#: What we add to an event that no event told of: when it was found, in seconds since 1970.
FOUND_AT = "tandem_found_at"

COMMAND = "/tandem"
#: Reactions that send the message they stand at.
SENDING = frozenset({"envelope", "incoming_envelope", "email", "e-mail"})
#: A modal of ours is not deeper.
_JSON_MAX = 4_000


def read(body: Json) -> SlackEvent:
    """Return what a verified body of Slack means; whatever does not fit is `Unknown`, never an error."""
    kind = _text(body, "type")
    if kind == "event_callback":
        return _event(body, _object(body, "event"))
    if kind == "block_actions":
        return _click(body)
    if kind == "view_submission":
        return _submission(body)
    if kind == "message_action":
        return _shortcut(body)
    if _text(body, "command") == COMMAND:
        return _command(body)
    return Unknown(kind=kind or ("command" if "command" in body else "nothing"))


def team_of(body: Json) -> str:
    """Return the workspace a body comes from."""
    return _text(body, "team_id") or _text(_object(body, "team"), "id") or "unknown"


def lane_of(event: SlackEvent) -> str:
    """Return what orders an event among others: its ticket's thread, else the person.

    All that asks for a message to be sent goes by that message, so that two who ask at once send it once.
    """
    match event:
        case Unknown():
            return event.kind
        case Submission(at=at) if at:
            return at
        case Click(channel="") | SlashCommand() | HomeOpened() | Submission():
            return f"person:{event.user}"
        case Click(action=DeskAction.SEND_LATE | DeskAction.SEND_PUBLIC):
            return f"{event.channel}:{event.argument.partition(' ')[0]}"
        case Reaction() | Shortcut(action=DeskAction.SEND_THIS) | Shortcut(thread=""):
            return f"{event.channel}:{event.ts}"
        case _:
            return f"{event.channel}:{event.thread}"


def _event(body: Json, event: Json) -> SlackEvent:
    kind, subtype = _text(event, "type"), _text(event, "subtype")
    unknown = Unknown(kind=f"event/{kind}/{subtype}" if subtype else f"event/{kind}")
    if kind == "reaction_added":
        return _reaction(event, _found_at(body)) or unknown
    if kind == "app_home_opened" and _text(event, "tab") in {"home", ""} and _text(event, "user"):
        return HomeOpened(external_id=f"home:{_text(body, 'event_id')}", user=_text(event, "user"))
    if kind != "message":
        return unknown
    if subtype in {"message_changed", "message_deleted"}:
        return _change(body, event) or unknown
    written = message(event, _text(event, "channel"))
    return replace(written, found_at=_found_at(body)) if written else unknown


def message(event: Json, channel: str) -> ThreadMessage | None:
    """Return what a person wrote in a thread, from an event or from a look into history; none for anything else."""
    subtype, thread, ts = _text(event, "subtype"), _text(event, "thread_ts"), _text(event, "ts")
    is_written = subtype in {"", "file_share", "thread_broadcast"}
    if not is_written or not _is_human(event) or not thread or not ts or thread == ts:
        return None
    # The message's own identity: the same one for Slack's repeats, for both transports and for a look into history.
    return ThreadMessage(
        external_id=f"message:{channel}:{ts}",
        channel=channel,
        thread=thread,
        ts=ts,
        user=_text(event, "user"),
        text=_text(event, "text"),
        blocks=event.get("blocks"),
        files=_files(event),
        is_broadcast=subtype == "thread_broadcast",
    )


def _change(body: Json, event: Json) -> ThreadChange | None:
    before, after = _object(event, "previous_message"), _object(event, "message")
    is_deleted = _text(event, "subtype") == "message_deleted" or _text(after, "subtype") == "tombstone"
    thread = _text(before, "thread_ts") or _text(after, "thread_ts")
    old, new = _text(before, "text"), _text(after, "text")
    if not _is_human(before) or not thread or thread == _text(before, "ts") or (not is_deleted and old == new):
        return None
    return ThreadChange(
        external_id=_change_id(body, event, is_deleted=is_deleted),
        channel=_text(event, "channel"),
        thread=thread,
        ts=_text(before, "ts"),
        user=_text(before, "user"),
        old_text=old,
        new_text=None if is_deleted else new,
        blocks=after.get("blocks"),
    )


def _change_id(body: Json, event: Json, *, is_deleted: bool) -> str:
    """Return the change's own identity, the same for a look into history; without it Slack's number of the event."""
    ts, edited = _text(_object(event, "previous_message"), "ts"), _object(_object(event, "message"), "edited")
    version = "deleted" if is_deleted else _text(edited, "ts")
    return f"change:{_text(event, 'channel')}:{ts}:{version}" if version else f"event:{_text(body, 'event_id')}"


def _reaction(event: Json, found_at: float | None) -> Reaction | None:
    item, name, user = _object(event, "item"), _text(event, "reaction"), _text(event, "user")
    channel, ts = _text(item, "channel"), _text(item, "ts")
    if name not in SENDING or _text(item, "type") != "message" or not (user and channel and ts):
        return None
    return Reaction(
        external_id=f"reaction:{channel}:{ts}:{user}:{name}:{_text(event, 'event_ts')}",
        channel=channel,
        ts=ts,
        user=user,
        at=seconds(event.get("event_ts")),
        found_at=found_at,
    )


def _click(body: Json) -> SlackEvent:
    actions = body.get("actions")
    pressed = actions[0] if isinstance(actions, list) and actions and isinstance(actions[0], dict) else {}
    name, value = _text(pressed, "action_id"), _text(pressed, "value")
    if name == MENU:
        name, _, value = _text(_object(pressed, "selected_option"), "value").partition(" ")
    if name.partition(":")[0] not in set(DeskAction):
        return Unknown(kind=f"button/{name}")
    container, shown, view = _object(body, "container"), _object(body, "message"), _object(body, "view")
    ts = _text(container, "message_ts") or _text(shown, "ts")
    user = _text(_object(body, "user"), "id")
    action = DeskAction(name.partition(":")[0])
    ticket_id, _, argument = ("", "", value) if action.is_of_home else value.partition(" ")
    where = ts or _text(view, "id")
    return Click(
        external_id=f"click:{user}:{_text(pressed, 'action_ts')}:{where}:{name}",
        channel="" if view else _text(container, "channel_id") or _text(_object(body, "channel"), "id"),
        thread=_text(shown, "thread_ts") or _text(container, "thread_ts") or ts,
        user=user,
        action=action,
        ticket_id=TicketId(ticket_id),
        argument=argument,
        trigger_id=_text(body, "trigger_id"),
        view_id=_text(view, "id") if _text(view, "type") == "modal" else "",
    )


def _submission(body: Json) -> SlackEvent:
    view = _object(body, "view")
    name, remembered = _text(view, "callback_id"), _text(view, "private_metadata")
    try:
        about = json.loads(remembered[:_JSON_MAX])
    except (ValueError, RecursionError):
        about = None
    if name not in set(DeskAction) or not isinstance(about, dict):
        return Unknown(kind=f"view/{name}")
    memory = {str(key): value for key, value in about.items() if isinstance(value, str)}
    return Submission(
        external_id=f"view:{_text(view, 'id')}:{_text(view, 'hash')}",
        at=memory.get("at", ""),
        user=_text(_object(body, "user"), "id"),
        action=DeskAction(name),
        ticket_id=TicketId(memory.get("ticket", "")),
        fields=_fields(_object(_object(view, "state"), "values")),
        memory=memory,
    )


def _fields(values: Json) -> dict[str, tuple[str, ...]]:
    """Return what each input says: its one element carries the text, the choice, the choices or the moment."""
    found: dict[str, tuple[str, ...]] = {}
    for name in values:
        element = next((e for e in _object(values, name).values() if isinstance(e, dict)), {})
        chosen = element.get("selected_options")
        several = [_text(o, "value") for o in chosen if isinstance(o, dict)] if isinstance(chosen, list) else []
        moment = element.get("selected_date_time")
        one = (
            _text(element, "value")
            or _text(_object(element, "selected_option"), "value")
            or _text(element, "selected_user")
            or (str(moment) if isinstance(moment, int) and 0 < moment < 10**11 else "")
        )
        found[name] = tuple(several) if several else ((one,) if one else ())
    return found


_SHORTCUTS = frozenset({DeskAction.SEND_THIS, DeskAction.KEEP_THIS, DeskAction.MAKE_MACRO, DeskAction.ANSWER_THIS})


def _shortcut(body: Json) -> SlackEvent:
    name, shown = _text(body, "callback_id"), _object(body, "message")
    channel, user = _text(_object(body, "channel"), "id"), _text(_object(body, "user"), "id")
    ts = _text(shown, "ts") or _text(body, "message_ts")
    if name not in _SHORTCUTS or not (channel and ts):
        return Unknown(kind=f"shortcut/{name}")
    return Shortcut(
        external_id=f"shortcut:{channel}:{ts}:{user}:{name}:{_text(body, 'action_ts')}",
        action=DeskAction(name),
        channel=channel,
        thread=_text(shown, "thread_ts"),
        ts=ts,
        user=user,
        trigger_id=_text(body, "trigger_id"),
        text=_text(shown, "text"),
        blocks=shown.get("blocks"),
    )


def _command(body: Json) -> SlashCommand:
    return SlashCommand(
        external_id=f"command:{_text(body, 'trigger_id')}",
        channel=_text(body, "channel_id"),
        user=_text(body, "user_id"),
        text=_text(body, "text"),
        response_url=_text(body, "response_url"),
    )


def _files(event: Json) -> tuple[SlackFile, ...]:
    files = event.get("files")
    found: list[SlackFile] = []
    for file in files if isinstance(files, list) else []:
        if isinstance(file, dict):
            size = file.get("size")
            found.append(
                SlackFile(
                    url=_text(file, "url_private_download") or _text(file, "url_private"),
                    name=_text(file, "name"),
                    media_type=_text(file, "mimetype"),
                    size=size if isinstance(size, int) else 0,
                )
            )
    return tuple(found)


def _is_human(message: Json) -> bool:
    """Whether a person wrote it: neither a bot nor this app, whose posts come back as events."""
    return bool(_text(message, "user")) and not message.get("bot_id") and not message.get("app_id")


def seconds(ts: object) -> float:
    """Return a time stamp of Slack's in seconds since 1970; 0 for anything else."""
    try:
        return float(ts) if isinstance(ts, str) else 0.0
    except ValueError:
        return 0.0


def _found_at(body: Json) -> float | None:
    found_at = body.get(FOUND_AT)
    return found_at if isinstance(found_at, float) else None


def _object(body: Json, key: str) -> Json:
    value = body.get(key)
    return value if isinstance(value, dict) else {}


def _text(body: Json, key: str) -> str:
    value = body.get(key)
    return value if isinstance(value, str) else ""
