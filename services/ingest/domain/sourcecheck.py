"""Is a source's description sound? Every fault at once, each with its place and what would be right."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Final, get_args

from services.ingest.domain.sender import AUTH_MODES, Auth, Sender
from shared.events import vocabulary as v
from shared.events.identifiers import SOURCE_ID
from shared.events.rejections import Reason

MAX_SECRETS: Final = 10
MAX_SECRET: Final = 4096
_CLOSED: Final[Mapping[str, tuple[str, ...]]] = {
    "stage": v.STAGES,
    "channel": v.CHANNELS,
    "initiative": get_args(v.Initiative),
}
_OPEN: Final = ("account", "touchpoint", "region", "language", "persona", "area")
DEFAULTS: Final = tuple(sorted((*_CLOSED, *_OPEN)))
CUSTOMERS_ARE: Final = ("organisation", "person")
_NUMBERS: Final[Mapping[str, tuple[float, float]]] = {"rate_per_s": (0.1, 1e6), "burst": (1, 1e9)}
"""How much the source may send: deliveries a second in the long run, and at once."""
_NUMBER: Final = re.compile(r"[0-9]{1,10}(\.[0-9]{1,6})?\Z")
_SETTING: Final = re.compile(r"[a-z0-9_]{1,40}\Z")


def id_reasons(source_id: str) -> list[Reason]:
    """The id goes into URLs and identifiers."""
    if SOURCE_ID.match(source_id):
        return []
    return [Reason("bad_field", "/id", "must be 1 to 40 characters of a-z, 0-9 and -")]


def vendor_reasons(vendor: str, known: Mapping[str, Sender]) -> list[Reason]:
    """Names the known vendors, the closest first."""
    if vendor in known:
        return []
    close = difflib.get_close_matches(vendor.lower(), known, n=1, cutoff=0.5)
    meant = f"did you mean {close[0]}? " if close else ""
    return [Reason("bad_field", "/vendor", f"unknown; {meant}Known ones are {', '.join(known)}")]


def auth_reasons(auth: Auth, sender: Sender) -> list[Reason]:
    """A vendor that signs can also be given a token in the URL; one that does not sign cannot sign."""
    if auth in sender.auth or auth != "signature":
        return []
    others = ", ".join(mode for mode in AUTH_MODES if mode != "signature")
    return [Reason("bad_field", "/auth", f"{sender.vendor} signs nothing; use one of {others}")]


def secret_reasons(secrets: Sequence[str]) -> list[Reason]:
    """At least one, or anybody could deliver."""
    if not 1 <= len(secrets) <= MAX_SECRETS:
        return [Reason("bad_field", "/secrets", f"between 1 and {MAX_SECRETS} secrets are needed")]
    return [
        Reason("bad_field", f"/secrets/{index}", f"must be 1 to {MAX_SECRET} characters, not blank")
        for index, secret in enumerate(secrets)
        if not secret.strip() or len(secret) > MAX_SECRET
    ]


def default_reasons(defaults: Mapping[str, str]) -> list[Reason]:
    """What events leave open may be filled with the words of the contract only."""
    reasons: list[Reason] = []
    for name, value in defaults.items():
        if name in _CLOSED:
            if value not in _CLOSED[name]:
                words = ", ".join(_CLOSED[name])
                reasons.append(Reason("bad_field", f"/defaults/{name}", f"must be one of {words}"))
        elif name not in _OPEN:
            known = ", ".join(DEFAULTS)
            reasons.append(Reason("bad_field", "/defaults", f"knows {known} and nothing else"))
        elif not 1 <= len(value) <= 320:
            reasons.append(Reason("bad_field", f"/defaults/{name}", "must be 1 to 320 characters"))
    return reasons


def setting_reasons(settings: Mapping[str, str]) -> list[Reason]:
    """Choices about the vendor; which ones there are is each vendor's own matter."""
    reasons: list[Reason] = []
    for name, value in settings.items():
        if not _SETTING.match(name):
            reasons.append(Reason("bad_field", "/settings", "names are a-z, 0-9 and _, 40 at most"))
        elif name == "customers_are" and value not in CUSTOMERS_ARE:
            words = ", ".join(CUSTOMERS_ARE)
            reasons.append(Reason("bad_field", "/settings/customers_are", f"must be one of {words}"))
        elif name in _NUMBERS:
            reasons += _number_reasons(name, value, *_NUMBERS[name])
        elif not 1 <= len(value) <= 500:
            reasons.append(Reason("bad_field", f"/settings/{name}", "must be 1 to 500 characters"))
    return reasons


def _number_reasons(name: str, value: str, least: float, most: float) -> list[Reason]:
    if _NUMBER.match(value) and least <= float(value) <= most:
        return []
    return [Reason("bad_field", f"/settings/{name}", f"must be a number from {least:g} to {most:.0f}")]
