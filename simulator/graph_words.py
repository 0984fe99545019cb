"""Meta's words for what customers do, as they stand in webhook calls; the shapes are those of Meta's documents."""

from __future__ import annotations

import time

from simulator.graph import FakeGraph, Json, Shown

OBJECTS = {"messenger": "page", "instagram": "instagram", "whatsapp": "whatsapp_business_account"}


def call(channel: str, events: list[Json], graph: FakeGraph) -> Json:
    """Return the body of one call that brings events, in order."""
    account = graph.page_id if channel == "messenger" else graph.instagram_id
    now = _now_ms()
    if channel != "whatsapp":
        people = [{"sender": {"id": event["of"]}, "recipient": {"id": account}} for event in events]
        told = [{name: value for name, value in event.items() if name != "of"} for event in events]
        messaging = [_addressed(who, each, now) for who, each in zip(people, told, strict=True)]
        entries: list[Json] = [{"id": account, "time": now, "messaging": [each]} for each in messaging]
        return {"object": OBJECTS[channel], "entry": entries}
    common: Json = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": graph.number_id}}
    changes = [{"field": "messages", "value": common | event} for event in events]
    return {"object": OBJECTS[channel], "entry": [{"id": graph.business_id, "changes": changes}]}


def _addressed(people: Json, event: Json, now: int) -> Json:
    if event.get("message", {}).get("is_echo"):
        people = {"sender": people["recipient"], "recipient": people["sender"]}
    return {"timestamp": now} | people | event


def text(channel: str, person: str, name: str, external_id: str, words: str) -> Json:
    """Return a text of a customer's."""
    if channel == "whatsapp":
        return _whatsapp(person, name, {"id": external_id, "type": "text", "text": {"body": words}})
    return {"of": person, "message": {"mid": external_id, "text": words}}


def tap(channel: str, person: str, name: str, external_id: str, choice: tuple[str, str]) -> Json:
    """Return a tap on a choice, given as its title and payload."""
    title, payload = choice
    if channel == "whatsapp":
        reply = {"type": "button_reply", "button_reply": {"id": payload, "title": title}}
        return _whatsapp(person, name, {"id": external_id, "type": "interactive", "interactive": reply})
    return {"of": person, "message": {"mid": external_id, "text": title, "quick_reply": {"payload": payload}}}


def edit(channel: str, person: str, of: str, words: str, names: tuple[int, str]) -> Json:
    """Return a change of the message `of`: its number and the id of the event."""
    number, event_id = names
    if channel == "whatsapp":
        changed = {"original_message_id": of, "message": {"type": "text", "text": {"body": words}}}
        return _whatsapp(person, "", {"id": event_id, "type": "edit", "edit": changed})
    return {"of": person, "message_edit": {"mid": of, "text": words, "num_edit": number}}


def withdrawal(channel: str, person: str, of: str, event_id: str) -> Json | None:
    """Return that the message `of` was taken back; none where Meta does not tell."""
    if channel == "whatsapp":
        return _whatsapp(person, "", {"id": event_id, "type": "revoke", "revoke": {"original_message_id": of}})
    return {"of": person, "message": {"mid": of, "is_deleted": True}} if channel == "instagram" else None


def reaction(channel: str, person: str, of: str, sign: str, event_id: str) -> Json:
    """Return a sign that a customer puts to the message `of`."""
    if channel == "whatsapp":
        return _whatsapp(
            person, "", {"id": event_id, "type": "reaction", "reaction": {"message_id": of, "emoji": sign}}
        )
    return {"of": person, "reaction": {"mid": of, "action": "react", "emoji": sign, "reaction": "other"}}


def reports(channel: str, person: str, shown: Shown, graph: FakeGraph) -> list[Json]:
    """Return all that Meta reports on a message of ours, in the order it should come."""
    if channel == "whatsapp":
        given = {"biz_opaque_callback_data": shown.given} if shown.given else {}
        common: Json = {"id": shown.message_id, "timestamp": str(_now_ms() // 1000), "recipient_user_id": person}
        return [{"statuses": [common | {"status": status} | given]} for status in ("sent", "delivered", "read")]
    read: Json = {"mid": shown.message_id} if channel == "instagram" else {"watermark": _now_ms()}
    told: list[Json] = [{"of": person, "read": read}]
    if channel == "messenger":
        told.insert(0, {"of": person, "delivery": {"mids": [shown.message_id], "watermark": _now_ms()}})
        if shown.given:
            echo = {"mid": shown.message_id, "is_echo": True, "app_id": int(graph.app_id), "text": shown.text}
            told.insert(0, {"of": person, "message": echo | {"metadata": shown.given}})
    return told


def _whatsapp(person: str, name: str, message: Json) -> Json:
    contacts = {"contacts": [{"profile": {"name": name}, "user_id": person}]} if name else {}
    return contacts | {"messages": [{"from_user_id": person, "timestamp": str(_now_ms() // 1000), **message}]}


def _now_ms() -> int:
    return int(time.time() * 1000)
