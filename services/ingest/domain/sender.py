"""The anatomy that every sender has: verify on raw bytes, explode into elements, normalise each.

One file per vendor in `services/ingest/senders/` fills it and ends with `SENDER = Sender(...)`:

    verify(delivery, source, now) -> Verdict                the signature, on the raw bytes; never raises
    explode(delivery, source) -> list[Element]              one per thing told; raises Unreadable
    normalise(element, delivery, source) -> Outcome         canonical events, or why there are none
    handshake(delivery, source) -> Reply | None             a verified POST that wants a certain answer

`explode` and `normalise` may raise `Unreadable` (the getters of `parsing` and `make_event` do): the
delivery or element is then kept in `rejected` with the reasons and its original bytes, and the vendor
still gets a 2xx. Tokens in a header, in basic authentication or in the path are compared by the service
itself (`auth` of the source); `verify` is asked only where the source says `signature`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, get_args

from shared.events import Event
from shared.events.rejections import Reason

Auth = Literal["signature", "header", "basic", "path"]
AUTH_MODES: Final = get_args(Auth)


class Delivery(NamedTuple):
    """One HTTP request of a sender. Header names are lower case, `received_at` is UTC."""

    method: str
    path_and_query: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime


class SourceConfig(NamedTuple):
    """A configured source. `secrets` are all active, the newest first.

    `defaults` fill what events leave open (region, stage, channel, …). `settings` are choices about the
    vendor, such as `{"customers_are": "person"}`.
    """

    id: str
    vendor: str
    secrets: tuple[str, ...] = ()
    auth: Auth = "signature"
    defaults: Mapping[str, str] = {}
    settings: Mapping[str, str] = {}

    @property
    def uri(self) -> str:
        """`source` of all its events."""
        return f"/sources/{self.id}"

    def person(self, sender_id: str | int) -> str:
        """`<source>.contact:…`: the sender's own id of a customer's person."""
        return f"{self.id}.contact:{sender_id}"

    def user(self, sender_id: str | int) -> str:
        """`<source>.user:…`: the sender's own id of a person who signs in there."""
        return f"{self.id}.user:{sender_id}"

    def org(self, sender_id: str | int) -> str:
        """`<source>.org:…`: the sender's own id of an organisation."""
        return f"{self.id}.org:{sender_id}"


class Verified(NamedTuple):
    """A signature by one of the active secrets, inside the scheme's replay window."""


class Unsigned(NamedTuple):
    """No signature at all where one was expected. `header` names the one that is missing."""

    header: str


class Bad(NamedTuple):
    """A signature that does not hold. `reason` is for the operator and never quotes a secret."""

    reason: str


Verdict = Verified | Unsigned | Bad


class Element(NamedTuple):
    """One thing told by a delivery. `dedupe`: the sender's stable id of it, None where there is none."""

    value: Any
    dedupe: str | None = None


class Unreadable(Exception):  # noqa: N818 - it reads as the outcome that it is
    """What was sent cannot be understood; carries every reason that is known, never the data itself."""

    def __init__(self, where: str, why: str, code: str = "unreadable") -> None:
        super().__init__(f"{where or '/'}: {why}")
        self.reasons: tuple[Reason, ...] = (Reason(code, where, why),)

    @classmethod
    def of(cls, reasons: tuple[Reason, ...]) -> Unreadable:
        """All `reasons` (at least one) in one refusal."""
        unreadable = cls(reasons[0].where, reasons[0].why, reasons[0].code)
        unreadable.reasons = reasons
        return unreadable


class Ignored(NamedTuple):
    """Understood and of no interest: an unknown or uninteresting event type, a test ping, a draft."""

    why: str


class BadElement(NamedTuple):
    """Not understood although it is verified: kept in `rejected`."""

    reasons: tuple[Reason, ...]


Outcome = list[Event] | Ignored | BadElement


class Reply(NamedTuple):
    """The answer that a handshake wants."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"


class Setup(NamedTuple):
    """What the operator does in the vendor's administration, shown when a source is made."""

    where: str
    """The page in the vendor's administration, such as "Admin Center > Apps > Webhooks"."""
    switch_on: tuple[str, ...]
    """Events to subscribe to, in the vendor's own names."""
    secret: str
    """Where the signing secret is found or entered."""
    notes: tuple[str, ...] = ()


def no_handshake(_delivery: Delivery, _source: SourceConfig) -> Reply | None:
    """For vendors that ask nothing before they deliver."""
    return None


class Sender(NamedTuple):
    """A vendor: its name in `POST /v1/sources`, and the functions described above.

    `auth` lists the modes that the vendor can do; the first is the default of a new source.
    """

    vendor: str
    verify: Callable[[Delivery, SourceConfig, datetime], Verdict]
    explode: Callable[[Delivery, SourceConfig], list[Element]]
    normalise: Callable[[Element, Delivery, SourceConfig], Outcome]
    setup: Setup
    handshake: Callable[[Delivery, SourceConfig], Reply | None] = no_handshake
    auth: tuple[Auth, ...] = ("signature",)
