"""RFC 9457 problem details: the closed list of what can go wrong, and its JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.types import Receive, Scope, Send

CONTENT_TYPE = "application/problem+json"


class ProblemCode(Enum):
    """Every code there is: status and title. The type URI is `/problems/<code>`."""

    invalid_request = (400, "The request cannot be read or breaks a rule")
    beyond_horizon = (400, "The time asked for lies before what is kept")
    unauthorized = (401, "A valid API key is needed")
    forbidden = (403, "The API key lacks a scope")
    not_found = (404, "There is nothing here")
    method_not_allowed = (405, "This resource has no such method")
    conflict = (409, "The step is impossible in the present state")
    gone = (410, "This was erased")
    stale = (412, "Somebody changed it in the meantime")
    too_large = (413, "The body is too large")
    unsupported_media_type = (415, "The body is of an unknown kind")
    rate_limited = (429, "Too many requests")
    internal = (500, "An error of ours")
    unavailable = (503, "A part we need does not answer")

    @property
    def status(self) -> int:
        return self.value[0]

    @property
    def title(self) -> str:
        return self.value[1]


class Where(msgspec.Struct, frozen=True):
    """One fault of the input. `where`: a JSON pointer, `?query` or a header; `why`: never the value."""

    where: str
    why: str


class Problem(Exception):  # noqa: N818 - the field's own term, RFC 9457
    """Answered as `application/problem+json`. `detail` and `errors` are shown: no secrets in them."""

    def __init__(
        self,
        code: ProblemCode | str,
        detail: str,
        errors: Sequence[Where] = (),
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.code = ProblemCode[code] if isinstance(code, str) else code
        super().__init__(f"{self.code.name}: {detail}")
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})

    @property
    def status(self) -> int:
        return self.code.status

    def document(self) -> dict[str, Any]:
        """The JSON object of the answer."""
        document: dict[str, Any] = {
            "type": f"/problems/{self.code.name}",
            "title": self.code.title,
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            document["errors"] = [{"where": e.where, "why": e.why} for e in self.errors]
        return document | self.extra

    def raw_headers(self, length: int) -> list[tuple[bytes, bytes]]:
        headers = {"content-type": CONTENT_TYPE, "content-length": str(length)}
        if self.code is ProblemCode.unauthorized:
            headers["www-authenticate"] = "Bearer"
        if self.code is ProblemCode.unavailable:
            headers["retry-after"] = "5"
        headers |= {name.lower(): value for name, value in self.headers.items()}
        return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        """The problem as an ASGI answer, for raw endpoints and middleware."""
        body = msgspec.json.encode(self.document())
        await send(
            {"type": "http.response.start", "status": self.status, "headers": self.raw_headers(len(body))}
        )
        await send({"type": "http.response.body", "body": b"" if scope.get("method") == "HEAD" else body})


_BY_STATUS = {code.status: code for code in reversed(ProblemCode)}


def from_status(status: int, headers: Mapping[str, str] | None = None) -> Problem:
    """The problem for a bare HTTP status; unlisted 4xx become invalid_request, 5xx internal."""
    fallback = (
        ProblemCode.internal if status >= HTTPStatus.INTERNAL_SERVER_ERROR else ProblemCode.invalid_request
    )
    code = _BY_STATUS.get(status, fallback)
    return Problem(code, code.title, headers=headers)
