"""The event contract: what crosses the wall between services. Pure; imports nothing else of ours."""

from msgspec import UNSET

from shared.events.bodies import BODIES, Body
from shared.events.codec import EventError, NewerVersionError, check, decode, encode, full_type, short_type
from shared.events.event import Event
from shared.events.keys import NaturalKey, natural_key

__all__ = [
    "BODIES",
    "UNSET",
    "Body",
    "Event",
    "EventError",
    "NaturalKey",
    "NewerVersionError",
    "check",
    "decode",
    "encode",
    "full_type",
    "natural_key",
    "short_type",
]
