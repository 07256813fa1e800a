"""The address of a database, in every way that people write it."""

from __future__ import annotations

from urllib.parse import urlsplit


def asyncpg_url(database_url: str) -> str:
    """The URL as asyncpg reads it; `postgres://` and SQLAlchemy's `postgresql+driver://` are accepted.

    Raises ValueError, without a word of the URL, for its password may be anywhere in one written wrongly.
    """
    parts = urlsplit(database_url)
    scheme = parts.scheme.partition("+")[0]
    if scheme not in ("postgresql", "postgres"):
        raise ValueError("a database URL starts with postgresql://")
    for place in parts.netloc.rpartition("@")[2].split(","):
        port = place.rpartition("]")[2].partition(":")[2]
        if port and not (port.isascii() and port.isdigit() and int(port) <= 65535):
            raise ValueError(
                "the port in a database URL is a number; of a password, write / @ : as %2F %40 %3A"
            )
    return "postgresql" + database_url[len(parts.scheme) :]
