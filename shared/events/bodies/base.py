"""Bodies of every event type, as frozen structs.

An optional field is `UNSET` when the sender said nothing and `None` when the sender says that it is
to be removed (a revision with `null`): the two are told apart, because unknown is never invented.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, UnsetType

from shared.events import vocabulary as v


class Reference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A thing of another source: `{"source", "id"}`. A bare text means the event's own source."""

    source: str
    id: str


Ref = str | Reference | None | UnsetType


Key = Annotated[str, Meta(min_length=1, max_length=512)]
"""An id of the sender's: part of a natural key, so never empty."""
Text = str | None | UnsetType
Number = int | float | None | UnsetType
Whole = int | None | UnsetType
Flag = bool | None | UnsetType
Texts = tuple[str, ...] | None | UnsetType
PriorityField = v.Priority | None | UnsetType


class Body(msgspec.Struct, frozen=True, omit_defaults=True):
    """Base of all bodies; unknown fields are tolerated on read."""
