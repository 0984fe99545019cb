"""The time of this machine, for connectors that are not given another."""

from __future__ import annotations

from datetime import UTC, datetime


def this_moment() -> datetime:
    """Return the present moment, aware and in UTC."""
    return datetime.now(UTC)
