"""The guard for a library that opens its own connections, in threads that are marked for it.

Every Python client asks `socket.getaddrinfo` and connects to what it answers, so a check there is a
check of the very address that is connected to. Other threads are not touched.
"""

from __future__ import annotations

import socket
import threading
from typing import Any, Final

from services.alerts.sending.guard import Guard, Refused


class _State(threading.local):
    guard: Guard | None = None
    refusal: Refused | None = None


_state: Final = _State()
_system_getaddrinfo: Final = socket.getaddrinfo


def _guarded_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as in the library
    found = _system_getaddrinfo(host, *args, **kwargs)
    if _state.guard is not None:
        name = host.decode("idna") if isinstance(host, bytes) else str(host or "")
        try:
            _state.guard.judge(name, [str(info[4][0]) for info in found])
        except Refused as refusal:
            _state.refusal = refusal
            raise
    return found


def guarded_thread(guard: Guard) -> None:
    """Marks the current thread: what it resolves is checked from now on."""
    _state.guard = guard
    socket.getaddrinfo = _guarded_getaddrinfo


def forget_refusal() -> None:
    _state.refusal = None


def last_refusal() -> Refused | None:
    """Why something was refused in this thread since `forget_refusal`; libraries swallow it."""
    return _state.refusal
