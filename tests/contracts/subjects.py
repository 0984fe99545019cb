"""The connectors that keep the contract: one line each."""

from __future__ import annotations

from collections.abc import Callable

from tests.contracts import app, email, instagram, line, messenger, sms, telegram, webchat, whatsapp, x
from tests.contracts.subject import Subject

SUBJECTS: dict[str, Callable[[], Subject]] = {
    "app": app.subject,
    "email": email.subject,
    "instagram": instagram.subject,
    "line": line.subject,
    "messenger": messenger.subject,
    "sms": sms.subject,
    "telegram": telegram.subject,
    "webchat": webchat.subject,
    "whatsapp": whatsapp.subject,
    "x": x.messages,
    "x-mentions": x.mentions,
}
