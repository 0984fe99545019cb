"""Ports that programs under test may listen on."""

from __future__ import annotations

import random
import socket

#: Below those that the kernel gives to connections going out, which could take a port before its program does.
_PORTS = range(15_000, 32_000)
_given: set[int] = set()


def free_port() -> int:
    """Return a loopback port that nobody listens on, another one at each call."""
    while True:
        port = random.SystemRandom().choice(_PORTS)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as bound:
        try:
            bound.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
