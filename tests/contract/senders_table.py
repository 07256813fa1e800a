"""Fixtures of senders through the same steps as a delivery: signed, verified, exploded, normalised."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from services.ingest.domain.pipeline import Sorted, sort_delivery
from services.ingest.domain.sender import SourceConfig, Verified
from services.ingest.senders import senders
from shared.events import Event
from tests.senders_kit import SECRETS, sign

ROOT: Final = Path(__file__).parent.parent / "fixtures" / "senders"
NOW: Final = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
"""Receipt of all fixtures; what they tell happened before."""

_NOT_SHOWN: Final = frozenset(("id", "source", "recorded", "sender_id"))


def fixture(vendor: str, name: str) -> Any:  # noqa: ANN401 - a JSON document
    return json.loads((ROOT / vendor / f"{name}.json").read_text())


def all_fixtures() -> list[tuple[str, str]]:
    """(vendor, name) of every fixture there is."""
    return sorted((path.parent.name, path.stem) for path in ROOT.glob("*/*.json"))


def config(vendor: str, **more: Any) -> SourceConfig:  # noqa: ANN401 - fields of SourceConfig
    auth = senders()[vendor].auth[0]
    return SourceConfig(
        **{"id": "desk", "vendor": vendor, "secrets": (SECRETS[vendor],), "auth": auth, **more}
    )


def deliver(
    vendor: str,
    body: object,
    source: SourceConfig | None = None,
    *,
    headers: dict[str, str] | None = None,
    delivery_id: str | None = None,
) -> Sorted:
    """The body signed with the vendor's secret and taken through verify and the whole pipeline."""
    source = source or config(vendor)
    request = sign(vendor, body, SECRETS[vendor], at=NOW, headers=headers, delivery_id=delivery_id)
    delivery, sender = request.delivery(NOW), senders()[vendor]
    if source.auth == "signature":
        assert sender.verify(delivery, source, NOW) == Verified()
    return sort_delivery(sender, delivery, source)


def events(result: Sorted) -> list[Event]:
    assert not result.reasons, result.reasons
    return [one.event for one in result.sealed]


def shown(event: Event) -> dict[str, Any]:
    """The event without ids and receipt, and without what it does not say."""
    fields = msgspec.to_builtins(event)
    return {k: value for k, value in fields.items() if k not in _NOT_SHOWN and value not in (None, [], 0)}


def told(vendor: str, name: str, source: SourceConfig | None = None) -> list[dict[str, Any]]:
    """What a fixture says, in the contract's words."""
    return [shown(event) for event in events(deliver(vendor, fixture(vendor, name), source))]
