"""Python reads this file first when its folder is on PYTHONPATH: a clock that a test can set.

The file named by CXLOOP_TEST_CLOCK holds by how many seconds the clock of this process is wrong; it may
change at any time. Covered is what the services and the Kafka client ask for the time of day: `time.time`,
and `datetime.now` as the modules of the product call it. Not covered: what C code asks by itself.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

POLL_S = 0.05
_real_time, _real_ns = time.time, time.time_ns
_wrong_s = 0.0


def _time() -> float:
    return _real_time() + _wrong_s


def _time_ns() -> int:
    return _real_ns() + int(_wrong_s * 1e9)


class _Meta(type):
    """Everything but the present is the real class."""

    def __getattr__(cls, name: str) -> object:
        return getattr(datetime, name)

    def __call__(cls, *args: Any, **named: Any) -> datetime:  # noqa: ANN401
        return datetime(*args, **named)  # noqa: DTZ001 - the caller's affair

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, datetime)


class _Clock(metaclass=_Meta):
    @staticmethod
    def now(tz: tzinfo | None = None) -> datetime:
        return datetime.now(tz) + timedelta(seconds=_wrong_s)


def _patch_modules() -> None:
    """Where modules of the product hold the class `datetime`."""
    for name, module in list(sys.modules.items()):
        if name.startswith(("services.", "shared.")) and getattr(module, "datetime", None) is datetime:
            module.datetime = _Clock  # type: ignore[attr-defined]


def _follow(path: Path) -> None:
    global _wrong_s  # noqa: PLW0603 - the one clock of a process
    while True:
        time.sleep(POLL_S)
        with suppress(OSError, ValueError):
            wrong_s = float(path.read_text())
            if wrong_s != _wrong_s:
                _wrong_s = wrong_s
                _patch_modules()


if _named := os.environ.get("CXLOOP_TEST_CLOCK"):
    time.time, time.time_ns = _time, _time_ns
    threading.Thread(target=_follow, args=(Path(_named),), name="clock", daemon=True).start()
