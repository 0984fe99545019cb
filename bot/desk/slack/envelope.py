"""What Slack tells us, read into the few things the desk acts on."""

from __future__ import annotations

import json
from dataclasses import dataclass

from bot.desk.slack.cards import INPUT, DeskAction
from bot.domain.tickets import TicketId

Json = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class SlackFile:
    """A file that an agent put with a message."""

    #: fetched with the bot token
    url: str
    name: str
    media_type: str
    size: int


@dataclass(frozen=True, kw_only=True)
class ThreadMessage:
    """Something a person wrote in a thread."""

    external_id: str
    channel: str
    #: the message the thread hangs on
    thread: str
    ts: str
    user: str
    #: as Slack marks it up
    text: str
    #: emoji are looked up in these
    blocks: object
    files: tuple[SlackFile, ...]
    #: whether it was sent to the channel as well
    is_broadcast: bool


@dataclass(frozen=True, kw_only=True)
class ThreadChange:
    """A person edited or deleted what they had written in a thread."""

    external_id: str
    channel: str
    thread: str
    ts: str
    user: str
    #: before; marked up
    old_text: str
    #: after; none: deleted
    new_text: str | None


@dataclass(frozen=True, kw_only=True)
class Click:
    """A person pressed a button of a card."""

    external_id: str
    channel: str
    #: the card
    thread: str
    user: str
    action: DeskAction
    ticket_id: TicketId
    #: opens a modal, for three seconds
    trigger_id: str


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A person sent a modal."""

    external_id: str
    thread: str
    user: str
    action: DeskAction
    ticket_id: TicketId
    text: str


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """Something the desk does not act on."""

    #: Slack's words for it: "event/reaction_added"
    kind: str


SlackEvent = ThreadMessage | ThreadChange | Click | Submission | Unknown


def read(body: Json) -> SlackEvent:
    """Return what a verified body of Slack means; whatever does not fit is `Unknown`, never an error."""
    kind = _text(body, "type")
    if kind == "event_callback":
        return _event(body, _object(body, "event"))
    if kind == "block_actions":
        return _click(body)
    if kind == "view_submission":
        return _submission(body)
    return Unknown(kind=kind or ("command" if "command" in body else "nothing"))


def team_of(body: Json) -> str:
    """Return the workspace a body comes from."""
    return _text(body, "team_id") or _text(_object(body, "team"), "id") or "unknown"


def lane_of(event: SlackEvent, channel: str) -> str:
    """Return what orders an event among others: its thread, or for a change of nothing its kind."""
    if isinstance(event, Unknown):
        return event.kind
    return f"{channel}:{event.thread}"


def _event(body: Json, event: Json) -> SlackEvent:
    kind, subtype = _text(event, "type"), _text(event, "subtype")
    unknown = Unknown(kind=f"event/{kind}/{subtype}" if subtype else f"event/{kind}")
    if kind != "message":
        return unknown
    if subtype in {"message_changed", "message_deleted"}:
        return _change(body, event) or unknown
    is_written = subtype in {"", "file_share", "thread_broadcast"}
    thread, ts = _text(event, "thread_ts"), _text(event, "ts")
    if not is_written or not _is_human(event) or not thread or thread == ts:
        return unknown
    channel = _text(event, "channel")
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
        external_id=f"event:{_text(body, 'event_id')}",
        channel=_text(event, "channel"),
        thread=thread,
        ts=_text(before, "ts"),
        user=_text(before, "user"),
        old_text=old,
        new_text=None if is_deleted else new,
    )


def _click(body: Json) -> SlackEvent:
    actions = body.get("actions")
    action = actions[0] if isinstance(actions, list) and actions and isinstance(actions[0], dict) else {}
    name = _text(action, "action_id")
    if name not in set(DeskAction):
        return Unknown(kind=f"button/{name}")
    container = _object(body, "container")
    message = _object(body, "message")
    ts = _text(container, "message_ts") or _text(message, "ts")
    user = _text(_object(body, "user"), "id")
    return Click(
        external_id=f"click:{user}:{_text(action, 'action_ts')}:{ts}:{name}",
        channel=_text(container, "channel_id") or _text(_object(body, "channel"), "id"),
        thread=_text(message, "thread_ts") or ts,
        user=user,
        action=DeskAction(name),
        ticket_id=TicketId(_text(action, "value")),
        trigger_id=_text(body, "trigger_id"),
    )


def _submission(body: Json) -> SlackEvent:
    view = _object(body, "view")
    name = _text(view, "callback_id")
    try:
        about = json.loads(_text(view, "private_metadata"))
    except (ValueError, RecursionError):
        about = None
    if name not in set(DeskAction) or not isinstance(about, dict):
        return Unknown(kind=f"view/{name}")
    box = _object(_object(_object(_object(view, "state"), "values"), INPUT), INPUT)
    return Submission(
        external_id=f"view:{_text(view, 'id')}:{_text(view, 'hash')}",
        thread=_text(about, "thread"),
        user=_text(_object(body, "user"), "id"),
        action=DeskAction(name),
        ticket_id=TicketId(_text(about, "ticket")),
        text=_text(box, "value"),
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


def _object(body: Json, key: str) -> Json:
    value = body.get(key)
    return value if isinstance(value, dict) else {}


def _text(body: Json, key: str) -> str:
    value = body.get(key)
    return value if isinstance(value, str) else ""
