"""A customer's row out of its view. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from services.scoring.domain.identity import Mention
from services.scoring.domain.numbers import NANO
from services.scoring.domain.score import Score, Scores
from services.scoring.engine import Engine
from services.scoring.store.customers import CustomerRow, Held
from services.scoring.store.types import episode_id, printable
from services.scoring.view import View
from shared.events.times import MINUTE, Micros

UNKNOWN = "unknown"
LOOK_AFTER: Micros = MINUTE


def customer_row(
    root: str,
    view: View,
    engine: Engine,
    held: Held | None,
    identifiers: list[str],
    belongs: Mention | None,
) -> CustomerRow:
    """The version rises with every row, also over a database that was set back to a backup: it is the time of
    the row where that is more. `scores` are those of the next message, to be told from."""
    version = max((held.version if held else 0) + 1, view.now)
    latest = view.attributes.latest()
    scores = view.scores
    value = whole(latest, "value")
    return CustomerRow(
        id=root,
        account=belongs.organisation if belongs else None,
        state=view.state.pack(),
        attributes=view.attributes.pack(),
        live=sorted(episode_id(one.episode.key) for one in view.live),
        scores=msgspec.json.encode(scores.published()),
        version=version,
        generation=engine.generation,
        scored_at=view.now,
        next_at=soon(view),
        identifiers=identifiers,
        name=text(latest, "name"),
        region=text(latest, "region"),
        persona=text(latest, "persona"),
        owner=text(latest, "owner"),
        value=value,
        currency=text(latest, "currency"),
        renewal_at=text(latest, "renewal_at"),
        health=scores.health.value,
        relationship=scores.relationship.value,
        risk=scores.risk.value,
        bands=bands(scores),
        value_at_risk=at_risk(value, scores.risk),
        kept=version,
        account_at=belongs.at if belongs else None,
        account_event=belongs.event if belongs else None,
    )


def soon(view: View) -> Micros:
    """When to look at a customer that has just been told of: the sweeper then finds the exact instant.

    Whoever sends one event often sends more; looking once after the last of them is enough.
    """
    cuts = [one.fold.next_at for one in view.live if one.fold.next_at is not None]
    return min([view.now + LOOK_AFTER, *(cut for cut in cuts if cut > view.now)])


def bands(scores: Scores) -> list[str]:
    """Bands that the list can be filtered by: of health and of risk, or that they are unknown."""
    return sorted({_band(scores.health), _band(scores.risk)})


def _band(score: Score) -> str:
    return score.band if score.known else UNKNOWN


def at_risk(value: int | None, risk: Score) -> int | None:
    """Expected yearly revenue times the risk, in minor units; None where either is unknown."""
    return None if value is None or risk.value is None else value * risk.value // NANO


def text(latest: Mapping[str, object], field: str) -> str | None:
    value = latest.get(field)
    return printable(value) if isinstance(value, str) else None


def whole(latest: Mapping[str, object], field: str) -> int | None:
    """A number that fits into the column."""
    value = latest.get(field)
    return value if isinstance(value, int) and abs(value) < 2**62 else None
