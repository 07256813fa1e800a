"""Senders that sign nothing: a token in a header, in basic authentication or in the URL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from services.ingest.domain.sender import Delivery, SourceConfig, Unsigned, Verdict
from services.ingest.domain.signatures import any_matches, decode_base64

_TOKEN_HEADERS: Final = (
    "x-api-key",
    "x-auth-token",
    "x-access-token",
    "x-webhook-token",
    "x-webhook-secret",
    "x-cxloop-token",
)
_TOKEN_PARAMETERS: Final = frozenset(("token", "access_token"))
_PREFIX: Final = "/v1/webhooks/"
_UNTOLD: Final = ("signature", "token", "secret", "key", "auth", "cookie", "hmac", "forwarded")


def check_token(delivery: Delivery, source: SourceConfig) -> Verdict:
    """Compares in constant time with every active secret, by the source's `auth` mode.

    header: `Authorization` (bare, or after Bearer or Token), a usual token header, or the one that the
    source's setting `header` names. basic: `user:password`, or only the password where the secret has no
    colon. path: the step after the source's id, or `?token=`.
    """
    if source.auth == "basic":
        given, missing = list(_basic(delivery)), "authorization"
    elif source.auth == "path":
        given, missing = list(_in_url(delivery)), "a token in the URL"
    else:
        given, missing = list(_in_headers(delivery, source)), source.settings.get("header", "authorization")
    return any_matches(given, source.secrets) if given else Unsigned(missing)


def without_token(path_and_query: str) -> str:
    """The path up to the source's id and the query without tokens: what may be stored."""
    parts = urlsplit(path_and_query)
    source = parts.path.removeprefix(_PREFIX).partition("/")[0]
    kept = [
        pair for pair in parts.query.split("&") if pair.partition("=")[0].lower() not in _TOKEN_PARAMETERS
    ]
    query = "&".join(pair for pair in kept if pair)
    return f"{_PREFIX}{source}" + (f"?{query}" if query else "")


def storable_headers(delivery: Delivery) -> dict[str, str]:
    """The headers without those that authenticate or tell where a request came from."""
    return {
        name: value for name, value in delivery.headers.items() if not any(word in name for word in _UNTOLD)
    }


def _in_headers(delivery: Delivery, source: SourceConfig) -> Iterator[str]:
    own = source.settings.get("header")
    if own:
        if found := delivery.headers.get(own.lower()):
            yield _bare(found)
        return
    if found := delivery.headers.get("authorization"):
        yield _bare(found)
    for name in _TOKEN_HEADERS:
        if found := delivery.headers.get(name):
            yield found.strip()


def _bare(value: str) -> str:
    scheme, _, token = value.strip().partition(" ")
    return token.strip() if token and scheme.lower() in ("bearer", "token", "apikey") else value.strip()


def _basic(delivery: Delivery) -> Iterator[str]:
    scheme, _, encoded = delivery.headers.get("authorization", "").partition(" ")
    decoded = decode_base64(encoded) if scheme.lower() == "basic" else None
    if decoded:
        pair = decoded.decode("utf-8", "replace")
        yield pair
        yield pair.partition(":")[2]


def _in_url(delivery: Delivery) -> Iterator[str]:
    parts = urlsplit(delivery.path_and_query)
    token = parts.path.removeprefix(_PREFIX).partition("/")[2].strip("/")
    if token:
        yield unquote(token)
    for name, value in parse_qsl(parts.query):
        if name.lower() in _TOKEN_PARAMETERS:
            yield value
