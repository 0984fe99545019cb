"""Places that customers send, as something people can open."""

from __future__ import annotations


def map_link(latitude: float, longitude: float) -> str:
    """Return the address of a map with a mark at the place."""
    return f"https://www.openstreetmap.org/?mlat={latitude:.5f}&mlon={longitude:.5f}"
