"""The guard for a library that opens its own connections, in threads that are marked for it.

Every Python client asks `socket.getaddrinfo` and connects to what it answers, so a check there is a
check of the very address that is connected to; one that does without is checked as it connects. The
connections are kept on a leash, so that somebody else can end what its own thread waits for: the
library's limits are for each read, and a byte a second would keep it busy for ever.
Other threads are not touched.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from contextlib import suppress
from typing import Any, Final

from services.alerts.sending.guard import Guard, Refused


class Leash:
    """The connections of one piece of work. `cut` may be called from any thread."""

    def __init__(self) -> None:
        self._held: list[socket.socket] = []
        self._over = False
        self._lock = threading.Lock()

    def hold(self, connection: socket.socket) -> None:
        """Raises TimeoutError after `cut`."""
        with self._lock:
            if self._over:
                raise TimeoutError("the time of this work is over")
            # A second descriptor of the same connection: TLS takes the first one away from its object.
            self._held.append(connection.dup())

    def cut(self) -> None:
        """Whatever waits for one of the connections stops waiting; no new one is opened."""
        with self._lock:
            self._over = True
            for connection in self._held:
                with suppress(OSError):  # it may have ended by itself
                    connection.shutdown(socket.SHUT_RDWR)

    def let_go(self) -> None:
        """The work is done."""
        with self._lock:
            for connection in self._held:
                connection.close()
            self._held.clear()


class _State(threading.local):
    guard: Guard | None = None
    leash: Leash | None = None
    refusal: Refused | None = None
    judged: frozenset[str] = frozenset()


_state: Final = _State()
_system_getaddrinfo: Final = socket.getaddrinfo
_system_connect: Final = socket.socket.connect


def _guarded_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as in the library
    found = _system_getaddrinfo(host, *args, **kwargs)
    if _state.guard is not None:
        name = host.decode("idna") if isinstance(host, bytes) else str(host or "")
        _judge(_state.guard, name, [str(info[4][0]) for info in found])
    return found


def _judge(guard: Guard, name: str, addresses: list[str]) -> None:
    try:
        guard.judge(name, addresses)
    except Refused as refusal:
        _state.refusal = refusal
        raise
    _state.judged |= frozenset(addresses)


def _guarded_connect(self: socket.socket, address: Any) -> None:  # noqa: ANN401 - as in the library
    if _state.guard is not None and self.family in (socket.AF_INET, socket.AF_INET6):
        address = _checked(_state.guard, self, address)
        if _state.leash is not None:
            _state.leash.hold(self)
    _system_connect(self, address)


def _checked(guard: Guard, plug: socket.socket, address: Any) -> Any:  # noqa: ANN401
    """The address; where it is a name, the address of it that was judged."""
    host = str(address[0])
    if host in _state.judged:
        return address
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return _guarded_getaddrinfo(host, address[1], plug.family, plug.type)[0][4]
    _judge(guard, host, [host])
    return address


def guarded_thread(guard: Guard) -> None:
    """Marks the current thread: what it resolves and connects to is checked from now on."""
    _state.guard = guard
    socket.getaddrinfo = _guarded_getaddrinfo
    socket.socket.connect = _guarded_connect  # type: ignore[method-assign, assignment]


def begin(leash: Leash) -> None:
    """A new piece of work of this thread: nothing was refused yet, and nothing judged."""
    _state.leash, _state.refusal, _state.judged = leash, None, frozenset()


def last_refusal() -> Refused | None:
    """Why something was refused in this thread since `begin`; libraries swallow it."""
    return _state.refusal
