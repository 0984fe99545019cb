"""Events as plain JSON, so that fixtures can say what a payload means."""

from __future__ import annotations

import dataclasses
from datetime import datetime

from bot.domain.channels import ChannelAddress
from bot.domain.messages import InboundEvent


def plain(event: InboundEvent) -> dict[str, object]:
    """Return the event's kind and every field that is not at its default, but for what it was read from."""
    return {"event": type(event).__name__} | _fields(event)


def _fields(record: object) -> dict[str, object]:
    fields = dataclasses.fields(record)  # type: ignore[arg-type]
    values = {each.name: getattr(record, each.name) for each in fields}
    told = [each for each in fields if values[each.name] != _default(each) and each.name != "raw"]
    return {each.name: _value(values[each.name]) for each in told}


def _default(field: dataclasses.Field[object]) -> object:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _value(value: object) -> object:
    if isinstance(value, ChannelAddress):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return [_value(item) for item in value]
    if dataclasses.is_dataclass(value):
        return _fields(value)
    return value
