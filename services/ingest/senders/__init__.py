"""One file per vendor, all of the same anatomy (`services.ingest.domain.sender`), found by its name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from services.ingest.domain.sender import Sender


@cache
def senders() -> Mapping[str, Sender]:
    """Vendor → its sender: every public module of this package has exactly one, called `SENDER`."""
    found: dict[str, Sender] = {}
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        if not module.name.rpartition(".")[2].startswith("_"):
            sender: Sender = importlib.import_module(module.name).SENDER
            found[sender.vendor] = sender
    return MappingProxyType(dict(sorted(found.items())))
