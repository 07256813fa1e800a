"""Is this the address of a webhook? Read as the client will read it, so that both mean the same host.

Names are not resolved here: they may be someone else's by the time of a delivery, which is checked then.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import httpx

MAX_NAME: Final = 253
MAX_LABEL: Final = 63


def host_of(url: str) -> str:
    """The host as the client connects to it. Raises ValueError with what is wrong, never with the URL."""
    if "\\" in url or not url.isprintable() or any(character.isspace() for character in url):
        raise ValueError("an http or https URL without spaces, control characters or backslashes")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an http or https URL")
    if "@" in parts.netloc:
        raise ValueError("no user or password in the URL: the signature proves who sends")
    if "%" in parts.netloc:
        raise ValueError("a host without escapes and zones")
    if parts.port == 0:  # reading it raises ValueError for one that is none
        raise ValueError("a port from 1 to 65535")
    try:
        host = httpx.URL(url).raw_host.decode("ascii")
    except (httpx.InvalidURL, UnicodeError):
        raise ValueError("a host that is a name or an address") from None
    if ":" not in host and not _is_name(host):
        raise ValueError("a host that is a name or an address")
    return host


def _is_name(host: str) -> bool:
    """Also true of IPv4 addresses, in whatever spelling."""
    name = host.removesuffix(".")
    return len(name) <= MAX_NAME and all(1 <= len(label) <= MAX_LABEL for label in name.split("."))
