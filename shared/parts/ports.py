"""Ports that stay ours while a server that will use them starts."""

from __future__ import annotations

import socket
from collections.abc import Sequence


class HeldPort:
    """A TCP port of 127.0.0.1, bound without listening until `close()`.

    Both sides bind with SO_REUSEADDR, so the server can take it while nobody else is handed it.
    """

    def __init__(self, wanted: int = 0) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind(("127.0.0.1", wanted))
        except OSError:
            self._socket.close()
            raise
        self.number: int = self._socket.getsockname()[1]

    def close(self) -> None:
        """Let the port go."""
        self._socket.close()


def hold(wanted: Sequence[int]) -> list[HeldPort]:
    """Hold one port per entry: the wanted number if it is free, another one if not or if it is 0."""
    return [_hold_one(number) for number in wanted]


def _hold_one(wanted: int) -> HeldPort:
    if wanted and not listening(wanted):
        try:
            return HeldPort(wanted)
        except OSError:
            return HeldPort()
    return HeldPort()


def listening(port: int) -> bool:
    """Whether somebody listens on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
