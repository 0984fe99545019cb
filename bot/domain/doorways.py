"""Where the customers of public channels are asked to go on in private."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.connectors import Connector, Inviting
from bot.domain.public import Doorway


def doorways(connectors: Sequence[Connector], wanted: Sequence[str] = ()) -> dict[str, Doorway | None]:
    """Return where each public channel account (`channel/account`) leads; none: nowhere.

    That is the private channel of the same network (`x` of `x-mentions`), by a link if it has one, else by a code;
    without one, the first account that has a link. Where `wanted` names channels, it is one of them, the first that
    can be.
    """
    order = {channel: place for place, channel in enumerate(wanted)}
    found: dict[str, Doorway | None] = {}
    for known in connectors:
        if known.capabilities.is_public:
            ways = [each for each in connectors if not wanted or each.channel in order]
            ways.sort(key=lambda way: (order.get(way.channel, 0), not _is_of_one_network(known, way)))
            doors = (_doorway(way) for way in ways if _can_lead(known, way))
            found[f"{known.channel}/{known.account}"] = next(doors, None)
    return found


def _is_of_one_network(public: Connector, private: Connector) -> bool:
    return public.channel.startswith(f"{private.channel}-")


def _can_lead(public: Connector, private: Connector) -> bool:
    is_private = not private.capabilities.is_public
    return is_private and (_is_of_one_network(public, private) or _doorway(private).url is not None)


def _doorway(connector: Connector) -> Doorway:
    if isinstance(connector, Inviting) and connector.invitation_url("join-0") is not None:
        return Doorway(channel=connector.channel, url=connector.invitation_url)
    return Doorway(channel=connector.channel, url=None)
