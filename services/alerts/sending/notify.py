"""Chat, pagers and the rest, by the library `apprise` and its URLs (slack://…, msteams://…, pagerduty://…)."""

from __future__ import annotations

import asyncio
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any, Final

import apprise

from services.alerts.domain.retry import Outcome, Result
from services.alerts.sending.guard import Guard
from services.alerts.sending.guarded_threads import Leash, begin, guarded_thread, last_refusal
from services.alerts.sending.letters import MAX_NOTE, Letter

THREADS: Final = 512
"""As many as deliveries may be under way, so that none waits behind those that hang; made when needed."""
_LOCAL: Final = frozenset(
    {"syslog", "dbus", "kde", "qt", "glib", "gnome", "macosx", "windows", "gntp", "growl", "rsyslog", "smpp"}
)
"""Services that speak to this machine, or past the guard by protocols of their own."""
_KINDS: Final = {"urgent": "failure", "high": "warning", "medium": "info", "low": "info"}


class BadTarget(ValueError):  # noqa: N818 - a finding
    """The URL is none that can be sent to; the message does not repeat it."""


@cache
def _library() -> Any:  # noqa: ANN401 - the library has no types
    """Its modules are loaded at first use, which takes a second and warns of what they import."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        apprise.Apprise.instantiate("json://localhost", suppress_exceptions=True)
    return apprise


def parse(url: str) -> Any:  # noqa: ANN401 - a plugin of the library
    """The service behind a URL; blocks. Redirects are never followed. Raises BadTarget."""
    asset = apprise.AppriseAsset(http_redirects=False, async_mode=False, secure_logging=True)
    scheme = url.partition("://")[0].casefold()
    if scheme in _LOCAL:
        raise BadTarget(f"{scheme} speaks to this machine, which is no receiver")
    service = _library().Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if service is None:
        raise BadTarget("no notification URL that the library knows")
    service.redirects = False
    return service


class Notifier:
    """Sends in threads of its own, because the library blocks; they resolve and connect under guard."""

    def __init__(self, guard: Guard) -> None:
        self._pool = ThreadPoolExecutor(THREADS, "notify", initializer=guarded_thread, initargs=(guard,))
        self._under_way: set[Leash] = set()

    async def send(self, url: str, letter: Letter, severity: str, timeout_s: float) -> Result:
        """One attempt."""
        leash = Leash()
        self._under_way.add(leash)
        kind = _KINDS.get(severity, "info")
        work = partial(_notify, leash, url, letter, kind, timeout_s)
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        except TimeoutError:
            return Result(Outcome.TIMEOUT, detail=f"no answer within {timeout_s:g} s")
        except Exception as error:  # noqa: BLE001 - a hundred plugins raise what they like
            return Result(Outcome.FAILED, detail=f"the service could not be told ({type(error).__name__})")
        finally:
            leash.cut()
            self._under_way.discard(leash)

    def close(self) -> None:
        for leash in self._under_way:
            leash.cut()
        self._pool.shutdown(wait=False, cancel_futures=True)


def _notify(leash: Leash, url: str, letter: Letter, kind: str, timeout_s: float) -> Result:
    """In a guarded thread."""
    try:
        service = parse(url)
    except BadTarget as error:
        return Result(Outcome.REFUSED, detail=str(error))
    service.socket_connect_timeout = min(4.0, timeout_s)
    service.socket_read_timeout = timeout_s
    begin(leash)
    try:
        sent = service.notify(title=letter.subject, body=letter.text[:MAX_NOTE], notify_type=kind)
    finally:
        leash.let_go()
    if (refusal := last_refusal()) is not None:
        return Result(Outcome.REFUSED, detail=str(refusal))
    if sent:
        return Result(Outcome.DELIVERED)
    return Result(Outcome.FAILED, detail="the service did not take the message")
